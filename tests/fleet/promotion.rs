//! A replica of PostgreSQL is promoted behind one address, under load: visitors notice nothing, workers go on, and values follow.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use sview_jobs::machine_now;
use sview_model::{Action, Batch, Identity, Incident, Period, Trap};
use sview_store::{Reports, Settings};
use sview_testing::{Backend, Deployment, Pair, Patience, Random, Relay, http};

use crate::NOW;
use crate::members::{Member, assert_none_ran_twice_at_once, free_port};
use crate::outages::{until_all_is_cached, visit, work_goes_on};
use crate::reports::{assert_whole, batch, document, settle};

/// A fleet over a pair of servers behind one address.
struct Site {
    pair: Pair,
    relay: Relay,
    deployment: Deployment,
    reports: Reports,
    members: Vec<Member>,
    port: u16,
}

impl Site {
    /// Starts everything with some reports, and waits until all values are cached.
    async fn start() -> Self {
        let pair = Pair::start();
        let mut deployment = Deployment::new(Backend::Production).await;
        let relay = Relay::before(&format!("{}/postgres?sslmode=disable", pair.primary.url)).await;
        deployment.database_url.clone_from(&relay.url);
        let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
        reports.migrate().await.unwrap();
        reports.insert(&batch(2_000, &mut Random(0x5eed_5eed_5eed_5eed)), None).await.unwrap();
        let port = free_port();
        let mut members = vec![
            Member::start(&deployment, &["worker", "aggregation", "quick-cache", "slow-cache"], &[]),
            Member::start(&deployment, &["worker", "aggregation", "quick-cache", "slow-cache"], &[]),
            Member::start(&deployment, &["scheduler"], &[]),
        ];
        settle(&deployment, &members, 120);
        let mut serving = Member::start(&deployment, &["serve"], &[("SVIEW_LISTEN", format!("127.0.0.1:{port}"))]);
        serving.wait_for(port);
        members.push(serving);
        // It looks at what is cached when it starts.
        let patience = Patience::default();
        while values(port).len() < periods().count() {
            patience.look_again(|| "not all values are shown".to_owned()).await;
        }
        Self { pair, relay, deployment, reports, members, port }
    }

    /// Waits until all work is done; then every aggregate equals a recount, and every value equals one that is made anew.
    async fn assert_recovered(&mut self) {
        settle(&self.deployment, &self.members, 150);
        assert_whole(&self.deployment).await;
        until_all_is_cached(&self.deployment);
        let shown = values(self.port);
        assert_eq!(shown.len(), periods().count());
        let _ = document(&self.deployment, &["clear-cache", "--json"]);
        let _ = document(&self.deployment, &["refresh", "--json"]);
        settle(&self.deployment, &self.members, 150);
        until_all_is_cached(&self.deployment);
        assert_eq!(shown, values(self.port), "values are those of the reports that there are");
        for member in &mut self.members {
            assert!(member.runs(), "{}", member.log());
        }
        assert_none_ran_twice_at_once(&self.members);
    }
}

/// The periods whose values follow late reports. That of the hour follows its next minute, which never comes while the clock stands still.
fn periods() -> impl Iterator<Item = Period> {
    Period::ALL.iter().copied().filter(|period| *period != Period::Hour)
}

/// Returns the API's values of each period's incidents.
fn values(port: u16) -> BTreeMap<String, Value> {
    let value = |period: Period| {
        let answer =
            http::get(&format!("http://127.0.0.1:{port}/api/resource?name=all_incidents_graph&period={period}"));
        (answer.status == 200).then(|| (period.to_string(), answer.json()["data"].clone()))
    };
    periods().filter_map(value).collect()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Promotion {
    /// The primary server is killed, and then the replica is promoted.
    Killed,
    /// The primary server is made read-only, and keeps its connections; only new ones lead to the other server.
    Demoted,
}

async fn promoted_under_load(promotion: Promotion) {
    let mut site = Site::start().await;
    let stop = Arc::new(AtomicBool::new(false));
    let feeding = {
        let (reports, stop) = (site.reports.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let (mut random, mut failures) = (Random(0xfeed_feed_feed_feed), 0);
            while !stop.load(Ordering::Relaxed) {
                if let Err(error) = reports.insert(&batch(4, &mut random), None).await {
                    assert!(error.outage().is_some(), "that is no outage: {error:?}");
                    failures += 1;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            failures
        })
    };
    let (port, until) = (site.port, Arc::clone(&stop));
    let visiting = tokio::task::spawn_blocking(move || visit(port, &until));
    tokio::time::sleep(Duration::from_secs(2)).await;

    let begun = machine_now();
    match promotion {
        Promotion::Killed => site.pair.primary.kill(),
        Promotion::Demoted => {
            let read_only = ["ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()"];
            site.pair.primary.sql(&read_only).await;
            site.pair.catch_up().await;
        }
    }
    site.pair.replica.promote();
    site.relay.redirect(&site.pair.replica.url);
    let promoted = machine_now();
    let took = tokio::task::block_in_place(|| work_goes_on(&site.deployment, promoted));
    println!(
        "{promotion:?}: work goes on {:.1} s after the promotion, which took {:.1} s",
        took.as_secs_f64(),
        (promoted - begun).as_seconds_f64()
    );
    // Reports are taken again, by connections that were open before.
    let patience = Patience::default();
    while site.reports.ping().await.is_err() || site.reports.insert(&batch(1, &mut Random(1)), None).await.is_err() {
        patience.look_again(|| "no reports are taken".to_owned()).await;
    }
    let ready = format!("http://127.0.0.1:{port}/readyz");
    while http::get(&ready).status != 200 {
        patience.look_again(|| format!("not ready: {}", http::get(&ready).body)).await;
    }
    println!("{promotion:?}: ready {:.1} s after the promotion", (machine_now() - promoted).as_seconds_f64());

    stop.store(true, Ordering::Relaxed);
    let failures = feeding.await.unwrap();
    let (statuses, slowest) = visiting.await.unwrap();
    println!("{promotion:?}: {failures} insertions failed; {statuses:?} to visitors, the slowest in {slowest:.2?}");
    assert!(statuses.len() == 1 && statuses[&200] > 0, "{statuses:?}");
    site.assert_recovered().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_after_a_crash_is_got_over() {
    promoted_under_load(Promotion::Killed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_promotion_that_cuts_no_connection_is_got_over() {
    promoted_under_load(Promotion::Demoted).await;
}

/// Incidents of so many devices an hour ago, which is late.
fn late(first_device: u64, devices: u64, attacker: u8) -> Batch {
    let now = NOW.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    let incident = |device: u64| Incident {
        time: now - chrono::TimeDelta::hours(1),
        raw_count: 1,
        identity: Identity { sn: String::new(), device_token: format!("{device:064x}").parse().unwrap() },
        trap: Trap::Haas,
        action: Action::Login,
        ip: [198, 51, 100, attacker].into(),
        country: "CZ".parse().ok(),
    };
    Batch { incidents: (first_device..first_device + devices).map(incident).collect(), ..Batch::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_follow_a_promotion_that_lost_commits() {
    let mut site = Site::start().await;
    let before = values(site.port);
    site.pair.catch_up().await;
    site.pair.part().await;
    // These devices and their reports are lost, with what was aggregated of them; ledger and cache know of both.
    site.reports.insert(&late(1_000, 100, 1), None).await.unwrap();
    let _ = document(&site.deployment, &["refresh", "--json"]);
    settle(&site.deployment, &site.members, 150);
    until_all_is_cached(&site.deployment);
    assert_ne!(values(site.port), before, "the reports count");

    site.pair.primary.kill();
    site.pair.replica.promote();
    site.relay.redirect(&site.pair.replica.url);
    let promoted = machine_now();
    // Other devices, whose rows may have the numbers of those that were lost; as many steps of aggregation as before.
    let patience = Patience::default();
    while let Err(error) = site.reports.insert(&late(2_000, 70, 2), None).await {
        assert!(error.outage().is_some(), "that is no outage: {error:?}");
        patience.look_again(|| format!("no reports are taken: {error}")).await;
    }
    let took = tokio::task::block_in_place(|| work_goes_on(&site.deployment, promoted));
    println!("lost commits: work goes on {:.1} s after the promotion", took.as_secs_f64());
    // One who sends the lost reports again finds no trace of them.
    site.reports.insert(&late(1_000, 30, 1), None).await.unwrap();
    let rows = site
        .pair
        .replica
        .text("SELECT count(DISTINCT device_token)::text FROM incidents JOIN identity ON identity_id = id");
    assert_eq!(rows.await, "101", "one device from the start, 70, and 30 again");
    let _ = document(&site.deployment, &["refresh", "--json"]);
    site.assert_recovered().await;
}
