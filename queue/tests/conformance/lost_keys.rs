//! Keys of the ledger that are lost, by an eviction or by hand: no unique key is held for ever.

use std::time::Duration;

use apalis_ledger::{LedgerSettings, NewAction, NewJob, Outcome, Pushed, State, Take, WorkerInfo};
use sqlx::{Connection as _, SqliteConnection};

use crate::lab::{Lab, QUEUES, QUICK, SLOW, both, new_job};

const TABLES: [&str; 7] = ["job", "failure", "paused", "worker", "tick", "action", "ended_hour"];

impl Lab {
    async fn redis_connection(&self) -> Option<redis::aio::MultiplexedConnection> {
        Some(self.server.as_ref()?.connect().await)
    }

    /// Returns the parts that can be lost: the keys of Redis; the records and the tables of SQLite. The order is the same for the same
    /// contents.
    async fn parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = if let Some(mut connection) = self.redis_connection().await {
            redis::cmd("KEYS").arg("*").query_async(&mut connection).await.unwrap()
        } else {
            let mut file = SqliteConnection::connect(&format!("sqlite://{}", self.file().display())).await.unwrap();
            let ids: Vec<String> = sqlx::query_scalar("SELECT id FROM job").fetch_all(&mut file).await.unwrap();
            ids.into_iter().chain(TABLES.map(str::to_owned)).collect()
        };
        parts.sort_unstable();
        parts
    }

    async fn lose(&self, part: &str) {
        if let Some(mut connection) = self.redis_connection().await {
            redis::cmd("DEL").arg(part).query_async::<()>(&mut connection).await.unwrap();
            return;
        }
        let mut file = SqliteConnection::connect(&format!("sqlite://{}", self.file().display())).await.unwrap();
        if TABLES.contains(&part) {
            let sql = sqlx::AssertSqlSafe(format!("DELETE FROM {part}"));
            sqlx::query(sql).execute(&mut file).await.unwrap();
        } else {
            sqlx::query("DELETE FROM job WHERE id = ?1").bind(part).execute(&mut file).await.unwrap();
        }
    }

    async fn lose_everything(&self) {
        for part in self.parts().await {
            self.lose(&part).await;
        }
    }
}

/// A ledger with something under every key: jobs that run, wait, wait for their time, and have ended.
async fn fill(lab: &Lab) {
    for (key, outcome) in [("done", Outcome::Done), ("dead", Outcome::Dead { error: "e".into() })] {
        lab.queues.push(&NewJob { on_demand: true, ..new_job(QUICK, key) }).await.unwrap();
        let taken = lab.take(&[QUICK]).await;
        lab.queues.finish(&taken.claim, &outcome).await.unwrap();
    }
    // Its worker vanishes.
    lab.queues.push(&new_job(QUICK, "running")).await.unwrap();
    lab.take(&[QUICK]).await;
    lab.queues.push(&new_job(QUICK, "queued")).await.unwrap();
    let delay = Duration::from_secs(60);
    lab.queues.push(&NewJob { delay, ..new_job(QUICK, "scheduled") }).await.unwrap();
    let worker = WorkerInfo {
        name: "w".into(),
        host: "h".into(),
        pid: 7,
        queues: vec![QUICK],
        slots: 1,
        since: lab.queues.time().await.unwrap(),
        running: Vec::new(),
    };
    lab.queues.beat(&worker).await.unwrap();
    lab.queues.pause(SLOW, true).await.unwrap();
    lab.queues.claim_tick("refresh", lab.queues.time().await.unwrap()).await.unwrap();
    let action = NewAction { who: "w".into(), peer: "p".into(), what: "x".into() };
    lab.queues.note_action(&action).await.unwrap();
}

/// Lets time pass with a worker that does whatever it finds, until what waited and what was leased is over.
async fn pass(lab: &Lab) {
    for step in 1..=12 {
        lab.shift(step * 15_000);
        lab.queues.rescue().await.unwrap();
        while let Take::Job(taken) = lab.queues.take(&QUEUES, "w2", Duration::from_secs(20)).await.unwrap() {
            assert!(lab.queues.finish(&taken.claim, &Outcome::Done).await.unwrap().held());
        }
    }
}

both! {
    async fn whichever_key_is_lost_every_unique_job_can_run_again(lab: Lab) {
        fill(&lab).await;
        let parts = lab.parts().await.len();
        assert!(parts >= 12, "{:?}", lab.parts().await);
        for n in 0..parts {
            lab.shift(0);
            lab.lose_everything().await;
            fill(&lab).await;
            let lost = lab.parts().await.swap_remove(n);
            lab.lose(&lost).await;
            pass(&lab).await;
            let keys = ["running", "queued", "scheduled", "done", "dead"].map(str::to_owned);
            for (key, standing) in keys.iter().zip(lab.queues.standing(&keys).await.unwrap()) {
                assert_eq!(standing.under_way, None, "{key} without {lost}");
                let pushed = lab.queues.push(&new_job(QUICK, key)).await.unwrap();
                assert!(matches!(pushed, Pushed::Queued(_)), "{key} without {lost}: {pushed:?}");
                lab.queues.finish(&lab.take(&[QUICK]).await.claim, &Outcome::Done).await.unwrap();
            }
            assert_eq!(lab.queues.rescue().await.unwrap().mended, 0, "nothing is left to mend without {lost}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_that_are_lost_are_held_again_by_the_jobs_under_way() {
    let lab = Lab::redis(LedgerSettings::default()).await;
    fill(&lab).await;
    lab.lose("{test}:jobs:claims").await;
    let rescued = lab.queues.rescue().await.unwrap();
    assert_eq!((rescued.mended, rescued.queued, rescued.dead), (3, 0, 0));
    for (key, held) in [("running", State::Running), ("queued", State::Queued), ("scheduled", State::Scheduled)] {
        let pushed = lab.queues.push(&new_job(QUICK, key)).await.unwrap();
        assert!(matches!(pushed, Pushed::Already { state, .. } if state == held), "{key}: {pushed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_lost_comes_back_in_bounded_steps() {
    let lab = Lab::redis(LedgerSettings::default()).await;
    for n in 0..2_000 {
        lab.queues.push(&new_job(QUICK, &n.to_string())).await.unwrap();
    }
    lab.lose("{test}:jobs:quick:queued").await;
    assert!(lab.nothing(&[QUICK]).await);
    let (mut mended, mut steps) = (0, 0);
    while mended < 2_000 {
        let step = lab.queues.rescue().await.unwrap().mended;
        assert!(step < 500, "{step} in one step");
        (mended, steps) = (mended + step, steps + 1);
        assert!(steps < 50, "{mended} after {steps} steps");
    }
    for n in 0..2_000 {
        assert_eq!(lab.take(&[QUICK]).await.record.key, n.to_string(), "in their order");
    }
}
