//! The cost of a page when nothing of it is cached yet.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sview_testing::{Backend, Deployment, http, patiently, run, sview};

use crate::site::{NOW, SVIEW, ingest, start};

/// The commands that a deployment's processes send to Redis, from now on.
struct Monitor(Arc<Mutex<Vec<String>>>);

impl Monitor {
    fn of(deployment: &Deployment) -> Self {
        let url = deployment.redis_url.as_deref().unwrap();
        let host = url.strip_prefix("redis://").unwrap().trim_end_matches('/');
        let mut redis = TcpStream::connect(host).unwrap();
        redis.write_all(b"MONITOR\r\n").unwrap();
        let mut reader = BufReader::new(redis);
        let mut said = String::new();
        reader.read_line(&mut said).unwrap();
        assert_eq!(said.trim(), "+OK");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (copy, prefix) = (Arc::clone(&lines), deployment.prefix.clone());
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok).filter(|line| line.contains(&prefix)) {
                copy.lock().unwrap().push(line);
            }
        });
        Self(lines)
    }

    /// The lines with this word: of commands that clients sent, or of those that scripts called.
    fn with(&self, word: &str, by_script: bool) -> Vec<String> {
        let lines = self.0.lock().unwrap();
        let all = lines.iter().filter(|line| line.contains(word) && line.contains(" lua]") == by_script);
        all.cloned().collect()
    }
}

/// Waits for something to be so.
fn until(so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < Duration::from_secs(120), "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cold_overview_asks_the_ledger_once_and_queues_all_that_is_missing_at_once() {
    let deployment = Deployment::new(Backend::Production).await;
    // All due aggregations are done first, so that nothing holds up the page's values.
    ingest(&deployment);
    for args in [&["refresh", "--wait"][..], &["clear-cache"]] {
        run(sview(SVIEW, &deployment, args).env("SVIEW_NOW", NOW));
    }
    let server = start(&deployment, "serve", &[]);
    // The checks at a process' start are over.
    patiently(|| http::get(&format!("{}/readyz", server.url)), |answer| answer.status == 200);
    let monitor = Monitor::of(&deployment);
    let page = http::get(&format!("{}/?period=1w", server.url));
    assert!(page.body.contains("data-state=\"pending\""), "{}", page.body);
    until(|| !monitor.with("EVALSHA", false).is_empty()); // the page says what is under way
    let queued = || monitor.with("\"payload\"", true);
    until(|| queued().len() >= 2);
    // The page asks how what is missing stands; in the background the same is asked of all that the decision depends on, and what is
    // due is queued: a round trip each, whatever the number of cards.
    let sent = monitor.with("EVALSHA", false);
    assert!(sent.len() <= 3, "{sent:#?}");
    assert_eq!(queued().len(), 2, "a job for incidents and one for passwords: {:#?}", queued());
}
