//! A running Sentinel deployment's database, full of rows, is taken over without losing or changing one.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use sview_model::{Data, Kind, Period, Precision, Request};
use sview_store::{Reports, Settings, Step};
use sview_testing::{Backend, Deployment};

/// The tables as the original makes them on plain PostgreSQL, with rows in all of them.
const ORIGINAL: &str = "
CREATE TYPE trap_t AS ENUM ('minipot_ftp', 'minipot_smtp', 'minipot_telnet', 'minipot_http', 'fwlogs');
CREATE TYPE action_t AS ENUM ('connect', 'login', 'message', 'invalid', 'small_port_scan', 'big_port_scan');
CREATE TYPE protocol_t AS ENUM ('TCP', 'UDP', 'other');
CREATE TABLE identity (id bigserial PRIMARY KEY, sn varchar(16) NOT NULL, device_token varchar(64) NOT NULL, UNIQUE (sn, device_token));
CREATE TABLE incidents (time timestamptz NOT NULL, raw_count bigint DEFAULT 1, identity_id bigint NOT NULL REFERENCES identity (id),
  trap trap_t NOT NULL, action action_t NOT NULL, ip inet NOT NULL, country varchar(2));
CREATE TABLE passwords (time timestamptz NOT NULL, raw_count bigint DEFAULT 1, username text NOT NULL, password text NOT NULL);
CREATE TABLE ports (time timestamptz NOT NULL, raw_count bigint DEFAULT 1, port integer NOT NULL, protocol protocol_t NOT NULL);
CREATE TABLE incidents_quarterly (LIKE incidents INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE incidents_hourly (LIKE incidents INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE incidents_daily (LIKE incidents INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE passwords_quarterly (LIKE passwords INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE passwords_hourly (LIKE passwords INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE passwords_daily (LIKE passwords INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE ports_quarterly (LIKE ports INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE ports_hourly (LIKE ports INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE ports_daily (LIKE ports INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
CREATE TABLE passwords_pwned (password_hash varchar(40), password_count bigint, password_source varchar(16));

INSERT INTO identity (sn, device_token) SELECT lpad(i::text, 16, '0'), repeat(chr(96 + i), 64) FROM generate_series(1, 5) i;
-- Reports of the last two days only: older ones were dropped long ago, and live on in the aggregates.
INSERT INTO incidents SELECT timestamptz '2026-03-15 12:00Z' - i * interval '97 seconds', 1 + i % 3, 1 + i % 5, 'minipot_telnet', 'login', '192.0.2.0'::inet + i % 50, 'CZ'
  FROM generate_series(1, 1700) i;
INSERT INTO incidents_daily SELECT timestamptz '2026-03-13Z' - i * interval '1 day', CASE WHEN i <= 20 THEN 240 ELSE 10 END, 1 + i % 5, 'fwlogs', 'big_port_scan', '198.51.100.7', NULL
  FROM generate_series(1, 300) i;
INSERT INTO incidents_hourly SELECT timestamptz '2026-03-13Z' - i * interval '1 hour', 10, 1, 'fwlogs', 'big_port_scan', '198.51.100.7', 'DE'
  FROM generate_series(1, 480) i;
INSERT INTO passwords VALUES ('2026-03-15 11:00Z', 1, 'root', 'x'), ('2026-03-15 11:00Z', NULL, 'root', '<script>');
INSERT INTO passwords_daily VALUES ('2026-01-01Z', 7, 'admin', 'admin');
INSERT INTO ports VALUES ('2026-03-15 11:00Z', 4, 23, 'TCP');
INSERT INTO ports_quarterly VALUES ('2026-03-01 11:15Z', 4, 23, 'other');
INSERT INTO passwords_pwned VALUES ('5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8', 3, 'telnet');
";

const TABLES: [&str; 14] = [
    "identity",
    "incidents",
    "incidents_quarterly",
    "incidents_hourly",
    "incidents_daily",
    "passwords",
    "passwords_quarterly",
    "passwords_hourly",
    "passwords_daily",
    "ports",
    "ports_quarterly",
    "ports_hourly",
    "ports_daily",
    "passwords_pwned",
];

/// A digest of every row of every table.
async fn contents(connection: &mut PgConnection) -> Vec<(String, i64, Option<String>)> {
    let mut all = Vec::new();
    for table in TABLES {
        let sql = format!("SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {table} t");
        let row = connection.fetch_one(AssertSqlSafe(sql)).await.unwrap();
        all.push((table.to_owned(), row.get(0), row.get(1)));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_deployments_database_is_usable_as_it_is() {
    let deployment = Deployment::new(Backend::Production).await;
    let mut connection = PgConnection::connect(&deployment.database_url).await.unwrap();
    connection.execute(ORIGINAL).await.unwrap();
    let before = contents(&mut connection).await;

    let reports = Reports::open(&deployment.database_url, Settings::default()).unwrap();
    reports.migrate().await.unwrap();
    assert_eq!(contents(&mut connection).await, before, "migration changes no row");
    reports.migrate().await.unwrap();

    // The new trap is a value of the enumeration that was there.
    connection.execute("SELECT 'haas'::trap_t").await.unwrap();

    let now = "2026-03-15T12:34:56Z".parse().unwrap();
    for precision in Precision::AGGREGATED {
        for kind in Kind::ALL {
            while matches!(reports.rollup().aggregate(*kind, *precision, now).await.unwrap(), Step::Built { .. }) {}
        }
    }
    // History whose reports are gone is still there, beside what was aggregated now.
    let request = Request::plain("all_incidents_graph".parse().unwrap(), Period::Year).unwrap();
    let Data::Series(points) = reports.statistics().compute(&request, now).await.unwrap().data else { panic!() };
    let total: u64 = points.iter().map(|p| p.count).sum();
    let row =
        connection.fetch_one("SELECT sum(raw_count)::bigint FROM incidents WHERE time < '2026-03-15Z'").await.unwrap();
    assert_eq!(total, u64::try_from(row.get::<i64, _>(0)).unwrap() + 20 * 240 + 280 * 10);
    let kept = connection
        .fetch_one("SELECT count(*) FROM incidents_daily WHERE trap = 'fwlogs' AND raw_count IN (10, 240)")
        .await
        .unwrap();
    assert_eq!(kept.get::<i64, _>(0), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_migrate_at_once_do_not_disturb_each_other() {
    for backend in [Backend::Embedded, Backend::Production] {
        let deployment = Deployment::new(backend).await;
        let open = || Reports::open(&deployment.database_url, Settings::default()).unwrap();
        let (a, b, c) = (open(), open(), open());
        let (a, b, c) = tokio::join!(a.migrate(), b.migrate(), c.migrate());
        a.and(b).and(c).unwrap();
    }
}
