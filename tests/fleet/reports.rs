//! Reports by chance, the same in every run.

use std::process::Stdio;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use sview_model::{Action, Batch, Identity, Incident, Password, Port, Protocol, Trap};
use sview_testing::{Deployment, sview, told};

use crate::members::Member;
use crate::{NOW, SVIEW};

/// A sequence without a pattern, the same in every run.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        // xorshift: good enough to scatter kills and reports.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

/// So many reports of each kind, in the last quarter of an hour, day or two months.
pub(crate) fn batch(rows: u64, random: &mut Random) -> Batch {
    let now: DateTime<Utc> = NOW.parse().unwrap();
    let mut batch = Batch::default();
    for _ in 0..rows {
        let range = [900, 86_400, 60 * 86_400][random.below(3) as usize];
        let time = now - TimeDelta::seconds(random.below(range) as i64);
        let raw_count = 1 + random.below(4) as i64;
        batch.incidents.push(Incident {
            time,
            raw_count,
            identity: Identity { sn: String::new(), device_token: "a".repeat(64).parse().unwrap() },
            trap: Trap::ALL[random.below(6) as usize],
            action: Action::ALL[random.below(6) as usize],
            ip: [192, 0, 2, random.below(50) as u8].into(),
            country: "CZ".parse().ok(),
        });
        let word = format!("w{}", random.below(30));
        batch.passwords.push(Password { time, raw_count, username: word.clone(), password: word });
        batch.ports.push(Port { time, raw_count, port: random.below(30) as u16, protocol: Protocol::Tcp });
    }
    batch
}

/// Runs a command that prints JSON and may end with 1; its document.
pub(crate) fn document(deployment: &Deployment, args: &[&str]) -> Value {
    let mut command = sview(SVIEW, deployment, args);
    let output = command.env("SVIEW_NOW", NOW).stdin(Stdio::null()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{args:?}: {e}: {}", told(&output)))
}

/// Waits until nothing is queued, scheduled or running any more and everything is aggregated; fails the test after `patience` seconds.
/// The fleet does the work, this only looks. Then has the values made anew that the schedule would make anew for late reports in a
/// quarter of an hour, and waits until nothing is due at all.
pub(crate) fn settle(deployment: &Deployment, members: &[Member], patience: u64) {
    let begun = Instant::now();
    let mut asked = false;
    loop {
        let jobs = document(deployment, &["view-jobs", "--state", "queued,scheduled,running", "--json"]);
        let due = document(deployment, &["refresh", "--dry-run", "--json"]);
        let idle = jobs["jobs"].as_array().unwrap().is_empty();
        let suggestions = due["jobs"].as_array().unwrap();
        let up_to_date = |suggestion: &Value| suggestion["reason"] == "up-to-date";
        if idle && suggestions.iter().all(up_to_date) {
            return;
        }
        if idle && !asked && suggestions.iter().filter(|s| s["queue"] == "aggregation").all(up_to_date) {
            let _ = document(deployment, &["refresh", "--json"]);
            asked = true;
        }
        if begun.elapsed().as_secs() > patience {
            let logs: String = members.iter().map(Member::log).collect();
            panic!("it does not settle: {logs}\n{jobs:#} {due:#}");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Every aggregate equals a recount, nothing waits to be aggregated, no job was given up, and no unique key is held.
pub(crate) async fn assert_whole(deployment: &Deployment) {
    let verified = document(deployment, &["rollup", "verify", "--json"]);
    assert_eq!(verified["differences"], json!([]));
    assert_eq!(verified["pending"], 0);
    let dead = document(deployment, &["view-jobs", "--state", "dead", "--json"]);
    assert_eq!(dead["jobs"], json!([]));
    if let Some(url) = &deployment.redis_url {
        let client = redis::Client::open(url.as_str()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let key = format!("{{{}}}:jobs:claims", deployment.prefix);
        let claims: Vec<String> = redis::cmd("HGETALL").arg(key).query_async(&mut connection).await.unwrap();
        assert_eq!(claims, Vec::<String>::new(), "claims are left");
    }
}
