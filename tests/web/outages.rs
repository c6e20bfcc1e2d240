//! Disks that are full, fail or become read-only, and servers that take no writes. The process reports it, loses nothing, and goes on
//! without a restart.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sview_testing::{Backend, Deployment, Disk, DiskFault, Patience, Server, http, run, sview};

use crate::site::{ATTACKER, NOW, SVIEW, full, start, token, total};

/// Waits until something holds.
fn until(what: &str, server: &Server, mut holds: impl FnMut() -> bool) {
    let patience = Patience::of(Duration::from_secs(120));
    while !holds() {
        patience.look_again_blocking(|| format!("{what}:\n{}", server.log()));
    }
}

/// Returns the answer of `/readyz`, with its status.
fn ready(server: &Server) -> (u16, Value) {
    let answer = http::get(&format!("{}/readyz", server.url));
    (answer.status, answer.json())
}

/// Reports `count` more incidents of the last hour, by a process whose disk is well, and queues what is due.
fn report(deployment: &Deployment, name: &str, count: u64) {
    let path = deployment.data_dir.join(name);
    let rows = format!(
        "time,raw_count,device_token,trap,action,ip,country\n\
         2026-03-15T12:10:00.000Z,{count},{},minipot_telnet,login,{ATTACKER},CZ\n",
        token('c')
    );
    std::fs::write(&path, rows).unwrap();
    run(sview(SVIEW, deployment, &["ingest", &path.display().to_string()]).env("SVIEW_NOW", NOW));
    refresh(deployment);
}

/// Queues what is due, as a tick of the schedule does.
fn refresh(deployment: &Deployment) {
    run(sview(SVIEW, deployment, &["refresh"]).env("SVIEW_NOW", NOW));
}

/// The incidents of the last 6 hours, as pages show them.
fn incidents(server: &Server) -> Option<u64> {
    let answer = http::get(&format!("{}/api/resource?name=all_incidents_graph&period=6h", server.url));
    (answer.status == 200).then(|| total(&answer.json()["data"]))
}

/// The jobs in the ledger.
fn jobs(deployment: &Deployment) -> Vec<Value> {
    let text = run(&mut sview(SVIEW, deployment, &["view-jobs", "--limit", "1000", "--json"]));
    serde_json::from_str::<Value>(&text).unwrap()["jobs"].as_array().unwrap().clone()
}

/// Puts all files of the embedded default on a disk that fails in one way. The process serves on, reports the fault, and goes on by itself
/// when the disk is well.
async fn the_disk_fails(fault: DiskFault, word: &str) {
    let (deployment, disk) = (Deployment::new(Backend::Embedded).await, Disk::new());
    let below = disk.environment(&deployment.data_dir);
    let mut environment: Vec<_> = below.iter().map(|(name, value)| (*name, value.as_str())).collect();
    environment.push(("SVIEW_ADMIN_LISTEN", "127.0.0.1:0"));
    let server = full(&deployment, &environment);
    assert_eq!(ready(&server).0, 200);
    let before = incidents(&server).unwrap();

    disk.fail(fault);
    report(&deployment, "more.csv", 100);
    // Whatever needs the ledger has failed in the middle of it: a worker took a job, a page suggested one.
    let _ = http::get(&format!("{}/attackers/details/ip/{ATTACKER}?period=1d", server.url));
    until("the pools have failed", &server, || server.log().contains("a worker pool failed"));
    let failing = |part: &str, report: &Value| report[part] == format!("failing: {word}");
    until("each part is failing", &server, || {
        let (status, report) = ready(&server);
        status == 503 && ["database", "cache", "queues"].iter().all(|part| failing(part, &report))
    });
    let page = http::get(&server.admin_url());
    assert!(page.status == 200 && page.body.contains(word), "{}", page.body);
    assert_eq!(http::get(&format!("{}/?period=1h", server.url)).status, 200, "pages are served on");

    disk.mend();
    until("all parts are well", &server, || ready(&server).0 == 200);
    until("what was reported meanwhile counts", &server, || {
        refresh(&deployment);
        incidents(&server) == Some(before + 100)
    });
    report(&deployment, "later.csv", 10);
    until("and so does what comes later", &server, || incidents(&server) == Some(before + 110));
    let dead = jobs(&deployment).into_iter().filter(|job| job["state"] == "dead").count();
    assert_eq!(dead, 0, "{}", server.log());
    run(sview(SVIEW, &deployment, &["rollup", "verify"]).env("SVIEW_NOW", NOW));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_got_over_without_a_restart() {
    the_disk_fails(DiskFault::Full, "disk full").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_disk_is_got_over_without_a_restart() {
    the_disk_fails(DiskFault::Errors, "disk error").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_was_read_only_is_got_over_without_a_restart() {
    the_disk_fails(DiskFault::ReadOnly, "read-only").await;
}

/// Has every insertion of aggregated incidents fail with an error of PostgreSQL, without a moment between one error and the next.
async fn aggregation_fails(deployment: &Deployment, code: &str) {
    let function = format!(
        "CREATE OR REPLACE FUNCTION outage() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN RAISE EXCEPTION 'outage {code}' USING ERRCODE = '{code}'; END $$"
    );
    deployment.sql(&function).await;
    let trigger = "CREATE OR REPLACE TRIGGER outage BEFORE INSERT ON incidents_quarterly EXECUTE FUNCTION outage()";
    deployment.sql(trigger).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn outages_of_postgresql_cost_no_attempt() {
    let deployment = Deployment::new(Backend::Production).await;
    let server = full(&deployment, &[]);
    let before = incidents(&server).unwrap();
    // More often than a job may fail: each of these would use up an attempt.
    let codes = ["53100", "53200", "53300", "25006", "25P03", "57P01", "57P02", "57P03", "58030"];
    aggregation_fails(&deployment, codes[0]).await;
    report(&deployment, "more.csv", 100);
    for code in codes {
        aggregation_fails(&deployment, code).await;
        until(code, &server, || server.log().contains(&format!("outage {code}")));
    }
    deployment.sql("DROP TRIGGER outage ON incidents_quarterly").await;
    until("the aggregation is done", &server, || {
        refresh(&deployment);
        incidents(&server) == Some(before + 100)
    });
    let failed: Vec<_> =
        jobs(&deployment).into_iter().filter(|job| job["errors"].to_string().contains("outage")).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert_eq!((&failed[0]["state"], &failed[0]["attempts"]), (&"done".into(), &1.into()), "{failed:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_of_postgresql_is_told_until_a_write_succeeds() {
    let deployment = Deployment::new(Backend::Production).await;
    let server = full(&deployment, &[]);
    assert_eq!(ready(&server).0, 200);
    for (code, word, count) in [("53100", "disk full", 100), ("58030", "disk error", 101)] {
        aggregation_fails(&deployment, code).await;
        report(&deployment, &format!("{code}.csv"), count);
        let failing = format!("failing: {word}");
        until(word, &server, || {
            let (status, report) = ready(&server);
            status == 503 && report["database"] == failing && report["queues"] == "ok"
        });
        deployment.sql("DROP TRIGGER outage ON incidents_quarterly").await;
        until("a write succeeded", &server, || {
            refresh(&deployment);
            ready(&server).0 == 200
        });
    }
}

/// Ends all connections to the deployment's database but its own.
async fn disconnect(deployment: &Deployment) {
    let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    deployment.sql(sql).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_database_is_named_and_got_over() {
    let deployment = Deployment::new(Backend::Production).await;
    let server = start(&deployment, "serve", &[]);
    assert_eq!(ready(&server).0, 200);
    let name = &deployment.prefix;
    deployment.sql(&format!("ALTER DATABASE {name} SET default_transaction_read_only = on")).await;
    disconnect(&deployment).await;
    until("it is read-only", &server, || ready(&server).1["database"] == "failing: read-only");
    let writable =
        format!("SET transaction_read_only = off; ALTER DATABASE {name} RESET default_transaction_read_only");
    deployment.sql(&writable).await;
    disconnect(&deployment).await;
    until("it is writable", &server, || ready(&server).0 == 200);
}

/// A Redis of a test's own, on a socket.
struct Redis {
    child: std::process::Child,
    url: String,
}

impl Redis {
    fn start(deployment: &Deployment) -> Self {
        let socket = deployment.data_dir.join("redis.sock");
        let child = std::process::Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(&deployment.data_dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let patience = Patience::default();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            patience.look_again_blocking(|| "redis-server does not start".to_owned());
        }
        Self { child, url: format!("redis+unix://{}", socket.display()) }
    }

    /// Runs a command, as an operator does.
    async fn run(&self, command: &str) {
        let mut connection = sview_testing::redis_connection(self.url.as_str()).await;
        let (name, args) = command.split_once(' ').unwrap();
        redis::cmd(name).arg(args.split(' ').collect::<Vec<_>>()).query_async::<()>(&mut connection).await.unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_takes_no_writes_is_not_ready() {
    let deployment = Deployment::new(Backend::Production).await;
    let redis = Redis::start(&deployment);
    let server = start(&deployment, "serve", &[("SVIEW_REDIS_URL", &redis.url)]);
    assert_eq!(ready(&server).0, 200);
    for (fail, mend, word) in [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "out of memory"),
        ("REPLICAOF 127.0.0.1 9", "REPLICAOF NO ONE", "read-only"),
    ] {
        redis.run(fail).await;
        let failing = format!("failing: {word}");
        until(word, &server, || {
            let (status, report) = ready(&server);
            status == 503 && report["cache"] == failing && report["queues"] == failing && report["database"] == "ok"
        });
        redis.run(mend).await;
        until("it takes writes", &server, || ready(&server).0 == 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_may_evict_jobs_is_warned_of() {
    let deployment = Deployment::new(Backend::Production).await;
    let redis = Redis::start(&deployment);
    redis.run("CONFIG SET maxmemory-policy allkeys-lru").await;
    let environment = [("SVIEW_REDIS_URL", redis.url.as_str()), ("SVIEW_ADMIN_LISTEN", "127.0.0.1:0")];
    let server = start(&deployment, "serve", &environment);
    until("it is told at start", &server, || server.log().contains("maxmemory-policy is allkeys-lru"));
    let (status, report) = ready(&server);
    let warnings = report["warnings"].as_array().unwrap();
    assert!(status == 200 && warnings.len() == 1, "{report}");
    assert!(warnings[0].as_str().unwrap().contains("noeviction"), "{report}");
    assert!(http::get(&server.admin_url()).body.contains("maxmemory-policy is allkeys-lru"));
    redis.run("CONFIG SET maxmemory-policy noeviction").await;
    until("it is well", &server, || ready(&server).1.get("warnings").is_none());
}
