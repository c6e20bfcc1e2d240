//! One address that leads to another server, several addresses, and servers that hold no ledger.

use std::time::{Duration, Instant};

use apalis_ledger::{Inspection as _, JobQueue as _};

use crate::servers::{PATIENCE, Proxy, Redis};
use crate::work::{job, ledger, works};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demoted_server_behind_one_address_is_left() {
    let first = Redis::start(&[]);
    let proxy = Proxy::before(&first).await;
    let (worker, producer) = (ledger(&proxy.url), ledger(&proxy.url));
    works(&worker, &["before"], "").await;
    producer.push(&job("announced")).await.unwrap();
    let mut waiter = worker.listen();
    let second = Redis::replica_of(&first).await;
    proxy.lead_to(&second);
    first.run_at_last(&format!("FAILOVER TO 127.0.0.1 {}", second.port)).await;
    second.until_info("role:master").await;
    first.until_info("role:slave").await;
    // No connection was cut, and what the old master refuses is sent to the new one.
    worker.push(&job("refused")).await.unwrap();
    works(&worker, &["announced", "refused", "after"], "a demoted server behind one address").await;
    // The worker hears of pushes by the new server's channel.
    let begun = Instant::now();
    while tokio::time::timeout(Duration::from_millis(100), waiter.heard()).await.is_ok() {}
    for n in 0.. {
        producer.push(&job(&format!("heard {n}"))).await.unwrap();
        if tokio::time::timeout(Duration::from_secs(1), waiter.heard()).await.is_ok() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the worker is not told");
    }
    first.until_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_to_another_master_is_followed() {
    let (first, second) = (Redis::start(&[]), Redis::start(&[]));
    let proxy = Proxy::before(&first).await;
    let worker = ledger(&proxy.url);
    works(&worker, &["before"], "").await;
    proxy.lead_to(&second);
    // The first one refuses nothing: it was not told.
    let begun = Instant::now();
    while ledger(&second.url()).counts().await.unwrap()[0].of(apalis_ledger::State::Done) == 0 {
        works(&worker, &["after"], "").await;
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!("a server that was replaced and does not know it: left after {:.1} s", begun.elapsed().as_secs_f64());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_among_several_addresses_is_used() {
    let mut first = Redis::start(&[]);
    let second = Redis::replica_of(&first).await;
    let worker = ledger(&format!("redis://127.0.0.1:{},127.0.0.1:{}", second.port, first.port));
    works(&worker, &["before"], "").await;
    first.run_at_last(&format!("FAILOVER TO 127.0.0.1 {}", second.port)).await;
    second.until_info("role:master").await;
    works(&worker, &["demoted"], "several addresses, the master demoted").await;
    first.until_info("master_link_status:up").await;
    second.run_at_last(&format!("FAILOVER TO 127.0.0.1 {}", first.port)).await;
    first.until_info("role:master").await;
    second.until_info("master_link_status:up").await;
    works(&worker, &["back"], "several addresses, demoted again").await;
    first.until_replicated().await;
    first.kill();
    // A replica can be read meanwhile.
    let begun = Instant::now();
    while worker.counts().await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the replica is not read");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    second.run("REPLICAOF NO ONE").await;
    works(&worker, &["killed"], "several addresses, the master killed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_and_a_sentinel_hold_no_ledger_and_say_so() {
    let cluster = Redis::start(&["--cluster-enabled", "yes"]);
    let error = ledger(&cluster.url()).time().await.unwrap_err();
    assert!(error.is_unusable() && error.outage().is_none(), "{error}");
    assert!(error.to_string().contains("Redis Cluster is not supported"), "{error}");
    let sentinel = Redis::sentinel(&Redis::start(&[]), 1);
    let error = ledger(&sentinel.url()).time().await.unwrap_err();
    assert!(error.is_unusable() && error.to_string().contains("redis+sentinel://"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_without_its_replicas_keeps_the_connection() {
    let server = Redis::start(&["--min-replicas-to-write", "1"]);
    let worker = ledger(&server.url());
    worker.time().await.unwrap();
    let before = server.clients().await;
    for _ in 0..4 {
        let error = worker.push(&job("refused")).await.unwrap_err();
        assert!(error.to_string().contains("NOREPLICAS") && error.outage().is_some(), "{error}");
        // Longer than the shortest pause between two connections.
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let after = server.clients().await;
    assert!(before.is_subset(&after), "{before:?} {after:?}");
    let _replica = Redis::replica_of(&server).await;
    works(&worker, &["refused"], "").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_on_all_servers_are_no_outage() {
    let servers = [Redis::start(&["--requirepass", "m@ster"]), Redis::start(&["--requirepass", "m@ster"])];
    let ports = servers.each_ref().map(|server| server.port);
    let at = format!("127.0.0.1:{},127.0.0.1:{}", ports[0], ports[1]);
    for user in ["", ":hunter2@"] {
        let error = ledger(&format!("redis://{user}{at}")).time().await.unwrap_err();
        let told = error.to_string();
        assert!(error.outage().is_none(), "{error:?}");
        assert!(ports.iter().all(|port| told.contains(&port.to_string())) && !told.contains("hunter2"), "{told}");
    }
    works(&ledger(&format!("redis://:m%40ster@{at}")), &["with the password"], "").await;
    // Beside a server that is away, a wrong password is still what must be changed.
    let [_first, second] = servers;
    let away = format!("redis://:hunter2@127.0.0.1:1,127.0.0.1:{}", second.port);
    assert!(ledger(&away).time().await.unwrap_err().outage().is_none());
    let gone = ledger("redis://:hunter2@127.0.0.1:1,127.0.0.1:2").time().await.unwrap_err();
    assert_eq!(gone.outage(), Some(outage::Outage::Unreachable), "{gone}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_or_proxy_without_info_is_used() {
    let server = Redis::start(&["--rename-command", "INFO", ""]);
    works(&ledger(&server.url()), &["without INFO"], "").await;
}
