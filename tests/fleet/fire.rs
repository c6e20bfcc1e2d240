//! Two schedulers, four workers and a web process, all killed at random moments and started again at once. Meanwhile reports keep coming,
//! many of them late, and visitors keep asking.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use sview_model::Period;
use sview_store::{Reports, Settings};
use sview_testing::{Random, both, http};

use crate::members::{Member, assert_none_ran_twice_at_once, free_port};
use crate::reports::{assert_whole, batch, document, settle};

const KILLS: u32 = 200;

both! {
    async fn two_hundred_kills_lose_double_and_hold_up_nothing(deployment: Deployment) {
        let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
        reports.migrate().await.unwrap();
        let mut random = Random(0x5eed_5eed_5eed_5eed);
        reports.insert(&batch(2_000, &mut random), None).await.unwrap();
        let port = free_port();
        let start = |args: &[&str], more: &[(&'static str, String)]| Member::start(&deployment, args, more);
        let mut members = vec![start(&["serve"], &[
            ("SVIEW_LISTEN", format!("127.0.0.1:{port}")),
            ("SVIEW_RLIMIT_MAX_HITS", "0".to_owned()), // all visitors are one client
            ("SVIEW_RLIMIT_ALL_HITS", "0".to_owned()),
        ])];
        for queues in [&["aggregation", "quick-cache"][..], &["slow-cache"]] {
            for _ in 0..2 {
                let args: Vec<&str> = std::iter::once("worker").chain(queues.iter().copied()).collect();
                members.push(start(&args, &[]));
            }
        }
        members.extend((0..2).map(|_| start(&["scheduler"], &[])));

        let (stop, inserted) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let feeding = {
            let (reports, stop, inserted) = (reports.clone(), Arc::clone(&stop), Arc::clone(&inserted));
            tokio::spawn(async move {
                let mut random = Random(0xfeed_feed_feed_feed);
                while !stop.load(Ordering::Relaxed) {
                    reports.insert(&batch(40, &mut random), None).await.unwrap();
                    inserted.fetch_add(40, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            })
        };
        let asking = {
            let stop = Arc::clone(&stop);
            tokio::task::spawn_blocking(move || {
                let (mut random, mut statuses) = (Random(0xa5a5_a5a5_a5a5_a5a5), HashMap::<u16, u64>::new());
                while !stop.load(Ordering::Relaxed) {
                    let attacker = format!("attackers/details/ip/192.0.2.{}", random.below(50));
                    let page = ["", "incidents/", "attackers/", "passwords/", &attacker][random.below(5) as usize];
                    let period = Period::ALL[random.below(Period::ALL.len() as u64) as usize];
                    // While the process is being started again nobody answers.
                    if let Some(answer) = http::try_get(&format!("http://127.0.0.1:{port}/{page}?period={period}")) {
                        *statuses.entry(answer.status).or_default() += 1;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
                statuses
            })
        };

        for kill in 0..KILLS {
            tokio::time::sleep(Duration::from_millis(200 + random.below(200))).await;
            let victim = random.below(members.len() as u64) as usize;
            assert!(members[victim].runs(), "it ended by itself before kill {kill}: {}", members[victim].log());
            members[victim].kill_and_restart(&deployment);
        }
        stop.store(true, Ordering::Relaxed);
        feeding.await.unwrap();
        let statuses = asking.await.unwrap();
        assert!(statuses[&200] > 50 && statuses.len() == 1, "{statuses:?}");

        // The jobs of the last victims are reclaimed within a minute; and the minute's refresh queues the rest.
        settle(&deployment, &members, 180);
        assert_whole(&deployment).await;
        for member in &mut members {
            assert!(member.runs(), "{}", member.log());
        }
        let attempts = assert_none_ran_twice_at_once(&members);
        let done = document(&deployment, &["view-jobs", "--state", "done", "--limit", "100000", "--json"]);
        let done = done["jobs"].as_array().unwrap();
        // Jobs of one key, by the ledger's clock: each began when the one before had ended.
        let mut by_key: HashMap<&str, Vec<(&str, &str)>> = HashMap::new();
        for job in done {
            let (started, finished) = (job["started_at"].as_str().unwrap(), job["finished_at"].as_str().unwrap());
            by_key.entry(job["job"].as_str().unwrap()).or_default().push((started, finished));
        }
        for (key, mut spans) in by_key {
            spans.sort_unstable();
            assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{key}: {spans:?}");
        }
        let again = done.iter().filter(|job| job["attempts"].as_u64().unwrap() > 1).count();
        println!("{} reports, {attempts} attempts, {} jobs done, {again} of them not at first", inserted.load(Ordering::Relaxed), done.len());
        assert!(again > 0, "the kills hit no job at all");
    }
}
