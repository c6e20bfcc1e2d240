//! Every resource in every period at awkward moments, over reports that the test makes itself. An oracle that knows nothing of databases
//! goes through the reports in memory, and the values must agree.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

mod rows;
mod values;

use std::fmt::Write as _;
use std::sync::Mutex;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sview_model::{CATALOGUE, Period};
use sview_testing::{Deployment, Server, both, difference, run, sview};

use crate::rows::Rows;
use crate::values::{Expected, Subjects, expected};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Reads reports into a deployment at a moment, and computes what is precached.
fn ingest(deployment: &Deployment, rows: &Rows, now: &str) {
    let mut args = vec!["ingest".to_owned()];
    for (name, text) in rows.files() {
        let path = deployment.data_dir.join(format!("{}-{name}.csv", now.replace(':', "")));
        std::fs::write(&path, text).unwrap();
        args.push(path.display().to_string());
    }
    run(sview(SVIEW, deployment, &args.iter().map(String::as_str).collect::<Vec<_>>()).env("SVIEW_NOW", now));
    run(sview(SVIEW, deployment, &["refresh", "--wait"]).env("SVIEW_NOW", now));
}

fn up(deployment: &Deployment, now: &str) -> Server {
    Server::start(
        sview(SVIEW, deployment, &["up"])
            .env("SVIEW_NOW", now)
            .env("SVIEW_RLIMIT_MAX_HITS", "0")
            .env("SVIEW_RLIMIT_ALL_HITS", "0"),
    )
}

/// Compares all values, several at once: what is not precached takes a moment to be computed.
fn compare(server: &Server, all: &[Expected]) {
    let wrong = Mutex::new(String::new());
    let check = &|value: &Expected| {
        let got = server.value(value.name, value.period, &value.parameters);
        if let Some(difference) = difference(&value.data, &got) {
            let line = format!("{} {} {}: {difference}", value.name, value.period, value.parameters);
            let _ = writeln!(wrong.lock().unwrap(), "{line}");
        }
    };
    std::thread::scope(|scope| {
        for part in all.chunks(all.len().div_ceil(8)) {
            scope.spawn(move || part.iter().for_each(check));
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "of {} values differ:\n{wrong}", all.len());
}

/// All values over the reports of a seed, at a moment.
fn check(deployment: &Deployment, seed: u64, now: &str) {
    let rows = Rows::around(moment(now), seed);
    ingest(deployment, &rows, now);
    let all = expected(&rows, moment(now), &rows.subjects());
    let names: std::collections::BTreeSet<_> = all.iter().map(|value| value.name).collect();
    assert_eq!(names, CATALOGUE.iter().map(|resource| resource.name).collect(), "the oracle knows all resources");
    assert_eq!(all.len(), Period::ALL.len() * (23 + 2 * 2 + 2 * 2 + 3 * 2));
    let full = all.iter().filter(|value| !blank(&value.data)).count();
    assert!(full * 10 > all.len() * 9, "{full} of {} say something", all.len());
    compare(&up(deployment, now), &all);
}

/// Whether a value tells of nothing, and so tests little.
fn blank(data: &Value) -> bool {
    !data.to_string().contains(|c: char| ('1'..='9').contains(&c))
        || data.get("labels").is_some_and(|labels| labels.as_array().unwrap().is_empty())
}

both! {
    async fn in_the_last_hour_of_a_month(deployment: Deployment) {
        check(&deployment, 11, "2027-01-31T23:04:59Z");
    }

    async fn at_midnight_exactly_between_years(deployment: Deployment) {
        check(&deployment, 12, "2027-01-01T00:00:00Z");
    }

    async fn a_second_before_midnight(deployment: Deployment) {
        check(&deployment, 13, "2026-11-30T23:59:59Z");
    }

    async fn on_the_29th_of_february(deployment: Deployment) {
        check(&deployment, 14, "2028-02-29T12:34:56Z");
    }

    async fn a_refresh_over_new_and_late_reports_is_as_good_as_a_fresh_start(deployment: Deployment) {
        // Between the two every period's refresh interval rolls over, and the aggregations' delays pass.
        let (first, second) = ("2028-02-28T23:58:30Z", "2028-02-29T00:20:10Z");
        let rows = Rows::around(moment(second), 15);
        // A tenth of the rows before the first moment is reported only after it.
        let (early, late) = rows.split(moment(first));
        ingest(&deployment, &early, first);
        compare(&up(&deployment, first), &expected(&early, moment(first), &Subjects::default()));
        ingest(&deployment, &late, second);
        compare(&up(&deployment, second), &expected(&rows, moment(second), &Subjects::default()));
    }
}
