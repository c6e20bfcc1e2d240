//! Redis and PostgreSQL cut off, hanging, and losing all they hold, under load: visitors notice nothing, and workers are back soon.
//!
//! Five seconds each in every run; `SVIEW_TEST_OUTAGES=60,600` makes it as many seconds instead (`just long`).

use std::collections::HashMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sview_jobs::machine_now;
use sview_model::Period;
use sview_store::{Reports, Settings};
use sview_testing::{Backend, Deployment, Patience, Random, Relay, http};

use crate::members::{Member, assert_none_ran_twice_at_once, free_port};
use crate::reports::{assert_whole, batch, document, documented, settle};

/// How long workers take at most to be back, on an idle machine. `just long` prints how long they took.
const BACK: Duration = Duration::from_secs(10);

/// A Redis of this test's own, so that nobody else's keys are flushed.
struct Redis(Child, String);

impl Redis {
    fn start(deployment: &Deployment) -> Self {
        let port = free_port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
            .arg(&deployment.data_dir)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(child, format!("redis://127.0.0.1:{port}/"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    RedisCut,
    RedisStalled,
    DatabaseCut,
    DatabaseStalled,
}

/// How visitors fared: answers by status, and the slowest one.
pub(crate) type Visits = (HashMap<u16, u64>, Duration);

/// Asks for pages and values until told to stop.
pub(crate) fn visit(port: u16, stop: &AtomicBool) -> Visits {
    let (mut random, mut statuses, mut slowest) = (Random(0xa5a5_a5a5_a5a5_a5a5), HashMap::new(), Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let page =
            ["?", "incidents/?", "passwords/?", "api/resource?name=all_incidents_graph&"][random.below(4) as usize];
        let period = Period::ALL[random.below(Period::ALL.len() as u64) as usize];
        let begun = Instant::now();
        let answer = http::get(&format!("http://127.0.0.1:{port}/{page}period={period}"));
        *statuses.entry(answer.status).or_default() += 1;
        slowest = slowest.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    (statuses, slowest)
}

/// Waits for a job that began or was done after `since`, and goes well; how long after `since` that was.
pub(crate) fn work_goes_on(deployment: &Deployment, since: DateTime<Utc>) -> Duration {
    let patience = Patience::of(6 * BACK);
    loop {
        // As a tick of the schedule does.
        let _ = documented(deployment, &["refresh", "--json"]);
        let jobs = match documented(deployment, &["view-jobs", "--state", "running,done", "--limit", "1000", "--json"])
        {
            Ok(jobs) => jobs,
            Err(told) => {
                patience.look_again_blocking(|| told.clone());
                continue;
            }
        };
        let jobs = jobs["jobs"].as_array().unwrap().iter();
        let times = jobs.flat_map(|job| [&job["started_at"], &job["finished_at"]]).filter_map(|at| at.as_str());
        let first = times.map(|at| at.parse::<DateTime<Utc>>().unwrap()).filter(|at| *at > since).min();
        if let Some(at) = first {
            return (at - since).to_std().unwrap();
        }
        patience.look_again_blocking(|| format!("no work since {since}"));
    }
}

/// Waits until every value that is precached is there; the fleet computes them.
pub(crate) fn until_all_is_cached(deployment: &Deployment) {
    let patience = Patience::of(Duration::from_secs(300));
    loop {
        let cached = document(deployment, &["view-cache", "--json"]);
        if cached["missing"].as_array().unwrap().is_empty() {
            return;
        }
        patience.look_again_blocking(|| format!("still missing: {}", cached["missing"]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_pages_go_on_and_workers_are_back_after_its_return() {
    body(&[Outage::RedisCut, Outage::RedisStalled], true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_database_pages_go_on_and_workers_are_back_after_its_return() {
    body(&[Outage::DatabaseCut, Outage::DatabaseStalled], false).await;
}

async fn body(outages: &[Outage], flush: bool) {
    let mut deployment = Deployment::new(Backend::Production).await;
    let redis = Redis::start(&deployment);
    deployment.redis_url = Some(redis.1.clone());
    let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    let mut random = Random(0x5eed_5eed_5eed_5eed);
    reports.insert(&batch(2_000, &mut random), None).await.unwrap();

    let (mut before_redis, mut before_database) =
        (Relay::before(&redis.1).await, Relay::before(&deployment.database_url).await);
    let relayed = [("SVIEW_REDIS_URL", before_redis.url.clone()), ("SVIEW_DATABASE_URL", before_database.url.clone())];
    let port = free_port();
    let mut web = relayed.to_vec();
    web.push(("SVIEW_LISTEN", format!("127.0.0.1:{port}")));
    let mut members = vec![
        Member::start(&deployment, &["worker", "aggregation", "quick-cache", "slow-cache"], &relayed),
        Member::start(&deployment, &["worker", "aggregation", "quick-cache", "slow-cache"], &relayed),
        Member::start(&deployment, &["scheduler"], &relayed),
    ];
    settle(&deployment, &members, 60);
    let mut serving = Member::start(&deployment, &["serve"], &web);
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

    let spans = std::env::var("SVIEW_TEST_OUTAGES").unwrap_or_else(|_| "5".to_owned());
    for seconds in spans.split(',').map(|s| s.trim().parse::<u64>().unwrap()) {
        for outage in outages {
            match outage {
                Outage::RedisCut => before_redis.cut().await,
                Outage::RedisStalled => before_redis.stall(),
                Outage::DatabaseCut => before_database.cut().await,
                Outage::DatabaseStalled => before_database.stall(),
            }
            // There is work to be done all the while.
            let _ = document(&deployment, &["refresh", "--json"]);
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let back = machine_now();
            before_redis.restore().await;
            before_database.restore().await;
            let took = tokio::task::block_in_place(|| work_goes_on(&deployment, back));
            println!("{outage:?} for {seconds} s: work goes on {:.1} s after its return", took.as_secs_f64());
            // Values that expired meanwhile are there again, and were seen, before the next outage.
            until_all_is_cached(&deployment);
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
    }

    if flush {
        let mut connection = sview_testing::redis_connection(redis.1.as_str()).await;
        redis::cmd("FLUSHALL").query_async::<()>(&mut connection).await.unwrap();
        let lost = machine_now();
        let took = tokio::task::block_in_place(|| work_goes_on(&deployment, lost));
        println!("FLUSHALL: work goes on {:.1} s later", took.as_secs_f64());
    }

    stop.store(true, Ordering::Relaxed);
    feeding.await.unwrap();
    let (statuses, slowest) = visiting.await.unwrap();
    println!("{statuses:?} to visitors, the slowest in {:.2} s", slowest.as_secs_f64());
    assert!(statuses.len() == 1 && statuses[&200] > 100, "{statuses:?}");
    settle(&deployment, &members, 150);
    assert_whole(&deployment).await;
    for member in &mut members {
        assert!(member.runs(), "{}", member.log());
    }
    assert_none_ran_twice_at_once(&members);
}
