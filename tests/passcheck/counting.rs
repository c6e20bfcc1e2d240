//! Passwords that are counted from reports: each report once, however late it comes and however often the count runs.

use serde_json::{Value, json};
use sview::Services;
use sview_jobs::{Cause, PRODUCERS, WorkerSettings, run_now, work_until_idle};
use sview_model::{HashKind, HashPrefix};
use sview_testing::{Deployment, both};

use crate::places;
use crate::site::{NOW, ingest, refresh};

async fn services(deployment: &Deployment) -> Services {
    places::services(deployment, NOW, &[]).await
}

/// Runs the producer and what it queues.
async fn count(services: &Services) {
    let producer = PRODUCERS.iter().find(|producer| producer.name == "count-passwords").unwrap();
    run_now(&services.jobs, producer, Cause::Operator).await.unwrap();
    let worked = work_until_idle(&services.jobs, &Cause::Operator, 1, &WorkerSettings::default()).await.unwrap();
    assert!(worked.dead.is_empty(), "{:?}", worked.dead);
}

/// Count, first and last day of a password, by both kinds of hashes, which must agree.
async fn seen(services: &Services, password: &str) -> Value {
    let by_sha1 = seen_by(services, HashKind::Sha1, password).await;
    assert_eq!(by_sha1, seen_by(services, HashKind::Ntlm, password).await, "{password}");
    by_sha1
}

async fn seen_by(services: &Services, kind: HashKind, password: &str) -> Value {
    let hash = kind.of(password);
    let found = services.reports.passwords().seen(kind, hash.prefix()).await.unwrap();
    let day = |time: Option<chrono::DateTime<chrono::Utc>>| time.map(|t| t.format("%m-%d").to_string());
    found.get(&hash).map_or(Value::Null, |s| json!([s.count, day(s.first_seen), day(s.last_seen)]))
}

both! {
    async fn every_report_counts_once_however_often_and_late(deployment: Deployment) {
        let hostile = "<script>'; DROP TABLE passwords;--\n密码";
        ingest(&deployment, &[
            ("2026-03-10T10:00:00Z", 2, "secret"), ("2026-03-10T11:00:00Z", 1, "secret"), ("2026-03-12T10:00:00Z", 4, "secret"),
            ("2026-03-12T10:00:00Z", 1, hostile), ("2026-03-12T10:00:00Z", 9, ""), ("2026-03-15T12:00:00Z", 5, "today"),
        ]);
        let services = services(&deployment).await;
        assert_eq!(seen(&services, "secret").await, Value::Null);
        refresh(&deployment);
        for _ in 0..3 {
            assert_eq!(seen(&services, "secret").await, json!([7, "03-10", "03-12"]));
            assert_eq!(seen(&services, hostile).await, json!([1, "03-12", "03-12"]));
            assert_eq!(seen(&services, "").await, json!([9, "03-12", "03-12"]));
            assert_eq!(seen(&services, "today").await, Value::Null, "the day is not over");
            count(&services).await;
        }
        let revision = services.reports.passwords().revision().await.unwrap();
        count(&services).await;
        assert_eq!(services.reports.passwords().revision().await.unwrap(), revision, "nothing to do, nothing done");

        // Reports that come late: for days that were counted, and for one that was not there.
        ingest(&deployment, &[("2026-03-10T10:00:00Z", 10, "secret"), ("2026-03-08T10:00:00Z", 100, "secret"), ("2026-03-13T10:00:00Z", 1, "late")]);
        refresh(&deployment);
        count(&services).await;
        assert_eq!(seen(&services, "secret").await, json!([117, "03-08", "03-12"]));
        assert_eq!(seen(&services, "late").await, json!([1, "03-13", "03-13"]));
        assert_eq!(seen(&services, hostile).await, json!([1, "03-12", "03-12"]));

        // Several at once.
        ingest(&deployment, &[("2026-03-11T10:00:00Z", 1000, "secret")]);
        deployment.sql("UPDATE sview_password_state SET watermark = NULL").await;
        refresh(&deployment);
        let step = || services.reports.passwords().count();
        let (a, b, c, d) = tokio::join!(step(), step(), step(), step());
        a.and(b).and(c).and(d).unwrap();
        assert_eq!(seen(&services, "secret").await, json!([1117, "03-08", "03-12"]));
        // The web process knows all prefixes.
        for kind in HashKind::ALL {
            let mut known = services.reports.passwords().prefixes(*kind).await.unwrap();
            known.sort();
            let mut expected: Vec<HashPrefix> = ["secret", hostile, "", "late"].iter().map(|p| kind.of(p).prefix()).collect();
            expected.sort();
            assert_eq!(known, expected);
        }
    }

    async fn a_day_that_cannot_be_counted_holds_up_no_later_one(deployment: Deployment) {
        ingest(&deployment, &[("2026-03-10T10:00:00Z", 3, "secret"), ("2026-03-12T10:00:00Z", 4, "secret")]);
        let services = services(&deployment).await;
        refresh(&deployment);
        count(&services).await;
        assert_eq!(seen(&services, "secret").await, json!([7, "03-10", "03-12"]));
        // The first day's count is damaged, and the last day's is deleted: that one counts again.
        let body = if deployment.redis_url.is_some() { r"'\x01ffff'" } else { "x'01ffff'" };
        let days = "FROM sview_password_day";
        assert_eq!(deployment.sql(&format!("UPDATE sview_password_day SET body = {body} WHERE bucket = (SELECT min(bucket) {days})")).await, 1);
        assert_eq!(deployment.sql(&format!("DELETE {days} WHERE bucket = (SELECT max(bucket) {days})")).await, 1);
        deployment.sql("UPDATE sview_password_state SET watermark = NULL").await;
        for _ in 0..2 {
            assert!(services.reports.passwords().count().await.is_err());
            assert_eq!(seen(&services, "secret").await, json!([11, "03-10", "03-12"]));
        }
        // The day is tried again, and counted once it can be.
        assert_eq!(deployment.sql(&format!("DELETE {days} WHERE bucket = (SELECT min(bucket) {days})")).await, 1);
        assert_eq!(services.reports.passwords().count().await.unwrap(), 1);
        assert_eq!(seen(&services, "secret").await, json!([14, "03-10", "03-12"]));
    }

    async fn where_another_program_counts_only_what_it_does_not_is_told_of_the_reports(deployment: Deployment) {
        ingest(&deployment, &[("2026-03-10T10:00:00Z", 2, "secret")]);
        let services = services(&deployment).await;
        refresh(&deployment);
        assert_eq!(seen(&services, "secret").await, json!([2, "03-10", "03-10"]));
        let other = places::services(&deployment, NOW, &["--count-passwords", "false"]).await;
        ingest(&deployment, &[("2026-03-10T10:00:00Z", 5, "secret"), ("2026-03-11T10:00:00Z", 1, "secret"), ("2026-03-11T10:00:00Z", 1, "ours")]);
        other.jobs.statistics.aggregate(sview_model::Kind::Passwords, sview_model::Precision::Daily, NOW.parse().unwrap()).await.unwrap();
        count(&other).await;
        let [sha1, ntlm] = [HashKind::Sha1, HashKind::Ntlm].map(|kind| kind.of("secret").prefix());
        let known = async |services: &Services, kind: HashKind| {
            let mut known = services.reports.passwords().prefixes(kind).await.unwrap();
            known.sort();
            known
        };
        // Nobody else counts by NTLM: nothing counts twice there.
        let mut ours = vec![ntlm, HashKind::Ntlm.of("ours").prefix()];
        ours.sort();
        assert_eq!(known(&other, HashKind::Ntlm).await, ours);
        assert_eq!(seen_by(&other, HashKind::Ntlm, "secret").await, json!([8, "03-10", "03-11"]));
        assert_eq!(seen_by(&other, HashKind::Sha1, "secret").await, Value::Null, "the other program has not");
        assert_eq!(known(&other, HashKind::Sha1).await, []);
        // By SHA-1 only the other's count is told, and only of what it counted; the days are what the reports say.
        let hash = HashKind::Sha1.of("secret").to_hex(HashKind::Sha1);
        deployment.sql(&format!("INSERT INTO passwords_pwned (password_hash, password_source, password_count) VALUES ('{hash}', 'telnet', 9)")).await;
        assert_eq!(seen_by(&other, HashKind::Sha1, "secret").await, json!([9, "03-10", "03-11"]));
        assert_eq!(known(&other, HashKind::Sha1).await, [sha1]);
        assert_eq!(seen_by(&other, HashKind::Sha1, "ours").await, Value::Null);
        // Nothing is lost: it is told as soon as that is asked for.
        assert_eq!(seen_by(&services, HashKind::Sha1, "secret").await, json!([17, "03-10", "03-11"]));
        assert_eq!(seen(&services, "ours").await, json!([1, "03-11", "03-11"]));
    }
}
