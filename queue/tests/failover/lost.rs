//! A replica is promoted that had not received the last writes.

use std::time::Instant;

use apalis_ledger::{Finished, Inspection as _, JobQueue as _, Outcome, Pushed, Renewed};

use crate::servers::{PATIENCE, Proxy, Redis};
use crate::work::{LEASE, job, ledger, take, works};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost_writes_cost_time_and_leave_nothing_claimed() {
    let mut first = Redis::start(&[]);
    let proxy = Proxy::before(&first).await;
    let worker = ledger(&proxy.url);
    worker.push(&job("taken before")).await.unwrap();
    let taken_before = take(&worker, LEASE).await;
    worker.push(&job("finished after")).await.unwrap();
    let second = Redis::replica_of(&first).await;
    first.until_replicated().await;
    // From here on the replica hears nothing: nobody listens at that port.
    second.run("REPLICAOF 127.0.0.1 1").await;
    second.until_info("master_link_status:down").await;
    let finished_after = take(&worker, LEASE).await;
    assert_eq!(worker.finish(&finished_after.claim, &Outcome::Done).await.unwrap(), Finished::AsSaid);
    worker.push(&job("taken after")).await.unwrap();
    let taken_after = take(&worker, LEASE).await;
    worker.push(&job("pushed after")).await.unwrap();
    first.kill();
    second.run("REPLICAOF NO ONE").await;
    proxy.lead_to(&second);
    let begun = Instant::now();
    while worker.ping().await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the new master is not reached");
    }
    // A worker hears that its claim was lost, and the end that it tells changes nothing.
    assert_eq!(worker.renew(&taken_after.claim, LEASE).await.unwrap(), Renewed::Lost);
    assert_eq!(worker.finish(&taken_after.claim, &Outcome::Done).await.unwrap(), Finished::Lost);
    // A job that was taken before is still its worker's.
    assert_eq!(worker.renew(&taken_before.claim, LEASE).await.unwrap(), Renewed::Held);
    // Jobs that were lost hold no key.
    assert!(matches!(worker.push(&job("taken after")).await.unwrap(), Pushed::Queued(_)));
    // A job whose end was lost is done once more; one whose worker never comes back is reclaimed.
    let keys = ["taken before", "finished after", "taken after", "pushed after"];
    works(&worker, &keys, "lost writes").await;
}
