//! A master, a replica and two sentinels.

use apalis_ledger::{Inspection as _, RedisLedger, State};

use crate::servers::{NAME, Redis};
use crate::work::{ledger, works};

struct Watched {
    master: Redis,
    replica: Redis,
    sentinels: [Redis; 2],
    worker: RedisLedger,
}

async fn watched() -> Watched {
    let master = Redis::start(&[]);
    let replica = Redis::replica_of(&master).await;
    let sentinels = [Redis::sentinel(&master, 2), Redis::sentinel(&master, 2)];
    for sentinel in &sentinels {
        sentinel.until_complete().await;
    }
    let [one, two] = [sentinels[0].port, sentinels[1].port];
    let worker = ledger(&format!("redis+sentinel://127.0.0.1:{one},127.0.0.1:{two}/{NAME}"));
    works(&worker, &["before"], "").await;
    Watched { master, replica, sentinels, worker }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_is_followed_by_the_promoted_replica() {
    let mut all = watched().await;
    all.master.until_replicated().await;
    all.master.kill();
    works(&all.worker, &["killed"], "sentinels, the master killed").await;
    all.replica.until_info("role:master").await;
    assert_eq!(all.worker.counts().await.unwrap()[0].of(State::Done), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_by_command_is_followed_with_one_sentinel_away() {
    let mut all = watched().await;
    all.master.until_replicated().await;
    all.sentinels[1].run_at_last(&format!("SENTINEL FAILOVER {NAME}")).await;
    all.replica.until_info("role:master").await;
    all.sentinels[0].kill();
    works(&all.worker, &["commanded"], "sentinels, a failover by command").await;
    assert_eq!(all.worker.counts().await.unwrap()[0].of(State::Done), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_was_not_told_of_its_successor_is_left() {
    let all = watched().await;
    // The sentinels know another master, and nobody tells the old one: as if it were cut off from them.
    for sentinel in &all.sentinels {
        sentinel.run(&format!("SENTINEL REMOVE {NAME}")).await;
    }
    all.replica.run("REPLICAOF NO ONE").await;
    for sentinel in &all.sentinels {
        sentinel.run(&format!("SENTINEL MONITOR {NAME} 127.0.0.1 {} 2", all.replica.port)).await;
    }
    let begun = std::time::Instant::now();
    let successor = ledger(&all.replica.url());
    while successor.counts().await.unwrap()[0].of(State::Done) < 2 {
        works(&all.worker, &["after"], "").await;
        assert!(begun.elapsed() < crate::servers::PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    println!("sentinels, a master that was not told: left after {:.1} s", begun.elapsed().as_secs_f64());
    all.master.until_info("role:master").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_and_servers_have_passwords_of_their_own() {
    let master = Redis::start(&["--requirepass", "m@ster"]);
    let sentinel =
        Redis::sentinel_with(&master, 1, &format!("sentinel auth-pass {NAME} m@ster\nrequirepass s3ntinel\n"));
    let (at, name) = (format!("127.0.0.1:{}", sentinel.port), NAME);
    let worker = ledger(&format!("redis+sentinel://:m%40ster@{at}/{name}/2?sentinel_password=s3ntinel"));
    works(&worker, &["behind passwords"], "").await;
    for wrong in ["", "?sentinel_password=m%40ster"] {
        let error = ledger(&format!("redis+sentinel://:m%40ster@{at}/{name}{wrong}")).time().await.unwrap_err();
        let told = error.to_string();
        assert!(
            told.contains("no sentinel names the master") && told.contains(&at) && !told.contains("m@ster"),
            "{told}"
        );
        assert!(error.outage().is_none(), "{error:?}");
    }
    let unknown = ledger(&format!("redis+sentinel://:m%40ster@{at}/other?sentinel_password=s3ntinel"));
    let error = unknown.time().await.unwrap_err();
    assert!(error.to_string().contains("No such master") && error.outage().is_none(), "{error:?}");
}
