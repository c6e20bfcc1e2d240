//! Jobs that are pushed, taken and finished while servers change.

use std::time::{Duration, Instant};

use apalis_ledger::{
    Finished, Inspection as _, JobQueue as _, LedgerSettings, NewJob, Outcome, QueueName, RedisLedger, State, Take,
    Taken,
};

use crate::servers::PATIENCE;

pub(crate) const QUEUE: QueueName = QueueName::new("work");

/// Short: tests wait for its end.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

pub(crate) fn ledger(url: &str) -> RedisLedger {
    RedisLedger::new(url, "test", &[QUEUE], LedgerSettings::default()).unwrap()
}

/// A job that is unique by its key.
pub(crate) fn job(key: &str) -> NewJob {
    NewJob {
        id: None,
        name: "probe".into(),
        queue: QUEUE,
        key: key.into(),
        payload: "{}".into(),
        words: format!("probe {key}"),
        cause: "test".into(),
        max_attempts: 5,
        delay: Duration::ZERO,
        room: u64::MAX,
        on_demand: false,
    }
}

/// Takes a job that must be there.
pub(crate) async fn take(ledger: &RedisLedger, lease: Duration) -> Taken {
    match ledger.take(&[QUEUE], "w", lease).await.unwrap() {
        Take::Job(taken) => *taken,
        Take::Nothing { next_in } => panic!("nothing to take; the next is in {next_in:?}"),
    }
}

/// Pushes jobs, takes them and finishes them as a worker does, errors or not, until each of these is done at least once. Prints what it
/// took, unless `what` is empty. Then nothing is under way and no key is held.
pub(crate) async fn works(ledger: &RedisLedger, keys: &[&str], what: &str) {
    let begun = Instant::now();
    let mut first = None;
    let mut left: Vec<&str> = keys.to_vec();
    let mut last = String::new();
    while !left.is_empty() {
        assert!(begun.elapsed() < PATIENCE, "{what}: {left:?} are not done: {last}");
        match step(ledger, &left).await {
            Ok(Some(done)) => {
                first.get_or_insert(begun.elapsed());
                left.retain(|key| *key != done);
            }
            Ok(None) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(error) => {
                last = error.to_string();
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    let (first, all) = (first.unwrap_or_default().as_secs_f64(), begun.elapsed().as_secs_f64());
    if !what.is_empty() {
        println!("{what}: the first job was done {first:.1} s later, all after {all:.1} s; last error: {last}");
    }
    let counts = ledger.counts().await.unwrap();
    for state in [State::Queued, State::Scheduled, State::Running, State::Dead] {
        assert_eq!(counts[0].of(state), 0, "{what}: {counts:?}");
    }
    let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
    for standing in ledger.standing(&keys).await.unwrap() {
        assert!(standing.under_way.is_none() && standing.failed_at.is_none(), "{what}: {standing:?}");
    }
}

async fn step(ledger: &RedisLedger, left: &[&str]) -> apalis_ledger::Result<Option<String>> {
    ledger.rescue().await?;
    if let Take::Job(taken) = ledger.take(&[QUEUE], "w", LEASE).await? {
        // The end of a job whose taking was lost counts for nothing.
        let finished = ledger.finish(&taken.claim, &Outcome::Done).await?;
        return Ok((finished == Finished::AsSaid).then_some(taken.record.key));
    }
    // As the schedule does: whatever is due and not under way is pushed.
    for key in left {
        ledger.push(&job(key)).await?;
    }
    Ok(None)
}
