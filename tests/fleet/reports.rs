//! The counts of a fleet, and how to read them.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use sview_model::Batch;
use sview_testing::{Deployment, Patience, Random, sview, told};

use crate::members::Member;
use crate::{NOW, SVIEW};

/// So many reports of each kind, in the last quarter of an hour, day or two months.
pub(crate) fn batch(rows: u64, random: &mut Random) -> Batch {
    random.reports(NOW.parse().unwrap(), rows)
}

/// Runs a command that prints JSON and may end with 1; its document.
pub(crate) fn document(deployment: &Deployment, args: &[&str]) -> Value {
    documented(deployment, args).unwrap_or_else(|told| panic!("{args:?}: {told}"))
}

/// The same; or what it told, where that is no document.
pub(crate) fn documented(deployment: &Deployment, args: &[&str]) -> Result<Value, String> {
    let mut command = sview(SVIEW, deployment, args);
    let output = command.env("SVIEW_NOW", NOW).stdin(Stdio::null()).output().unwrap();
    serde_json::from_slice(&output.stdout).map_err(|e| format!("{e}: {}", told(&output)))
}

/// Waits until nothing is queued, scheduled or running any more and everything is aggregated. Fails the test when that takes longer than
/// `seconds`, the limit for an idle machine. The fleet does the work, this only looks.
///
/// Then has those values computed again that the schedule would compute in a quarter of an hour for late reports. Waits until nothing is
/// due at all.
pub(crate) fn settle(deployment: &Deployment, members: &[Member], seconds: u64) {
    let patience = Patience::of(Duration::from_secs(seconds));
    let mut asked = false;
    loop {
        let jobs = match documented(deployment, &["view-jobs", "--state", "queued,scheduled,running", "--json"]) {
            Ok(jobs) => jobs,
            // Members that have just been started may not have made the queues yet, and commands that look make none.
            Err(told) if told.contains("there are no jobs in") => {
                patience.look_again_blocking(|| told.clone());
                continue;
            }
            Err(told) => panic!("{told}"),
        };
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
        if patience.is_over() {
            let logs: String = members.iter().map(Member::log).collect();
            panic!("it does not settle: {logs}\n{jobs:#} {due:#}");
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

/// Every aggregate equals a recount, nothing waits to be aggregated, no job is dead, and no unique key is held.
pub(crate) async fn assert_whole(deployment: &Deployment) {
    let verified = document(deployment, &["rollup", "verify", "--json"]);
    assert_eq!(verified["differences"], json!([]));
    assert_eq!(verified["pending"], 0);
    let dead = document(deployment, &["view-jobs", "--state", "dead", "--json"]);
    assert_eq!(dead["jobs"], json!([]));
    if let Some(url) = &deployment.redis_url {
        let mut connection = sview_testing::redis_connection(url.as_str()).await;
        let key = format!("{{{}}}:jobs:claims", deployment.prefix);
        let claims: Vec<String> = redis::cmd("HGETALL").arg(key).query_async(&mut connection).await.unwrap();
        assert_eq!(claims, Vec::<String>::new(), "claims are left");
    }
}
