//! Working until idle, over a real store and over ones that misbehave.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failure

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use sview_jobs::{
    Aggregate, Backoff, CacheResource, Caching, Cause, Context, Greylisting, Job as _, LedgerSettings, Pushed, Queues,
    Skip, Statistics, Verdict, WorkerSettings, cache_resource, consider, consider_all, refresh, sqlite_ledger, suggest,
    work_until_idle,
};
use sview_model::{Batch, Clock, Data, Kind, Parameters, Password, Period, Precision, Request};
use sview_store::{Computed, Coverage, Reports, Settings, SqliteCache, Step};

fn now() -> DateTime<Utc> {
    "2026-03-15T12:34:56Z".parse().unwrap()
}

async fn context(statistics: impl Statistics, directory: &tempfile::TempDir) -> Context {
    let clock = Clock::Frozen(now());
    let ledger = sqlite_ledger(&directory.path().join("jobs.sqlite"), LedgerSettings::default()).await.unwrap();
    let cache = SqliteCache::open(&directory.path().join("cache.sqlite"), clock).await.unwrap();
    let reports = Reports::open("sqlite://:memory:", Settings::default()).unwrap();
    let greylist = Greylisting { reports, settings: Arc::default() };
    Context { statistics: Arc::new(statistics), cache: Arc::new(cache), queues: Queues::new(ledger), greylist, clock }
}

fn quick() -> WorkerSettings {
    let backoff = Backoff { first: Duration::from_millis(20), factor: 1, max: Duration::from_millis(20) };
    WorkerSettings { backoff: Some(backoff), ..WorkerSettings::default() }
}

/// A store that has aggregated everything, and computes what the test says.
#[derive(Clone)]
struct Fake {
    computed: Arc<AtomicU32>,
    fails: fn(&Request) -> bool,
    /// How often late reports were aggregated.
    revision: Arc<AtomicI64>,
    /// Whether the database is away.
    away: Arc<AtomicBool>,
}

impl Fake {
    fn new(fails: fn(&Request) -> bool) -> Self {
        Self { computed: Arc::default(), fails, revision: Arc::default(), away: Arc::default() }
    }
}

#[async_trait]
impl Statistics for Fake {
    async fn aggregate(&self, _: Kind, _: Precision, _: DateTime<Utc>) -> sview_store::Result<Step> {
        Ok(Step::Idle)
    }

    async fn coverage(&self) -> sview_store::Result<Vec<Coverage>> {
        if self.away.load(Ordering::SeqCst) {
            return Err(sview_store::Error::Value("away".into()));
        }
        let all = Kind::ALL.iter().flat_map(|kind| Precision::AGGREGATED.iter().map(|p| (*kind, *p)));
        Ok(all
            .map(|(kind, precision)| Coverage {
                kind,
                precision,
                watermark: Some(precision.due_to(now())),
                pending: 0,
                // Only one precision has a revision, which keeps sums over several simple.
                revision: Some(if precision == Precision::Quarterly {
                    self.revision.load(Ordering::SeqCst)
                } else {
                    0
                }),
            })
            .collect())
    }

    async fn compute(&self, request: &Request, now: DateTime<Utc>) -> sview_store::Result<Computed> {
        self.computed.fetch_add(1, Ordering::SeqCst);
        if (self.fails)(request) {
            return Err(sview_store::Error::Value("cannot".into()));
        }
        let span = request.period().span(now);
        let built_on = request.period().scale().source.built_on();
        let revision = if built_on.is_empty() { 0 } else { self.revision.load(Ordering::SeqCst) };
        Ok(Computed {
            data: Data::empty(&request.resource()),
            span,
            complete_to: span.finish,
            revision,
            reported: None,
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_become_cached_resources_in_every_period() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", directory.path().join("reports.sqlite").display());
    let reports = Reports::open(&url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    let passwords = (0..400).map(|days| Password {
        time: now() - chrono::TimeDelta::days(days) - chrono::TimeDelta::minutes(10),
        raw_count: 1,
        username: "root".into(),
        password: "<script>".into(),
    });
    reports.insert(&Batch { passwords: passwords.collect(), ..Batch::default() }, None).await.unwrap();
    let context = context(reports, &directory).await;
    let worked = work_until_idle(&context, &Cause::Command("refresh"), 2, &quick()).await.unwrap();
    assert!(worked.dead.is_empty(), "{:?}", worked.dead);
    let requests: Vec<_> = Request::precached().collect();
    let keys: Vec<_> = requests.iter().map(Request::key).collect();
    let entries = context.cache.get_many(&keys).await.unwrap();
    for (request, entry) in requests.iter().zip(entries) {
        let entry = entry.unwrap_or_else(|| panic!("{request} is not cached"));
        assert_eq!((entry.finish, entry.complete_to), (request.period().span(now()).finish, entry.finish), "{request}");
        if request.resource().name == "top_passwords_by_usages_list" {
            let days = (request.period().scale().range.num_minutes() / (24 * 60)).max(1);
            assert_eq!(&*entry.json, format!(r#"[{{"password":"<script>","count":{days}}}]"#), "{request}");
        }
    }
    for suggestion in refresh(&context, now(), &Cause::Command("refresh"), true).await.unwrap() {
        assert!(matches!(suggestion.verdict, Verdict::Skip(Skip::UpToDate { .. })), "{suggestion:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_dies_on_the_way_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let fake =
        Fake::new(|request| request.resource().name == "all_ports_by_scans_graph" && request.period() == Period::Year);
    let context = context(fake.clone(), &directory).await;
    let worked = work_until_idle(&context, &Cause::Command("refresh"), 4, &quick()).await.unwrap();
    let words: Vec<_> = worked.dead.iter().map(|record| record.words.as_str()).collect();
    assert_eq!(words, ["caching ports 1y, all 3 resources"]);
    assert_eq!((worked.dead[0].attempts, worked.queued), (5, 21));
    assert_eq!(fake.computed.load(Ordering::SeqCst), 158 + 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_queues_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let context = context(Fake::new(|_| false), &directory).await;
    let suggestions = refresh(&context, now(), &Cause::Command("refresh"), true).await.unwrap();
    assert_eq!(suggestions.iter().filter(|s| s.verdict == Verdict::Queue).count(), 21);
    assert!(context.queues.ledger().list(&Default::default()).await.unwrap().is_empty());
    let queued = refresh(&context, now(), &Cause::Start, false).await.unwrap();
    assert_eq!(queued, suggestions, "a dry run says what a run does");
    let again = refresh(&context, now(), &Cause::Start, false).await.unwrap();
    assert!(again.iter().all(|s| s.verdict != Verdict::Queue));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_askers_for_one_resource_queue_it_once() {
    let directory = tempfile::tempdir().unwrap();
    let context = context(Fake::new(|_| false), &directory).await;
    let attacker = Parameters::Ip("2001:db8::1".parse().unwrap());
    let request = Request::new("selected_attacker_incidents_graph".parse().unwrap(), Period::Week, attacker).unwrap();
    // An aggregation under way does not hold it up: nobody else would suggest it later.
    let aggregation = Aggregate { kind: Kind::Incidents, precision: Precision::Hourly };
    context.queues.enqueue(&aggregation, &Cause::Start).await.unwrap();
    let asked = (0..1000).map(|_| {
        let (context, request) = (context.clone(), request.clone());
        tokio::spawn(async move { suggest(&context, &request, &Cause::Page).await.unwrap().verdict })
    });
    let verdicts = futures::future::join_all(asked).await;
    assert_eq!(verdicts.into_iter().filter(|verdict| *verdict.as_ref().unwrap() == Verdict::Queue).count(), 1);
    let precached = Request::plain("all_incidents_graph".parse().unwrap(), Period::Week).unwrap();
    let verdict = suggest(&context, &precached, &Cause::Page).await.unwrap().verdict;
    assert!(matches!(verdict, Verdict::Skip(Skip::Aggregation { precision: Precision::Hourly, .. })), "{verdict}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_only_what_needs_it_is_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake::new(|_| false);
    fake.away.store(true, Ordering::SeqCst);
    let context = context(fake, &directory).await;
    let attacker = Parameters::Ip("2001:db8::1".parse().unwrap());
    let details = Request::new("selected_attacker_incidents_graph".parse().unwrap(), Period::Week, attacker).unwrap();
    let precached = Request::plain("all_incidents_graph".parse().unwrap(), Period::Week).unwrap();
    let considered = consider_all(&context, &[precached, details], &Cause::Page).await.unwrap();
    let verdicts: Vec<Verdict> = considered.into_iter().map(|suggestion| suggestion.verdict).collect();
    assert_eq!(verdicts, [Verdict::Skip(Skip::DatabaseAway), Verdict::Queue]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn caching_is_idempotent_and_what_belongs_to_devices_is_kept_for_ten_minutes() {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake::new(|_| false);
    let context = context(fake.clone(), &directory).await;
    let devices = Parameters::Devices(vec!["a".repeat(64).parse().unwrap()]);
    let request = Request::new("my_all_incidents_graph".parse().unwrap(), Period::Year, devices).unwrap();
    let cache = async || cache_resource(&*context.statistics, &*context.cache, &request, &context.clock).await.unwrap();
    assert_eq!(cache().await, Caching::Cached);
    assert_eq!(cache().await, Caching::Fresh);
    assert_eq!(fake.computed.load(Ordering::SeqCst), 1);
    let entry = context.cache.get(&request.key()).await.unwrap().unwrap();
    assert_eq!(entry.refresh_at, now() + chrono::TimeDelta::minutes(10));
    assert!(context.cache.list().await.unwrap()[0].ttl <= Duration::from_secs(600));
    context.cache.clear_refresh_times(Period::Year).await.unwrap();
    assert_eq!(cache().await, Caching::Cached, "an operator's wish for a new value is granted");
    // Neither key nor words nor log lines give the token away.
    let job = CacheResource(request);
    assert!(!job.key().contains("aaaaaaaa") && !job.words().contains("aaaaaaaa"));
    assert!(matches!(context.queues.enqueue(&job, &Cause::Page).await.unwrap(), Pushed::Queued(_)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_visitors_ask_for_leaves_room_for_what_is_precached() {
    let directory = tempfile::tempdir().unwrap();
    let context = context(Fake::new(|_| false), &directory).await;
    let mut refused = 0;
    for i in 0..300u32 {
        let attacker = Parameters::Ip(std::net::IpAddr::from(i.to_be_bytes()));
        let request =
            Request::new("selected_attacker_incidents_graph".parse().unwrap(), Period::Hour, attacker).unwrap();
        let suggestion = suggest(&context, &request, &Cause::Page).await.unwrap();
        refused += u32::from(matches!(suggestion.verdict, Verdict::Skip(Skip::QueueFull { .. })));
    }
    assert_eq!(refused, 100);
    let suggestions = refresh(&context, now(), &Cause::Start, false).await.unwrap();
    assert_eq!(suggestions.iter().filter(|s| s.verdict == Verdict::Queue).count(), 21);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn late_reports_make_values_about_a_parameter_due_like_precached_ones() {
    let directory = tempfile::tempdir().unwrap();
    let fake = Fake::new(|_| false);
    let context = context(fake.clone(), &directory).await;
    let parameters = [
        ("selected_attacker_incidents_graph", Parameters::Ip("192.0.2.1".parse().unwrap())),
        ("selected_password_by_usages_graph", Parameters::Password("x".into())),
        ("my_all_incidents_graph", Parameters::Devices(vec!["a".repeat(64).parse().unwrap()])),
        ("all_incidents_graph", Parameters::None),
    ];
    for (name, parameters) in parameters {
        for period in Period::ALL {
            let request = Request::new(name.parse().unwrap(), *period, parameters.clone()).unwrap();
            let cache = async || cache_resource(&*context.statistics, &*context.cache, &request, &context.clock).await;
            assert_eq!(cache().await.unwrap(), Caching::Cached);
            let due =
                async |cause: &Cause| consider(&context, &request, cause).await.unwrap().verdict == Verdict::Queue;
            assert!(!due(&Cause::Page).await && !due(&Cause::Command("refresh")).await, "{request}");
            fake.revision.fetch_add(1, Ordering::SeqCst);
            // The clock stands still, so values of long periods wait for no quarter of an hour. The hour rests on no aggregate.
            assert_eq!(due(&Cause::Page).await, *period != Period::Hour, "{request}");
            assert_eq!(due(&Cause::Command("refresh")).await, *period != Period::Hour, "{request}");
            cache().await.unwrap();
            assert!(!due(&Cause::Command("refresh")).await, "{request}");
        }
    }
}
