//! Many jobs on Redis: a page of them costs what it shows, and all pages together show all.

use apalis_ledger::{Filter, JobId, QueueName, State, machine_now};
use redis::aio::MultiplexedConnection;

use crate::lab::{Lab, QUEUES, SLOW};

/// A job that was queued so many minutes ago, and is to run, or ended, so many minutes later.
fn write(pipe: &mut redis::Pipeline, n: u64, age: i64, later: i64, queue: QueueName, state: State) -> String {
    let created = machine_now().timestamp_millis() - age * 60_000;
    let id = JobId::from_parts(u64::try_from(created).unwrap(), n.into()).to_string();
    let (created, due) = (created.to_string(), (created + later * 60_000).to_string());
    let fields = [
        ("id", id.as_str()),
        ("name", "probe"),
        ("queue", queue.as_str()),
        ("key", &id),
        ("payload", "{}"),
        ("cause", "test"),
        ("words", if n % 500 == 7 { "rare" } else { "often" }),
        ("state", state.as_str()),
        ("attempts", "1"),
        ("max_attempts", "3"),
        ("created_at", &created),
        ("run_at", &due),
    ];
    pipe.hset_multiple(format!("{{test}}:jobs:job:{id}"), &fields).ignore();
    pipe.zadd(format!("{{test}}:jobs:{queue}:{state}"), &id, &due).ignore();
    id
}

async fn calls(connection: &mut MultiplexedConnection, command: &str) -> u64 {
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(connection).await.unwrap();
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.and_then(|rest| rest.split(',').next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_jobs_reads_little_more_than_it_shows_and_pages_lose_none() {
    let lab = Lab::redis(Default::default()).await;
    let mut connection = lab.server.as_ref().unwrap().connect().await;
    let mut all = Vec::new();
    let mut pipe = redis::pipe();
    for n in 0..4_500_u64 {
        // Two weeks, in no order; some ended long after they were queued.
        let age = i64::try_from(n * 7919 % 20_000).unwrap();
        let later = if n % 97 == 0 { 3_000 } else { i64::try_from(n % 5).unwrap() };
        let state = State::ALL[usize::try_from(n / 3 % 6).unwrap()];
        all.push(write(&mut pipe, n, age, later, QUEUES[usize::try_from(n % 3).unwrap()], state));
    }
    pipe.query_async::<()>(&mut connection).await.unwrap();
    all.sort_unstable_by(|a, b| b.cmp(a));

    let before = calls(&mut connection, "hgetall").await;
    let page = lab.queues.list(&Filter { limit: 50, ..Default::default() }).await.unwrap();
    assert_eq!(page.iter().map(|r| r.id.to_string()).collect::<Vec<_>>(), all[..50]);
    assert_eq!(calls(&mut connection, "hgetall").await - before, 50);

    for filter in [
        Filter { limit: 700, ..Default::default() },
        Filter { limit: 100, states: vec![State::Done], queue: Some(SLOW), ..Default::default() },
        Filter { limit: 4, text: Some("RARE".into()), ..Default::default() },
        Filter { limit: 300, from: Some(machine_now() - chrono::Duration::minutes(9_000)), ..Default::default() },
    ] {
        let mut expected = lab.queues.list(&Filter { limit: usize::MAX, ..filter.clone() }).await.unwrap();
        assert!(expected.len() > 5, "{filter:?}");
        assert!(expected.windows(2).all(|two| two[0].id > two[1].id));
        if filter.states.is_empty() && filter.text.is_none() && filter.from.is_none() {
            assert_eq!(expected.len(), all.len());
        }
        let mut before = None;
        while !expected.is_empty() {
            let page = lab.queues.list(&Filter { before, ..filter.clone() }).await.unwrap();
            assert_eq!(page.len(), expected.len().min(filter.limit), "{filter:?}");
            before = page.last().map(|record| record.id);
            assert!(page.iter().map(|r| r.id).eq(expected.drain(..page.len()).map(|r| r.id)), "{filter:?}");
        }
        assert!(lab.queues.list(&Filter { before, ..filter }).await.unwrap().is_empty());
    }
}
