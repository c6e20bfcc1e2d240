//! The reports in a deployment's database, one text a row.

use chrono::{DateTime, SecondsFormat};
use sview_testing::{Backend, Deployment};

/// The rows of the raw tables, in the order of time and then of text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    /// `2025-03-01T10:00:00Z 1 minipot_telnet connect 198.51.100.7 CZ`: time, count, trap, action, address, country or `-`.
    pub(crate) incidents: Vec<String>,
    /// `2025-03-01T10:00:00Z 1 root/admin`: time, count, user name and password.
    pub(crate) passwords: Vec<String>,
    /// `2025-03-01T10:00:00Z 1 TCP/23`: time, count, port.
    pub(crate) ports: Vec<String>,
}

impl Stored {
    /// Reads the tables.
    pub(crate) async fn of(deployment: &Deployment) -> Self {
        let (micros, ip) = match deployment.backend {
            Backend::Embedded => ("time", "ip"),
            Backend::Production => ("(date_part('epoch', time) * 1000000)::bigint", "host(ip)"),
        };
        let rows = async |table: &str, text: &str| {
            let sql = format!("SELECT CAST({micros} AS text), CAST(raw_count AS text), {text} FROM {table}");
            let mut rows: Vec<(i64, String)> = deployment.texts(&sql).await.into_iter().map(row).collect();
            rows.sort();
            rows.into_iter().map(|(_, text)| text).collect()
        };
        let incident = format!(
            "CAST(trap AS text) || ' ' || CAST(action AS text) || ' ' || {ip} || ' ' || coalesce(country, '-')"
        );
        Self {
            incidents: rows("incidents", &incident).await,
            passwords: rows("passwords", "username || '/' || password").await,
            ports: rows("ports", "CAST(protocol AS text) || '/' || CAST(port AS text)").await,
        }
    }

    /// How many rows of incidents, passwords and ports there are.
    pub(crate) fn counts(&self) -> [usize; 3] {
        [self.incidents.len(), self.passwords.len(), self.ports.len()]
    }
}

fn row(columns: Vec<Option<String>>) -> (i64, String) {
    let [Some(micros), Some(count), Some(text)] = &columns[..] else { panic!("{columns:?}") };
    let micros = micros.parse().unwrap();
    let time = DateTime::from_timestamp_micros(micros).unwrap().to_rfc3339_opts(SecondsFormat::AutoSi, true);
    (micros, format!("{time} {count} {text}"))
}
