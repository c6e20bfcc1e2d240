//! PgBouncer in transaction mode before PostgreSQL: each transaction may get another session, and leaves nothing in it.

use std::process::Stdio;

use serde_json::Value;
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _};
use sview_testing::{Backend, Deployment, Patience, http, run, sview};

use crate::members::{Member, free_port};
use crate::reports::{assert_whole, document, settle};
use crate::{NOW, SVIEW};

/// Ingests so many incidents of a device.
fn ingest(deployment: &Deployment, device: char, incidents: u32) {
    let path = deployment.data_dir.join(format!("{device}.csv"));
    let mut rows = "time,raw_count,device_token,trap,action,ip,country\n".to_owned();
    for i in 0..incidents {
        let token = device.to_string().repeat(64);
        rows += &format!("2026-03-15T{:02}:10:00Z,1,{token},minipot_telnet,login,192.0.2.{},CZ\n", 8 + i % 4, i % 200);
    }
    std::fs::write(&path, rows).unwrap();
    run(sview(SVIEW, deployment, &["ingest", &path.display().to_string()]).env("SVIEW_NOW", NOW));
}

/// The incidents of the last day, as the API gives them; `None` until they are there.
fn incidents(port: u16) -> Option<u64> {
    let answer = http::get(&format!("http://127.0.0.1:{port}/api/resource?name=all_incidents_graph&period=1d"));
    let points = (answer.status == 200).then(|| answer.json()["data"].clone())?;
    Some(points.as_array().unwrap().iter().filter_map(|point| point["count"].as_u64()).sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_works_through_pgbouncer_in_transaction_mode() {
    let mut deployment = Deployment::new(Backend::Production).await;
    let pooler = std::env::var("SVIEW_TEST_PGBOUNCER_URL").expect("run the tests by tests/run.sh");
    let direct = std::mem::take(&mut deployment.database_url);
    deployment.database_url = format!("{pooler}/{}?sslmode=disable", deployment.prefix);

    // Several migrate at once, as when all hosts are updated.
    let migrations: Vec<_> = (0..4)
        .map(|_| sview(SVIEW, &deployment, &["migrate"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
        .collect();
    for migration in migrations {
        let output = migration.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    ingest(&deployment, 'a', 1_000);
    let port = free_port();
    let mut members = vec![
        Member::start(&deployment, &["worker", "aggregation", "quick-cache", "slow-cache"], &[]),
        Member::start(&deployment, &["worker", "aggregation", "quick-cache", "slow-cache"], &[]),
        Member::start(&deployment, &["scheduler"], &[]),
    ];
    settle(&deployment, &members, 150);
    let mut serving = Member::start(&deployment, &["serve"], &[("SVIEW_LISTEN", format!("127.0.0.1:{port}"))]);
    serving.wait_for(port);
    members.push(serving);
    let patience = Patience::default();
    while incidents(port) != Some(1_000) {
        patience.look_again(|| format!("{:?} incidents are shown", incidents(port))).await;
    }
    for page in ["?period=1d", "incidents/?period=1w", "passwords/?period=1m", "readyz"] {
        let answer = http::get(&format!("http://127.0.0.1:{port}/{page}"));
        assert_eq!(answer.status, 200, "{page}: {}", answer.body);
    }

    // Late reports of a device that nobody knew: buckets are made anew, and values follow.
    ingest(&deployment, 'b', 100);
    let _ = document(&deployment, &["refresh", "--json"]);
    settle(&deployment, &members, 150);
    while incidents(port) != Some(1_100) {
        patience.look_again(|| format!("{:?} incidents are shown", incidents(port))).await;
    }
    assert_whole(&deployment).await;
    assert_eq!(document(&deployment, &["status", "--json"])["database"]["error"], Value::Null);
    for member in &mut members {
        assert!(member.runs() && !member.log().contains("prepared statement"), "{}", member.log());
    }

    // Whoever has one of the sessions next finds it as it was, and no session holds a lock.
    let mut connection = PgConnection::connect(&direct).await.unwrap();
    let locks = connection.fetch_one("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").await.unwrap();
    assert_eq!(locks.get::<i64, _>(0), 0);
    let url = format!("{}/{}", pooler, deployment.prefix);
    for setting in ["lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"] {
        let shown = run(std::process::Command::new("psql").args([&url, "-Atqc", &format!("SHOW {setting}")]));
        assert_eq!(shown.trim(), "0", "{setting}");
    }
    let names =
        run(std::process::Command::new("psql").args([&url, "-Atqc", "SELECT name FROM pg_prepared_statements"]));
    assert_eq!(names, "");
}

#[tokio::test]
async fn settings_that_pgbouncer_refuses_are_explained() {
    let deployment = Deployment::new(Backend::Production).await;
    let pooler = std::env::var("SVIEW_TEST_PGBOUNCER_URL").expect("run the tests by tests/run.sh");
    let url = format!("{pooler}/{}?sslmode=disable&options=-c%20lock_timeout%3D1s", deployment.prefix);
    let output = sview(SVIEW, &deployment, &["migrate"]).env("SVIEW_DATABASE_URL", url).output().unwrap();
    let told = sview_testing::told(&output);
    assert!(!output.status.success() && told.contains("ignore_startup_parameters"), "{told}");
}
