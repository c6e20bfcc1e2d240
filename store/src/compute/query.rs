//! The SQL of a resource, from its row in the catalogue: the measure, the dimension, and the rows.

use sview_model::{Dimension, Measure, Parameters, Request, Shape, Windows};

use super::Segment;
use crate::engine::Dialect;

/// The SQL of one resource.
pub(crate) struct Query<'a> {
    dialect: Dialect,
    request: &'a Request,
    segments: Vec<Segment>,
}

impl<'a> Query<'a> {
    pub(crate) fn new(dialect: Dialect, request: &'a Request, segments: Vec<Segment>) -> Self {
        Self { dialect, request, segments }
    }

    /// Labels and their counts, most first: `label…, count`.
    pub(crate) fn top(&self, limit: Option<usize>, unknown: bool) -> (String, Vec<String>) {
        self.ranked(limit, unknown, "")
    }

    /// The same with the first and the last time of each, in microseconds: `label…, first, last, count`.
    pub(crate) fn sightings(&self, limit: usize) -> (String, Vec<String>) {
        let [first, last] = ["min(time)", "max(time)"].map(|time| self.dialect.micros(time));
        self.ranked(Some(limit), true, &format!("{first} AS earliest, {last} AS latest, "))
    }

    /// Labels, `more` with a comma behind it, and counts.
    fn ranked(&self, limit: Option<usize>, unknown: bool, more: &str) -> (String, Vec<String>) {
        let (source, binds) = self.source(unknown);
        let labels = self.labels();
        let (list, order) = (labels.join(", "), self.dialect.byte_order());
        let names: Vec<String> = (1..=labels.len()).map(|i| format!("l{i}")).collect();
        let aliased: Vec<String> = labels.iter().zip(&names).map(|(l, n)| format!("{l} AS {n}")).collect();
        let ties: Vec<String> = names.iter().map(|n| format!("{n} {order} NULLS FIRST")).collect();
        let limit = limit.map_or(String::new(), |n| format!("LIMIT {n}"));
        let sql = format!(
            "SELECT {names}, {times}count FROM (SELECT {aliased}, {more}{measure} AS count FROM {source} AS reports GROUP BY {list}) AS ranked
             ORDER BY count DESC, {ties} {limit}",
            names = names.join(", "),
            times = if more.is_empty() { "" } else { "earliest, latest, " },
            aliased = aliased.join(", "),
            measure = self.measure(),
            ties = ties.join(", "),
        );
        (sql, binds)
    }

    /// The sum of all counts, with and without labels that count.
    pub(crate) fn total(&self) -> (String, Vec<String>) {
        let (source, binds) = self.source(true);
        (format!("SELECT CAST(coalesce(sum(raw_count), 0) AS bigint) FROM {source} AS reports"), binds)
    }

    /// The counts of windows: `window, count`; with `labels` those of each of them: `label, window, count`.
    pub(crate) fn series(&self, windows: &Windows, labels: &[String]) -> (String, Vec<String>) {
        let (source, mut binds) = self.source(false);
        let window = self.window(windows);
        let measure = self.measure();
        if labels.is_empty() {
            return (format!("SELECT {window}, {measure} FROM {source} AS reports GROUP BY {window}"), binds);
        }
        let label = self.labels().swap_remove(0);
        let first = binds.len() + 1;
        binds.extend(labels.iter().cloned());
        let list: Vec<String> = (first..=binds.len()).map(|n| self.dialect.bind(n)).collect();
        let list = list.join(", ");
        let sql = format!(
            "SELECT {label}, {window}, {measure} FROM {source} AS reports WHERE {label} IN ({list}) GROUP BY {label}, {window}"
        );
        (sql, binds)
    }

    /// The counts of windows for every label there is, the unknown one included: `label, window, count`. Only for dimensions of few
    /// labels.
    pub(crate) fn all_series(&self, windows: &Windows) -> (String, Vec<String>) {
        let (source, binds) = self.source(true);
        let (window, label) = (self.window(windows), self.labels().swap_remove(0));
        let measure = self.measure();
        (format!("SELECT {label}, {window}, {measure} FROM {source} AS reports GROUP BY {label}, {window}"), binds)
    }

    /// Returns the SQL of the sum over all rows, and its bound values.
    pub(crate) fn whole(&self) -> (String, Vec<String>) {
        let (source, binds) = self.source(true);
        (format!("SELECT {} FROM {source} AS reports", self.measure()), binds)
    }

    fn window(&self, windows: &Windows) -> String {
        let width = windows.width.num_microseconds().unwrap_or(i64::MAX);
        self.dialect.window("time", windows.span.start.timestamp_micros(), width)
    }

    fn measure(&self) -> &'static str {
        match self.request.resource().measure {
            Measure::Count => "CAST(coalesce(sum(raw_count), 0) AS bigint)",
            Measure::Attackers => "count(DISTINCT ip)",
        }
    }

    fn dimension(&self) -> Option<Dimension> {
        match self.request.resource().shape {
            Shape::Series => None,
            Shape::MultiSeries { by, .. } | Shape::Ranking { by, .. } | Shape::Map { by } => Some(by),
        }
    }

    /// The columns of the dimension, as they are stored.
    fn stored(&self) -> &'static [&'static str] {
        match self.dimension() {
            None => &[],
            Some(Dimension::Country) => &["country"],
            Some(Dimension::Trap) => &["trap"],
            Some(Dimension::Action) => &["action"],
            Some(Dimension::IncidentType) => &["trap", "action"],
            Some(Dimension::Attacker) => &["ip"],
            Some(Dimension::Password) => &["password"],
            Some(Dimension::Username | Dimension::Login) => &["username"],
            Some(Dimension::Combination) => &["username", "password"],
            Some(Dimension::Port) => &["protocol", "port"],
            Some(Dimension::Sighting) => &["trap", "action", "country"],
        }
    }

    /// The columns of the dimension as the text that a page shows.
    fn labels(&self) -> Vec<String> {
        let texts: Vec<String> = self.stored().iter().map(|c| self.dialect.text(c)).collect();
        match self.dimension() {
            Some(Dimension::Port) => vec![texts.join(" || '/' || ")],
            _ => texts,
        }
    }

    /// Returns the counted rows as a sub-query over all segments, and its bound values; with `unknown` also rows without a label.
    fn source(&self, unknown: bool) -> (String, Vec<String>) {
        let d = self.dialect;
        let mut columns = vec!["time", "raw_count"];
        columns.extend(self.stored());
        if self.request.resource().measure == Measure::Attackers && !columns.contains(&"ip") {
            columns.push("ip");
        }
        let mut conditions = Vec::new();
        let mut binds = Vec::new();
        match self.dimension() {
            _ if unknown => {}
            Some(Dimension::Country) => conditions.push("country IS NOT NULL".to_owned()),
            // '' and a lone newline are reported by a probe when there was nothing.
            Some(Dimension::Password | Dimension::Username | Dimension::Combination) if !unknown => {
                let blank = "('', chr(10))".replace("chr", if d == Dialect::Sqlite { "char" } else { "chr" });
                conditions.extend(self.stored().iter().map(|column| format!("{column} NOT IN {blank}")));
            }
            _ => {}
        }
        match self.request.parameters() {
            Parameters::None => {}
            Parameters::Ip(ip) => {
                binds.push(ip.to_string());
                conditions.push(format!("ip = {}", d.bind_ip(1)));
            }
            Parameters::Password(password) => {
                binds.push(password.clone());
                conditions.push(format!("password = {}", d.bind(1)));
            }
            Parameters::Devices(tokens) => {
                binds.extend(tokens.iter().map(|t| t.as_str().to_owned()));
                let list: Vec<String> = (1..=binds.len()).map(|n| d.bind(n)).collect();
                let list = if list.is_empty() { "NULL".to_owned() } else { list.join(", ") };
                conditions.push(format!("identity_id IN (SELECT id FROM identity WHERE device_token IN ({list}))"));
            }
        }
        let conditions: String = conditions.iter().map(|c| format!(" AND {c}")).collect();
        let columns = columns.join(", ");
        let parts: Vec<String> = self
            .segments
            .iter()
            .map(|s| {
                let (start, finish) = (d.time(s.start), d.time(s.finish));
                format!("SELECT {columns} FROM {} WHERE time >= {start} AND time < {finish}{conditions}", s.table)
            })
            .collect();
        (format!("({})", parts.join(" UNION ALL ")), binds)
    }
}
