//! Texts of any length count exactly, and make no tally longer than a short text does.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use chrono::{DateTime, TimeDelta, Utc};
use sview_model::{Batch, Data, HashKind, Kind, Parameters, Password, Period, Precision, Request};
use sview_store::{Reports, Settings, Step};
use sview_testing::both;

async fn ranked(reports: &Reports, request: &Request, now: DateTime<Utc>) -> Vec<(String, u64)> {
    let Data::Ranking(ranking) = reports.statistics().compute(request, now).await.unwrap().data else {
        panic!("{request}")
    };
    ranking.rows.into_iter().map(|row| (row.labels[0].clone().unwrap(), row.count)).collect()
}

both! {
    async fn long_passwords_count_exactly_and_take_little_room(deployment: Deployment) {
        let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
        reports.migrate().await.unwrap();
        let now: DateTime<Utc> = "2026-03-15T12:34:56Z".parse().unwrap();
        // Such as attackers send: two that differ at their end alone, one of other letters, and one that is just short enough.
        let long = "密码<script>".repeat(4_000);
        let (other, edge) = (format!("{long}."), "x".repeat(512));
        let mut batch = Batch::default();
        for (days, count, username, password) in [
            (1, 5, "root", &long), (2, 2, "admin", &long), (2, 4, "root", &other), (2, 3, &*long, &edge), (40, 1, "root", &long),
        ] {
            let (username, password) = (username.to_owned(), password.clone());
            batch.passwords.push(Password { time: now - TimeDelta::days(days), raw_count: count, username, password });
        }
        reports.insert(&batch, None).await.unwrap();
        let length = long.len();
        let [sha1, ntlm] = [HashKind::Sha1, HashKind::Ntlm].map(|kind| kind.of(&long).to_hex(kind));
        let passwords = Request::plain("top_passwords_by_usages_list_long".parse().unwrap(), Period::Year).unwrap();
        let week = Request::plain("top_passwords_by_usages_list_long".parse().unwrap(), Period::Week).unwrap();
        let logins = |password: &str| {
            let parameters = Parameters::Password(password.to_owned());
            Request::new("logins_of_password_by_usages_list".parse().unwrap(), Period::Year, parameters).unwrap()
        };
        for made in 0..2 {
            for precision in Precision::AGGREGATED {
                while made > 0 && matches!(reports.rollup().aggregate(Kind::Passwords, *precision, now).await.unwrap(), Step::Built { .. }) {}
                assert!(reports.rollup().tally_differences(Kind::Passwords, *precision, None).await.unwrap().is_empty());
            }
            let rows = ranked(&reports, &passwords, now).await;
            assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), [8, 4, 3], "{rows:?}");
            let label = &rows[0].0;
            assert!(label.starts_with("密码<script>") && label.len() < 400, "{label}");
            assert!(label.ends_with(&format!("… ({length} bytes, SHA-1 {sha1}, NTLM {ntlm})")), "{label}");
            assert_eq!(rows[2].0, edge, "what is short is told whole");
            assert_eq!(ranked(&reports, &week, now).await.iter().map(|row| row.1).collect::<Vec<_>>(), [7, 4, 3]);
            // Details are found by what is told, and by all of it.
            for password in [label, &long] {
                assert_eq!(ranked(&reports, &logins(password), now).await, [("root".to_owned(), 6), ("admin".to_owned(), 2)]);
            }
            assert_eq!(ranked(&reports, &logins(&edge), now).await.len(), 1);
        }

        // Somebody types what is told of the first.
        let told = format!("{}… ({length} bytes, SHA-1 {sha1}, NTLM {ntlm})", &long[..long.floor_char_boundary(120)]);
        assert_eq!(ranked(&reports, &passwords, now).await[0].0, told);
        let (username, password, time) = ("guest".to_owned(), told.clone(), now - TimeDelta::days(2));
        let lookalike = vec![Password { time, raw_count: 9, username, password }];
        reports.insert(&Batch { passwords: lookalike, ..Batch::default() }, None).await.unwrap();
        for precision in Precision::AGGREGATED {
            while matches!(reports.rollup().aggregate(Kind::Passwords, *precision, now).await.unwrap(), Step::Built { .. }) {}
        }
        let rows = ranked(&reports, &passwords, now).await;
        assert_eq!(rows.iter().map(|row| row.1).collect::<Vec<_>>(), [9, 8, 4, 3], "{rows:?}");
        assert!(rows[0].0 != told && rows[1].0 == told, "{rows:?}");
        assert_eq!(ranked(&reports, &logins(&rows[0].0), now).await, [("guest".to_owned(), 9)]);
        assert_eq!(ranked(&reports, &logins(&told), now).await, [("root".to_owned(), 6), ("admin".to_owned(), 2)]);
        let large = "UPDATE sview_tally SET bucket = bucket WHERE length(body) > 2000";
        assert_eq!(deployment.sql(large).await, 0);
        assert!(deployment.sql("UPDATE sview_tally SET bucket = bucket").await > 0);

        reports.passwords().count().await.unwrap();
        for kind in HashKind::ALL {
            for (password, count) in [(&long, 8), (&other, 4), (&edge, 3)] {
                let hash = kind.of(password);
                let seen = reports.passwords().seen(*kind, hash.prefix()).await.unwrap();
                assert_eq!(seen.get(&hash).map(|seen| seen.count), Some(count), "{kind} of {} bytes", password.len());
            }
        }
    }
}
