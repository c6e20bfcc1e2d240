//! Tallies and plain SQL over the wide rows are two ways to the same numbers. They agree on every precached resource, in every period, and
//! at awkward moments. Late reports and unfinished aggregation make no difference.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use chrono::{DateTime, TimeDelta, Utc};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestRunner};
use sview_model::{
    Action, Batch, Identity, Incident, Kind, Parameters, Password, Period, Port, Precision, Protocol, Request, Trap,
};
use sview_store::{Reports, Settings, Step};
use sview_testing::both;

/// Reports of the last year, most of them recent, of few enough values that they meet.
fn batch(now: DateTime<Utc>, rows: usize, seed: u64) -> Batch {
    let mut runner = TestRunner::new_with_rng(
        Config::default(),
        proptest::test_runner::TestRng::from_seed(
            proptest::test_runner::RngAlgorithm::ChaCha,
            &seed.to_le_bytes().repeat(4),
        ),
    );
    let mut pick = |n: usize| (0..n).new_tree(&mut runner).unwrap().current();
    let mut batch = Batch::default();
    for _ in 0..rows {
        let range = [3_600, 86_400, 7 * 86_400, 30 * 86_400, 390 * 86_400][pick(5)];
        let time = now - TimeDelta::seconds(pick(range) as i64) + TimeDelta::microseconds(pick(3) as i64 - 1);
        let raw_count = 1 + pick(3) as i64;
        let identity = Identity { sn: String::new(), device_token: ["a", "b"][pick(2)].repeat(64).parse().unwrap() };
        let ip = match pick(20) {
            0 => format!("2001:db8::{}", pick(4)),
            n => format!("192.0.{n}.{}", pick(6)),
        };
        let country =
            [None, Some("CZ"), Some("DE"), Some("FR"), Some("US"), Some("CN"), Some("RU"), Some("BR"), Some("IN")]
                [pick(9)];
        batch.incidents.push(Incident {
            time,
            raw_count,
            identity,
            trap: Trap::ALL[pick(Trap::ALL.len())],
            action: Action::ALL[pick(Action::ALL.len())],
            ip: ip.parse().unwrap(),
            country: country.and_then(|c| c.parse().ok()),
        });
        let words = ["", "\n", "root", "admin", "密码", "<script>", "a/b", "x", "y", "z"];
        batch.passwords.push(Password {
            time,
            raw_count,
            username: words[pick(10)].into(),
            password: words[pick(10)].into(),
        });
        batch.ports.push(Port { time, raw_count, port: pick(12) as u16, protocol: Protocol::ALL[pick(3)] });
    }
    batch
}

async fn compare(reports: &Reports, now: DateTime<Utc>, when: &str) {
    for period in Period::ALL {
        for kind in Kind::ALL {
            for (request, tallied) in reports.statistics().compute_group(*kind, *period, now).await.unwrap() {
                let wide = reports.statistics().compute_wide(&request, now).await.unwrap();
                assert_eq!(tallied, wide, "{request} {when} at {now}");
            }
        }
        let attacker = |ip: &str| Parameters::Ip(ip.parse().unwrap());
        let password = |text: &str| Parameters::Password(text.to_owned());
        for (name, parameters) in [
            ("selected_attacker_incidents_graph", attacker("192.0.2.1")),
            ("selected_attacker_incidents_graph", attacker("2001:db8::1")),
            ("selected_attacker_incidents_graph", attacker("203.0.113.99")),
            ("selected_attacker_sightings_list", attacker("192.0.2.1")),
            ("selected_attacker_sightings_list", attacker("2001:db8::1")),
            ("selected_attacker_sightings_list", attacker("203.0.113.99")),
            ("selected_password_by_usages_graph", password("密码")),
            ("selected_password_by_usages_graph", password("never tried")),
            ("logins_of_password_by_usages_list", password("<script>")),
            ("logins_of_password_by_usages_list", password("")),
        ] {
            let request = Request::new(name.parse().unwrap(), *period, parameters).unwrap();
            let tallied = reports.statistics().compute(&request, now).await.unwrap();
            assert_eq!(
                tallied,
                reports.statistics().compute_wide(&request, now).await.unwrap(),
                "{request} {when} at {now}"
            );
        }
    }
}

both! {
    async fn tallies_and_plain_sql_agree(deployment: Deployment) {
        let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
        reports.migrate().await.unwrap();
        for (i, now) in ["2026-03-15T12:34:56Z", "2028-02-29T23:59:59Z", "2028-03-01T00:00:00Z"].iter().enumerate() {
            let now: DateTime<Utc> = now.parse().unwrap();
            reports.insert(&batch(now, 400, i as u64), None).await.unwrap();
            compare(&reports, now, "before aggregation").await;
            for precision in Precision::AGGREGATED {
                for kind in Kind::ALL {
                    while matches!(reports.rollup().aggregate(*kind, *precision, now).await.unwrap(), Step::Built { .. }) {}
                }
                compare(&reports, now, &format!("when {precision} is made")).await;
            }
            // Late reports: their buckets are made anew, tallies too.
            reports.insert(&batch(now, 100, 77 + i as u64), None).await.unwrap();
            for precision in Precision::AGGREGATED {
                for kind in Kind::ALL {
                    while matches!(reports.rollup().aggregate(*kind, *precision, now).await.unwrap(), Step::Built { .. }) {}
                    assert!(reports.rollup().differences(*kind, *precision, None).await.unwrap().is_empty());
                }
            }
            compare(&reports, now, "after late reports").await;
        }
    }
}
