//! Pushing, taking, leases, time and retention.

use std::time::Duration;

use apalis_ledger::{CancelOutcome, Error, Finished, LedgerSettings, NewJob, Outcome, Pushed, Renewed, State, Take};
use chrono::{DateTime, TimeDelta};
use sqlx::{Connection as _, SqliteConnection};

use crate::lab::{QUICK, SLOW, URGENT, both, new_job};

const LEASE: Duration = Duration::from_secs(20);

both! {
    async fn of_a_hundred_concurrent_pushes_of_one_key_one_is_queued(lab: Lab) {
        let other = lab.another().await;
        let pushes = (0..100).map(|n| {
            let queues = if n % 2 == 0 { lab.queues.clone() } else { other.clone() };
            tokio::spawn(async move { queues.push(&new_job(QUICK, "same")).await.unwrap() })
        });
        let (mut queued, mut already) = (Vec::new(), Vec::new());
        for push in futures::future::join_all(pushes).await {
            match push.unwrap() {
                Pushed::Queued(id) => queued.push(id),
                Pushed::Already { id, state } => already.push((id, state)),
            }
        }
        assert_eq!((queued.len(), already.len()), (1, 99));
        assert!(already.iter().all(|(id, state)| *id == queued[0] && *state == State::Queued));
    }

    async fn many_jobs_are_queued_in_one_step_and_each_is_told_apart(
        lab: Lab,
        LedgerSettings { bound: 3, ..Default::default() }
    ) {
        assert!(lab.queues.push_all(&[]).await.unwrap().is_empty());
        let Pushed::Queued(held) = lab.queues.push(&new_job(SLOW, "held")).await.unwrap() else { panic!("held") };
        let later = NewJob { delay: Duration::from_secs(60), ..new_job(QUICK, "later") };
        let jobs = [
            new_job(QUICK, "one"), new_job(SLOW, "held"), later, new_job(QUICK, "one"), new_job(QUICK, "two"),
            new_job(QUICK, "three"), new_job(URGENT, "a"),
        ];
        let pushed = lab.queues.push_all(&jobs).await.unwrap();
        let [Ok(Pushed::Queued(one)), Ok(already), Ok(Pushed::Queued(_)), Ok(again), Ok(Pushed::Queued(_)), Err(full), Ok(Pushed::Queued(_))] =
            &pushed[..] else { panic!("{pushed:?}") };
        assert_eq!(*already, Pushed::Already { id: held, state: State::Queued });
        assert_eq!(*again, Pushed::Already { id: *one, state: State::Queued });
        assert!(matches!(full, Error::Full { queue: QUICK, waiting: 3 }), "{full}");
        let record = lab.queues.get(*one).await.unwrap().unwrap();
        assert_eq!((record.key.as_str(), record.queue, record.state), ("one", QUICK, State::Queued));
        let mut order = Vec::new();
        for _ in 0..4 {
            order.push(lab.take(&[URGENT, QUICK, SLOW]).await.record.key);
        }
        assert_eq!(order, ["a", "one", "two", "held"]);
    }

    async fn a_key_is_free_after_every_ending(lab: Lab) {
        let endings = [Outcome::Done, Outcome::Dead { error: "e".into() }, Outcome::Cancelled];
        for outcome in endings {
            let Pushed::Queued(id) = lab.queues.push(&new_job(QUICK, "k")).await.unwrap() else { panic!("held") };
            let taken = lab.take(&[QUICK]).await;
            assert_eq!(
                lab.queues.push(&new_job(QUICK, "k")).await.unwrap(),
                Pushed::Already { id, state: State::Running }
            );
            assert!(lab.queues.finish(&taken.claim, &outcome).await.unwrap().held());
            assert!(!lab.queues.finish(&taken.claim, &Outcome::Done).await.unwrap().held(), "nothing ends twice");
        }
    }

    async fn queues_are_served_in_strict_order_then_oldest_first(lab: Lab) {
        for (queue, key) in [
            (SLOW, "s1"), (QUICK, "q1"), (QUICK, "q2"), (URGENT, "a1"), (QUICK, "q3"),
            (URGENT, "a2"),
        ] {
            lab.queues.push(&new_job(queue, key)).await.unwrap();
        }
        let mut order = Vec::new();
        for _ in 0..5 {
            order.push(lab.take(&[URGENT, QUICK]).await.record.key);
        }
        assert_eq!(order, ["a1", "a2", "q1", "q2", "q3"]);
        assert!(lab.nothing(&[URGENT, QUICK]).await);
        assert_eq!(lab.take(&[SLOW]).await.record.key, "s1");
    }

    async fn a_scheduled_job_waits_for_its_time(lab: Lab) {
        let job = NewJob { delay: Duration::from_secs(60), ..new_job(QUICK, "later") };
        let Pushed::Queued(id) = lab.queues.push(&job).await.unwrap() else { panic!("held") };
        assert_eq!(lab.queues.get(id).await.unwrap().unwrap().state, State::Scheduled);
        let Take::Nothing { next_in: Some(next) } = lab.queues.take(&[QUICK], "w", LEASE).await.unwrap() else {
            panic!("taken before its time, or forgotten")
        };
        assert!(next > Duration::from_secs(50) && next <= Duration::from_secs(60), "{next:?}");
        lab.shift(61_000);
        assert_eq!(lab.take(&[QUICK]).await.record.id, id);
    }

    async fn a_full_queue_refuses_and_the_others_do_not(lab: Lab, LedgerSettings { bound: 3, ..Default::default() }) {
        for n in 0..3 {
            lab.queues.push(&new_job(QUICK, &format!("k{n}"))).await.unwrap();
        }
        let full = lab.queues.push(&new_job(QUICK, "k3")).await.unwrap_err();
        assert!(matches!(full, Error::Full { queue: QUICK, waiting: 3 }), "{full}");
        lab.queues.push(&new_job(URGENT, "k3")).await.unwrap();
    }

    async fn attempts_count_from_the_taking_and_errors_are_kept(lab: Lab) {
        lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
        for attempt in 1..=2 {
            let taken = lab.take(&[QUICK]).await;
            assert_eq!(taken.record.attempts, attempt);
            let retry = Outcome::Retry { after: Duration::ZERO, error: format!("no luck\n{attempt}") };
            assert!(lab.queues.finish(&taken.claim, &retry).await.unwrap().held());
        }
        let taken = lab.take(&[QUICK]).await;
        lab.queues.finish(&taken.claim, &Outcome::Dead { error: "enough".into() }).await.unwrap();
        let record = lab.queues.get(taken.record.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.attempts), (State::Dead, 3));
        let errors: Vec<_> = record.errors.iter().map(|e| (e.attempt, e.message.as_str())).collect();
        assert_eq!(errors, [(1, "no luck\\n1"), (2, "no luck\\n2"), (3, "enough")]);
        assert!(record.waited().is_some() && record.ran().is_some());
    }

    async fn what_is_handed_back_was_never_taken(lab: Lab) {
        lab.queues.push(&new_job(QUICK, "first")).await.unwrap();
        lab.queues.push(&new_job(QUICK, "second")).await.unwrap();
        let taken = lab.take(&[QUICK]).await;
        assert!(lab.queues.finish(&taken.claim, &Outcome::Released).await.unwrap().held());
        let again = lab.take(&[QUICK]).await;
        assert_eq!((again.record.key.as_str(), again.record.attempts), ("first", 1));
        assert_eq!(lab.queues.renew(&taken.claim, LEASE).await.unwrap(), Renewed::Lost);
    }

    async fn the_job_of_a_vanished_worker_is_anothers_and_its_own_no_more(lab: Lab) {
        lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
        let lost = lab.take(&[QUICK]).await;
        lab.shift(21_000);
        assert_eq!(lab.queues.rescue().await.unwrap().queued, 0, "a suspect at first");
        lab.shift(32_000);
        assert_eq!(lab.queues.rescue().await.unwrap().queued, 1);
        let taken = lab.take(&[QUICK]).await;
        assert_eq!((taken.record.id, taken.record.attempts), (lost.record.id, 2));
        assert!(taken.record.errors[0].message.contains("vanished"), "{:?}", taken.record.errors);
        assert_eq!(lab.queues.renew(&lost.claim, LEASE).await.unwrap(), Renewed::Lost);
        assert!(!lab.queues.finish(&lost.claim, &Outcome::Done).await.unwrap().held());
        assert!(lab.queues.finish(&taken.claim, &Outcome::Done).await.unwrap().held());
    }

    async fn what_is_cancelled_while_it_runs_does_not_run_again_however_its_attempt_ends(lab: Lab) {
        let retry = Outcome::Retry { after: Duration::ZERO, error: "no luck".into() };
        for outcome in [retry, Outcome::Released] {
            lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
            let taken = lab.take(&[QUICK]).await;
            assert_eq!(lab.queues.cancel(taken.record.id).await.unwrap(), CancelOutcome::Asked);
            assert_eq!(lab.queues.finish(&taken.claim, &outcome).await.unwrap(), Finished::Cancelled);
            let record = lab.queues.get(taken.record.id).await.unwrap().unwrap();
            assert_eq!((record.state, record.cancel_asked), (State::Cancelled, false));
            assert!(record.finished_at.is_some());
        }
        // Its worker vanishes.
        lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
        let lost = lab.take(&[QUICK]).await;
        lab.queues.cancel(lost.record.id).await.unwrap();
        for at in [21_000, 32_000] {
            lab.shift(at);
            assert_eq!(lab.queues.rescue().await.unwrap().queued, 0);
        }
        let record = lab.queues.get(lost.record.id).await.unwrap().unwrap();
        assert_eq!((record.state, record.errors.len()), (State::Cancelled, 1));
        assert!(lab.nothing(&[QUICK]).await);
        // It can be wanted again, and then the old wish is forgotten.
        lab.queues.retry(lost.record.id).await.unwrap();
        let taken = lab.take(&[QUICK]).await;
        assert_eq!(lab.queues.renew(&taken.claim, LEASE).await.unwrap(), Renewed::Held);
        // A job that succeeded before the cancellation stays done.
        lab.queues.cancel(taken.record.id).await.unwrap();
        assert_eq!(lab.queues.finish(&taken.claim, &Outcome::Done).await.unwrap(), Finished::AsSaid);
        assert_eq!(lab.queues.get(taken.record.id).await.unwrap().unwrap().state, State::Done);
    }

    async fn a_job_that_kills_its_workers_dies(lab: Lab) {
        lab.queues.push(&new_job(QUICK, "poison")).await.unwrap();
        let mut at = 0;
        for attempt in 1..=3 {
            let taken = lab.take(&[QUICK]).await;
            assert_eq!(taken.record.attempts, attempt);
            for _ in 0..2 {
                at += 21_000;
                lab.shift(at);
                lab.queues.rescue().await.unwrap();
            }
        }
        assert!(lab.nothing(&[QUICK]).await);
        let standing = lab.queues.standing(&["poison".into()]).await.unwrap();
        assert!(standing[0].under_way.is_none() && standing[0].failed_at.is_some());
        let dead = lab.queues.list(&Default::default()).await.unwrap();
        assert_eq!((dead[0].state, dead[0].errors.len()), (State::Dead, 3));
    }

    async fn a_clock_that_jumps_ahead_robs_nobody_who_renews(lab: Lab) {
        lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
        let taken = lab.take(&[QUICK]).await;
        lab.shift(3_600_000);
        lab.queues.rescue().await.unwrap();
        assert_eq!(lab.queues.renew(&taken.claim, LEASE).await.unwrap(), Renewed::Held);
        lab.shift(3_600_000 + 15_000);
        assert_eq!(lab.queues.rescue().await.unwrap(), Default::default());
        assert!(lab.queues.finish(&taken.claim, &Outcome::Done).await.unwrap().held());
    }

    async fn a_clock_that_jumps_back_holds_up_nothing(lab: Lab) {
        lab.shift(3_600_000);
        lab.queues.push(&new_job(QUICK, "leased")).await.unwrap();
        let vanished = lab.take(&[QUICK]).await;
        lab.queues.push(&new_job(QUICK, "ready")).await.unwrap();
        let delayed = NewJob { delay: Duration::from_secs(60), ..new_job(QUICK, "delayed") };
        lab.queues.push(&delayed).await.unwrap();
        lab.shift(0);
        assert_eq!(lab.take(&[QUICK]).await.record.key, "ready");
        lab.queues.rescue().await.unwrap();
        for at in [22_000, 33_000, 62_000] {
            lab.shift(at);
            lab.queues.rescue().await.unwrap();
        }
        let mut keys = Vec::new();
        while let Take::Job(taken) = lab.queues.take(&[QUICK], "w", LEASE).await.unwrap() {
            keys.push(taken.record.key);
        }
        keys.sort();
        assert_eq!(keys, ["delayed", "leased", "ready"], "each at its time, or its worker's, and not an hour later");
        assert_eq!(lab.queues.renew(&vanished.claim, LEASE).await.unwrap(), Renewed::Lost);
    }

    async fn failures_are_remembered_until_success(lab: Lab) {
        let keys = ["x".to_owned(), "k".to_owned(), "other".to_owned()];
        lab.queues.push(&new_job(QUICK, "k")).await.unwrap();
        let taken = lab.take(&[QUICK]).await;
        lab.queues.finish(&taken.claim, &Outcome::Dead { error: "e".into() }).await.unwrap();
        let Pushed::Queued(id) = lab.queues.push(&new_job(QUICK, "k")).await.unwrap() else { panic!("held") };
        let standing = lab.queues.standing(&keys).await.unwrap();
        assert_eq!(standing[1].under_way, Some((id, State::Queued)));
        assert!(standing[1].failed_at.is_some());
        assert_eq!((standing[0], standing[2]), (Default::default(), Default::default()));
        let taken = lab.take(&[QUICK]).await;
        lab.queues.finish(&taken.claim, &Outcome::Done).await.unwrap();
        assert_eq!(lab.queues.standing(&keys).await.unwrap(), vec![Default::default(); 3]);
    }

    async fn a_tick_is_claimed_once_until_its_wall_time_comes_again(lab: Lab) {
        let tick = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let other = lab.another().await;
        let claims = (0..20).map(|n| {
            let queues = if n % 2 == 0 { lab.queues.clone() } else { other.clone() };
            tokio::spawn(async move { queues.claim_tick("refresh", tick).await.unwrap() })
        });
        let claimed = futures::future::join_all(claims).await.into_iter().filter(|c| *c.as_ref().unwrap()).count();
        assert_eq!(claimed, 1);
        assert!(lab.queues.claim_tick("vacuum", tick).await.unwrap(), "another producer's tick is its own");
        assert!(lab.queues.claim_tick("refresh", tick + TimeDelta::minutes(1)).await.unwrap());
        assert_eq!(lab.queues.last_tick("vacuum").await.unwrap(), Some(tick));
        // An hour back: the same wall times come again, and are ticks of their own.
        lab.shift(-3_600_000);
        assert!(lab.queues.claim_tick("refresh", tick).await.unwrap());
        assert!(!lab.queues.claim_tick("refresh", tick).await.unwrap());
        assert_eq!(lab.queues.last_tick("refresh").await.unwrap(), Some(tick));
    }

    async fn ended_jobs_are_kept_for_a_time_and_a_number(lab: Lab,
        LedgerSettings { max_ended: 20, keep: Duration::from_secs(3600), ..Default::default() }
    ) {
        for n in 0..60 {
            lab.queues.push(&new_job(QUICK, &format!("k{n}"))).await.unwrap();
            let taken = lab.take(&[QUICK]).await;
            let outcome = if n == 0 { Outcome::Dead { error: "e".into() } } else { Outcome::Done };
            lab.queues.finish(&taken.claim, &outcome).await.unwrap();
        }
        lab.queues.vacuum().await.unwrap();
        let counts = &lab.queues.counts().await.unwrap()[1];
        assert_eq!((counts.of(State::Done), counts.of(State::Dead)), (20, 1), "the many leave the few in peace");
        let newest = lab.queues.list(&Default::default()).await.unwrap();
        assert_eq!(newest[0].key, "k59");
        lab.shift(3_700_000);
        assert_eq!(lab.queues.vacuum().await.unwrap(), 21);
        assert!(lab.queues.list(&Default::default()).await.unwrap().is_empty());
    }

    async fn of_jobs_that_visitors_cause_fewer_are_kept(lab: Lab, LedgerSettings { max_on_demand: 3, ..Default::default() }) {
        let end = async |key: String, on_demand: bool, outcome: &Outcome| {
            lab.queues.push(&NewJob { on_demand, ..new_job(QUICK, &key) }).await.unwrap();
            let taken = lab.take(&[QUICK]).await;
            lab.queues.finish(&taken.claim, outcome).await.unwrap();
            taken.claim.id
        };
        for n in 0..5 {
            end(format!("own{n}"), false, &Outcome::Done).await;
        }
        let mut last = None;
        for n in 0..10 {
            last = Some(end(format!("visitor{n}"), true, &Outcome::Done).await);
            end(format!("dead{n}"), true, &Outcome::Dead { error: "e".into() }).await;
        }
        lab.queues.vacuum().await.unwrap();
        let keys = async |state: State| {
            let filter = apalis_ledger::Filter { states: vec![state], ..Default::default() };
            lab.queues.list(&filter).await.unwrap().into_iter().map(|record| record.key).collect::<Vec<_>>()
        };
        let kept = ["visitor9", "visitor8", "visitor7", "own4", "own3", "own2", "own1", "own0"];
        assert_eq!(keys(State::Done).await, kept);
        assert_eq!(keys(State::Dead).await, ["dead9", "dead8", "dead7"]);
        // One that is queued again is no longer among those that ended.
        let again = last.unwrap();
        assert_eq!(lab.queues.retry(again).await.unwrap(), Some(Pushed::Queued(again)));
        lab.queues.pause(SLOW, true).await.unwrap();
        let held = lab.take(&[QUICK]).await;
        for n in 10..14 {
            end(format!("visitor{n}"), true, &Outcome::Done).await;
        }
        lab.queues.vacuum().await.unwrap();
        assert_eq!(keys(State::Done).await[..3], ["visitor13", "visitor12", "visitor11"]);
        assert!(lab.queues.finish(&held.claim, &Outcome::Done).await.unwrap().held(), "it is still there");
    }

    async fn of_deaths_a_bounded_number_is_known(lab: Lab) {
        // As if ten thousand keys had died in the last quarter of a minute.
        let now = lab.queues.time().await.unwrap().timestamp_millis();
        if let Some(server) = &lab.server {
            let script = "for n = 0, 9999 do redis.call('ZADD', '{test}:jobs:failures', ARGV[1] - 10000 + n, n) end";
            let mut connection = server.connect().await;
            redis::cmd("EVAL").arg(script).arg(0).arg(now).query_async::<()>(&mut connection).await.unwrap();
        } else {
            let sql = "WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 9999)
                 INSERT INTO failure (key, at) SELECT CAST(n AS TEXT), ?1 - 10000 + n FROM n";
            let mut file = SqliteConnection::connect(&format!("sqlite://{}", lab.file().display())).await.unwrap();
            sqlx::query(sql).bind(now).execute(&mut file).await.unwrap();
        }
        for key in ["first", "second"] {
            lab.queues.push(&new_job(QUICK, key)).await.unwrap();
            let taken = lab.take(&[QUICK]).await;
            lab.queues.finish(&taken.claim, &Outcome::Dead { error: "e".into() }).await.unwrap();
        }
        lab.queues.vacuum().await.unwrap();
        let keys = ["0", "1", "2", "9999", "first", "second"].map(str::to_owned);
        let known = lab.queues.standing(&keys).await.unwrap();
        let known: Vec<bool> = known.iter().map(|standing| standing.failed_at.is_some()).collect();
        assert_eq!(known, [false, false, true, true, true, true]);
    }
}
