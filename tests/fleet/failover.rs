//! Redis with two sentinels. Its master is killed, and later replaced unnoticed while writes are lost. Visitors notice nothing, workers
//! follow, and everything is computed and counted in the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sview_jobs::machine_now;
use sview_store::{Reports, Settings};
use sview_testing::{Backend, Deployment, Random};

use crate::members::{Member, free_port};
use crate::outages::{until_all_is_cached, visit, work_goes_on};
use crate::reports::{assert_whole, batch, settle};
use crate::servers::{NAME, Redis};

const ALL: [&str; 4] = ["worker", "aggregation", "quick-cache", "slow-cache"];

/// A key that the old master gets while its replica hears nothing.
const MARKER: &str = "lost-marker";

async fn has_marker(server: &Redis) -> bool {
    redis::cmd("EXISTS").arg(MARKER).query_async(&mut server.connect().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_follows_its_redis_and_counts_everything_once() {
    let mut first = Redis::start(&[]);
    let second = Redis::replica_of(&first).await;
    let sentinels = [Redis::sentinel(&first, 2), Redis::sentinel(&first, 2)];
    for sentinel in &sentinels {
        sentinel.until_complete().await;
    }
    let [one, two] = [sentinels[0].port, sentinels[1].port];
    let mut deployment = Deployment::new(Backend::Production).await;
    deployment.redis_url = Some(format!("redis+sentinel://127.0.0.1:{one},127.0.0.1:{two}/{NAME}"));
    let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    reports.insert(&batch(2_000, &mut Random(0x5eed_5eed_5eed_5eed)), None).await.unwrap();

    let port = free_port();
    let mut members = vec![
        Member::start(&deployment, &ALL, &[]),
        Member::start(&deployment, &ALL, &[]),
        Member::start(&deployment, &["scheduler"], &[]),
    ];
    tokio::task::block_in_place(|| settle(&deployment, &members, 60));
    let mut serving = Member::start(&deployment, &["serve"], &[("SVIEW_LISTEN", format!("127.0.0.1:{port}"))]);
    serving.wait_for(port);
    members.push(serving);
    tokio::time::sleep(Duration::from_secs(1)).await; // it looks at what is cached when it starts

    let stop = Arc::new(AtomicBool::new(false));
    let feeding = {
        let (reports, stop) = (reports.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut random = Random(0xfeed_feed_feed_feed);
            while !stop.load(Ordering::Relaxed) {
                reports.insert(&batch(4, &mut random), None).await.unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })
    };
    let visiting = {
        let stop = Arc::clone(&stop);
        tokio::task::spawn_blocking(move || visit(port, &stop))
    };

    // The master is killed, and what it wrote last may be lost.
    first.kill();
    let since = machine_now();
    second.until_info("role:master").await;
    let took = tokio::task::block_in_place(|| work_goes_on(&deployment, since));
    println!("the master killed: work goes on {:.1} s later", took.as_secs_f64());
    tokio::task::block_in_place(|| until_all_is_cached(&deployment));

    // Another replica hears nothing for a while, and is promoted. The old master is not told, and no connection is cut.
    let third = Redis::replica_of(&second).await;
    third.run("REPLICAOF 127.0.0.1 1").await;
    third.until_info("master_link_status:down").await;
    second.run(&format!("SET {MARKER} 1")).await;
    let since = machine_now();
    tokio::task::block_in_place(|| work_goes_on(&deployment, since)); // what it writes is lost
    for sentinel in &sentinels {
        sentinel.run(&format!("SENTINEL REMOVE {NAME}")).await;
    }
    third.run("REPLICAOF NO ONE").await;
    assert!(has_marker(&second).await);
    assert!(!has_marker(&third).await, "the promoted replica has what was written last");
    let since = machine_now();
    for sentinel in &sentinels {
        sentinel.run(&format!("SENTINEL MONITOR {NAME} 127.0.0.1 {} 2", third.port)).await;
    }
    let took = tokio::task::block_in_place(|| work_goes_on(&deployment, since));
    println!("the master replaced with lost writes, and not told: work goes on {:.1} s later", took.as_secs_f64());
    tokio::task::block_in_place(|| until_all_is_cached(&deployment));
    second.until_left().await;

    stop.store(true, Ordering::Relaxed);
    feeding.await.unwrap();
    let (statuses, slowest) = visiting.await.unwrap();
    println!("{statuses:?} to visitors, the slowest in {:.2} s", slowest.as_secs_f64());
    assert!(statuses.len() == 1 && statuses[&200] > 100, "{statuses:?}");
    deployment.redis_url = Some(third.url());
    tokio::task::block_in_place(|| settle(&deployment, &members, 150));
    assert_whole(&deployment).await;
    for member in &mut members {
        assert!(member.runs(), "{}", member.log());
    }
}
