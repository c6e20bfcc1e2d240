//! Figures of jobs, and actions on many of them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sview_jobs::{
    Effect, Figures, Filter, JobId, Order, Outcome, Pushed, Renewed, Search, State, Steering, dead_groups, machine_now,
    matching, search, steer,
};
use sview_model::Queue::{QuickCache, SlowCache};

use crate::lab::{both, new_job};

both! {
    async fn jobs_are_found_by_like_errors_by_ids_and_by_run_time(lab: Lab) {
        let errors = ["took longer than 600 s", "took longer than 7200 s", "no such table"];
        let mut at = 0;
        let mut ids = Vec::new();
        for (n, error) in errors.iter().enumerate() {
            let Pushed::Queued(id) = lab.queues.ledger().push(&new_job(QuickCache, &n.to_string())).await.unwrap() else { panic!("held") };
            ids.push(id);
            let taken = lab.take(&[QuickCache]).await;
            // The second takes longest.
            at += [60_000, 3_600_000, 600_000][n];
            lab.shift(at);
            lab.queues.ledger().finish(&taken.claim, &Outcome::Dead { error: (*error).into() }).await.unwrap();
        }
        let Pushed::Queued(waiting) = lab.queues.ledger().push(&new_job(QuickCache, "w")).await.unwrap() else { panic!("held") };
        let find = async |wanted: Search| {
            search(&lab.queues, &wanted).await.unwrap().into_iter().map(|record| record.id).collect::<Vec<_>>()
        };
        let long = Some("took longer than # s".to_owned());
        assert_eq!(find(Search { error: long.clone(), ..Search::default() }).await, [ids[1], ids[0]]);
        assert_eq!(find(Search { error: Some("took".into()), ..Search::default() }).await, []);
        let filter = Filter { limit: 1, ..Filter::default() };
        assert_eq!(find(Search { error: long.clone(), filter: filter.clone(), ..Search::default() }).await, [ids[1]]);
        let by_time = Search { order: Order::Ran, ..Search::default() };
        assert_eq!(find(by_time.clone()).await, [ids[1], ids[2], ids[0], waiting]);
        assert_eq!(find(Search { filter, ..by_time }).await, [ids[1]]);
        let named = Search { ids: vec![ids[0], waiting, JobId::generate()], ..Search::default() };
        assert_eq!(find(named.clone()).await, [waiting, ids[0]]);
        let dead = Filter { states: vec![State::Dead], ..Filter::default() };
        assert_eq!(find(Search { filter: dead, ..named }).await, [ids[0]]);
        let (groups, looked) = dead_groups(&lab.queues).await.unwrap();
        let told: Vec<_> = groups.iter().map(|group| (group.pattern.as_str(), group.count, group.example.as_str())).collect();
        assert_eq!(told, [("took longer than # s", 2, errors[1]), ("no such table", 1, errors[2])]);
        assert_eq!((looked, groups[0].names.as_slice()), (3, &["probe".to_owned()][..]));
        // An action on a group leaves the others alone.
        let group = Search { error: long, ..Search::default() };
        let matching: Vec<_> = matching(&lab.queues, Steering::Retry, &group).await.unwrap().iter().map(|r| r.id).collect();
        assert_eq!(matching, [ids[1], ids[0]]);
    }

    async fn what_ended_is_counted_by_the_hour_though_its_records_are_gone(lab: Lab) {
        let hour = |time: DateTime<Utc>| time.timestamp() / 3600;
        // In the middle of an hour, whenever this runs.
        let middle = 1_800_000 - machine_now().timestamp_millis() % 3_600_000;
        lab.shift(middle);
        let begun = lab.queues.ledger().time().await.unwrap();
        for n in 0..3 {
            lab.queues.ledger().push(&new_job(QuickCache, &n.to_string())).await.unwrap();
            let taken = lab.take(&[QuickCache]).await;
            let outcome = if n == 1 { Outcome::Dead { error: "e".into() } } else { Outcome::Done };
            lab.queues.ledger().finish(&taken.claim, &outcome).await.unwrap();
            assert!(lab.queues.ledger().delete(taken.claim.id).await.unwrap());
            lab.shift(middle + 3_600_000 * (n + 1));
        }
        let Pushed::Queued(id) = lab.queues.ledger().push(&new_job(SlowCache, "c")).await.unwrap() else { panic!("held") };
        lab.queues.ledger().cancel(id).await.unwrap();
        let mut counts = lab.queues.ledger().ended_hourly(begun).await.unwrap();
        counts.sort_by_key(|c| c.start);
        let told: Vec<_> = counts.iter().map(|c| (hour(c.start) - hour(begun), c.queue.as_str(), c.state, c.count)).collect();
        let all = [(0, QuickCache.as_str(), State::Done, 1), (1, QuickCache.as_str(), State::Dead, 1), (2, QuickCache.as_str(), State::Done, 1), (3, SlowCache.as_str(), State::Cancelled, 1)];
        assert_eq!(told, all);
        let figures = Figures::gather(&lab.queues).await.unwrap();
        let quick = figures.iter().find(|f| f.queue == QuickCache).unwrap();
        assert_eq!((quick.done, quick.dead, quick.run_times), (2, 1, None));
        assert_eq!(quick.hours.iter().rev().map(|h| (h.done, h.dead)).take(5).collect::<Vec<_>>(), [(0, 0), (1, 0), (0, 1), (1, 0), (0, 0)]);
        // A day later they are of no interest, and take no room.
        lab.shift(3_600_000 * 48);
        lab.queues.ledger().vacuum().await.unwrap();
        if lab.server.is_none() {
            assert!(lab.queues.ledger().ended_hourly(begun).await.unwrap().is_empty());
        }
        assert!(Figures::gather(&lab.queues).await.unwrap().iter().all(|f| f.failure_rate().is_none()));
    }

    async fn an_action_is_done_to_all_that_match(lab: Lab) {
        for key in ["a", "b", "c"] {
            lab.queues.ledger().push(&new_job(QuickCache, key)).await.unwrap();
        }
        let taken = lab.take(&[QuickCache]).await;
        let found = async |steering, filter: &Filter| -> Vec<JobId> {
            matching(&lab.queues, steering, &filter.clone().into()).await.unwrap().iter().map(|record| record.id).collect()
        };
        let ids = found(Steering::Cancel, &Filter::default()).await;
        assert_eq!(ids.len(), 3);
        let effect = steer(&lab.queues, Steering::Cancel, &ids).await.unwrap();
        assert_eq!(effect, Effect { changed: 2, asked: 1, unchanged: 0 });
        assert_eq!(lab.queues.ledger().renew(&taken.claim, Duration::from_secs(9)).await.unwrap(), Renewed::CancelAsked);
        let ended = Filter { states: vec![State::Cancelled, State::Running], ..Default::default() };
        let ids = found(Steering::Delete, &ended).await;
        assert_eq!(ids.len(), 2, "what runs is not deleted");
        let unknown = [ids[0], ids[1], JobId::generate()];
        let effect = steer(&lab.queues, Steering::Retry, &unknown).await.unwrap();
        assert_eq!(effect, Effect { changed: 2, asked: 0, unchanged: 1 });
        let effect = steer(&lab.queues, Steering::Delete, &unknown).await.unwrap();
        assert_eq!(effect, Effect { changed: 2, asked: 0, unchanged: 1 });
        let nothing = Filter { states: vec![State::Running], ..Default::default() };
        assert_eq!(found(Steering::Delete, &nothing).await, []);
    }
}
