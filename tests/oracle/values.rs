//! The oracle: what every resource is, straight from the reports, by going through all of them for each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::rows::Rows;

/// About whom and what those resources are asked that take a parameter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subjects {
    pub(crate) ips: Vec<String>,
    pub(crate) passwords: Vec<String>,
    pub(crate) devices: Vec<Vec<String>>,
}

/// A value as it must be.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) name: &'static str,
    pub(crate) period: &'static str,
    pub(crate) parameters: Value,
    pub(crate) data: Value,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Period, range, window, what start and finish are rounded down to, and how late reports come: seconds.
const SCALES: [(&str, i64, i64, i64, i64); 7] = [
    ("1h", HOUR, MINUTE, MINUTE, 5 * MINUTE),
    ("6h", 6 * HOUR, 15 * MINUTE, 15 * MINUTE, 0),
    ("1d", DAY, 30 * MINUTE, 30 * MINUTE, 0),
    ("1w", 7 * DAY, 3 * HOUR, 3 * HOUR, 0),
    ("1m", 30 * DAY, DAY, DAY, 0),
    ("3m", 90 * DAY, 2 * DAY, DAY, 0),
    ("1y", 378 * DAY, 14 * DAY, DAY, 0),
];

/// A report, as far as a resource cares: its label, and what counts. Several labels are those of several columns.
struct Event {
    at: i64,
    count: u64,
    ip: String,
    labels: Vec<Option<String>>,
}

/// Windows of a period: milliseconds.
#[derive(Clone, Copy)]
struct Frame {
    start: i64,
    end: i64,
    width: i64,
}

impl Frame {
    fn of<'a>(&self, events: &'a [Event]) -> Vec<&'a Event> {
        events.iter().filter(|event| self.start <= event.at && event.at < self.end).collect()
    }
}

/// Counted are reports, or the distinct addresses in them.
type Measure = fn(&[&Event]) -> u64;

fn sum(events: &[&Event]) -> u64 {
    events.iter().map(|event| event.count).sum()
}

fn distinct(events: &[&Event]) -> u64 {
    events.iter().map(|event| &event.ip).collect::<BTreeSet<_>>().len() as u64
}

fn label(at: i64) -> String {
    DateTime::from_timestamp_millis(at).unwrap().format("%Y-%m-%d %H:%M").to_string()
}

/// The number of each window, with its end. The events are those of the frame.
fn counts(frame: Frame, events: &[&Event], measure: Measure) -> Vec<(String, u64)> {
    let mut windows = vec![Vec::new(); usize::try_from((frame.end - frame.start) / frame.width).unwrap()];
    for event in events {
        windows[usize::try_from((event.at - frame.start) / frame.width).unwrap()].push(*event);
    }
    let ends = (1..).map(|i| label(frame.start + i * frame.width));
    ends.zip(windows).map(|(end, within)| (end, measure(&within))).collect()
}

fn series(frame: Frame, events: &[Event], measure: Measure) -> Value {
    let points = counts(frame, &frame.of(events), measure);
    points.into_iter().map(|(bucket, count)| json!({"bucket": bucket, "count": count})).collect()
}

/// Labels and their numbers, most first, equals by label.
fn ranked<'a>(events: &[&'a Event], measure: Measure) -> Vec<(&'a [Option<String>], u64)> {
    let mut groups: BTreeMap<&[Option<String>], Vec<&Event>> = BTreeMap::new();
    for event in events {
        groups.entry(&event.labels).or_default().push(event);
    }
    let mut ranked: Vec<_> = groups.into_iter().map(|(labels, events)| (labels, measure(&events))).collect();
    ranked.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    ranked
}

fn ranking(frame: Frame, events: &[Event], measure: Measure, columns: &[&str], limit: usize) -> Value {
    let rows = ranked(&frame.of(events), measure).into_iter().take(limit).map(|(labels, count)| {
        let mut row: Map<String, Value> =
            columns.iter().zip(labels).map(|(column, label)| ((*column).to_owned(), json!(label))).collect();
        row.insert("count".to_owned(), json!(count));
        Value::Object(row)
    });
    rows.collect()
}

fn map(frame: Frame, events: &[Event], measure: Measure) -> Value {
    let pairs = ranked(&frame.of(events), measure).into_iter();
    Value::Object(pairs.map(|(labels, count)| (labels[0].clone().unwrap(), json!(count))).collect())
}

fn multi(frame: Frame, events: &[Event], measure: Measure) -> Value {
    let events = frame.of(events);
    let labels: Vec<&[Option<String>]> =
        ranked(&events, measure).into_iter().take(7).map(|(labels, _)| labels).collect();
    let columns: Vec<Vec<(String, u64)>> = labels
        .iter()
        .map(|label| {
            let own: Vec<&Event> = events.iter().filter(|event| event.labels == *label).copied().collect();
            counts(frame, &own, measure)
        })
        .collect();
    let points = (0..columns.first().map_or(0, Vec::len)).map(|window| {
        let mut point = Map::from_iter([("bucket".to_owned(), json!(columns[0][window].0))]);
        point.extend(columns.iter().enumerate().map(|(i, column)| (i.to_string(), json!(column[window].1))));
        Value::Object(point)
    });
    let names: Vec<&Option<String>> = labels.iter().map(|label| &label[0]).collect();
    json!({"labels": names, "ykeys": (0..labels.len()).collect::<Vec<_>>(), "data": points.collect::<Vec<_>>()})
}

/// Returns an attacker's activity, with its first and last time, as far as the period has times.
fn sightings(frame: Frame, own: &[Event], period: &str) -> Value {
    let within = frame.of(own);
    let step = 1000
        * match period {
            "1h" => MINUTE,
            "6h" | "1d" => 15 * MINUTE,
            "1w" => HOUR,
            _ => DAY,
        };
    let rows = ranked(&within, sum).into_iter().take(30).map(|(labels, count)| {
        let times: Vec<i64> =
            within.iter().filter(|event| event.labels == labels).map(|event| event.at / step * step).collect();
        let [first, last] = [times.iter().min(), times.iter().max()].map(|at| label(*at.unwrap()));
        json!({"source": labels[0], "action": labels[1], "country": labels[2], "first": first, "last": last, "count": count})
    });
    rows.collect()
}

/// Incidents with these labels.
fn incidents(rows: &Rows, labels: impl Fn(&crate::rows::Incident) -> Vec<Option<String>>) -> Vec<Event> {
    let event = |row: &crate::rows::Incident| Event {
        at: row.time.timestamp_millis(),
        count: row.count,
        ip: row.ip.clone(),
        labels: labels(row),
    };
    rows.incidents.iter().map(event).collect()
}

/// Log-ins with these labels.
fn logins(rows: &Rows, labels: impl Fn(&crate::rows::Login) -> Vec<Option<String>>) -> Vec<Event> {
    let event = |row: &crate::rows::Login| Event {
        at: row.time.timestamp_millis(),
        count: row.count,
        ip: String::new(),
        labels: labels(row),
    };
    rows.logins.iter().map(event).collect()
}

/// Without those that have an unknown label.
fn known(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| event.labels.iter().all(Option::is_some));
    events
}

/// Without those where nothing was typed.
fn typed(mut events: Vec<Event>) -> Vec<Event> {
    events.retain(|event| event.labels.iter().flatten().all(|text| !text.is_empty() && text != "\n"));
    events
}

fn some(text: &str) -> Vec<Option<String>> {
    vec![Some(text.to_owned())]
}

/// Every value over these reports as of `now`.
pub(crate) fn expected(rows: &Rows, now: DateTime<Utc>, subjects: &Subjects) -> Vec<Expected> {
    let any = incidents(rows, |_| Vec::new());
    let countries = incidents(rows, |row| vec![row.country.map(str::to_owned)]);
    let known_countries = known(incidents(rows, |row| vec![row.country.map(str::to_owned)]));
    let traps = incidents(rows, |row| some(row.trap));
    let actions = incidents(rows, |row| some(row.action));
    let types = incidents(rows, |row| vec![Some(row.trap.to_owned()), Some(row.action.to_owned())]);
    let attackers = incidents(rows, |row| some(&row.ip));
    let passwords = typed(logins(rows, |row| some(&row.password)));
    let usernames = typed(logins(rows, |row| some(&row.username)));
    let combinations = typed(logins(rows, |row| vec![Some(row.username.clone()), Some(row.password.clone())]));
    let ports: Vec<Event> = rows
        .scans
        .iter()
        .map(|row| Event {
            at: row.time.timestamp_millis(),
            count: row.count,
            ip: String::new(),
            labels: some(&format!("{}/{}", row.protocol, row.port)),
        })
        .collect();

    let mut all = Vec::new();
    for (period, range, window, rounding, late) in SCALES {
        let floor = |at: i64| at.div_euclid(rounding) * rounding * 1000;
        let (start, end, width) = (floor(now.timestamp() - range), floor(now.timestamp()), window * 1000);
        let whole = Frame { start, end, width };
        let timely = Frame { end: end - late * 1000, ..whole };
        let mut add = |name, parameters: &Value, data| {
            all.push(Expected { name, period, parameters: parameters.clone(), data });
        };
        let none = json!({});
        add("all_incidents_graph", &none, series(timely, &any, sum));
        add("all_attackers_graph", &none, series(timely, &any, distinct));
        add("all_ports_by_scans_graph", &none, series(whole, &ports, sum));
        add("top_traps_by_incidents_graph", &none, multi(timely, &traps, sum));
        add("top_actions_by_incidents_graph", &none, multi(timely, &actions, sum));
        add("top_countries_by_incidents_graph", &none, multi(timely, &known_countries, sum));
        add("top_countries_by_attackers_graph", &none, multi(timely, &known_countries, distinct));
        add("top_ports_by_scans_graph", &none, multi(whole, &ports, sum));
        add("top_passwords_by_usages_graph", &none, multi(timely, &passwords, sum));
        for (limit, by_incidents, by_attackers) in [
            (15, "top_countries_by_incidents_list", "top_countries_by_attackers_list"),
            (30, "top_countries_by_incidents_list_long", "top_countries_by_attackers_list_long"),
        ] {
            add(by_incidents, &none, ranking(whole, &known_countries, sum, &["country"], limit));
            add(by_attackers, &none, ranking(whole, &countries, distinct, &["country"], limit));
        }
        for (limit, by_password, by_username) in [
            (15, "top_passwords_by_usages_list", "top_usernames_by_usages_list"),
            (30, "top_passwords_by_usages_list_long", "top_usernames_by_usages_list_long"),
        ] {
            add(by_password, &none, ranking(whole, &passwords, sum, &["password"], limit));
            add(by_username, &none, ranking(whole, &usernames, sum, &["username"], limit));
        }
        add("top_attackers_by_incidents_list_long", &none, ranking(whole, &attackers, sum, &["ip"], 30));
        add("top_incident_types_by_incidents_list", &none, ranking(whole, &types, sum, &["source", "action"], 15));
        let pairs = ranking(whole, &combinations, sum, &["username", "password"], 30);
        add("top_combinations_by_usages_list_long", &none, pairs);
        add("top_ports_by_scans_list_long", &none, ranking(whole, &ports, sum, &["port"], 30));
        add("all_countries_by_incidents_list", &none, map(whole, &known_countries, sum));
        add("all_countries_by_attackers_list", &none, map(timely, &known_countries, distinct));

        for ip in &subjects.ips {
            let mut own = incidents(rows, |_| Vec::new());
            own.retain(|event| event.ip == *ip);
            add("selected_attacker_incidents_graph", &json!({"ip": ip}), series(timely, &own, sum));
            let mut own = incidents(rows, |row| {
                vec![Some(row.trap.to_owned()), Some(row.action.to_owned()), row.country.map(str::to_owned)]
            });
            own.retain(|event| event.ip == *ip);
            add("selected_attacker_sightings_list", &json!({"ip": ip}), sightings(whole, &own, period));
        }
        for password in &subjects.passwords {
            let mut own = logins(rows, |row| vec![Some(row.password.clone()), Some(row.username.clone())]);
            own.retain(|event| event.labels[0].as_ref() == Some(password));
            own.iter_mut().for_each(|event| drop(event.labels.remove(0)));
            let parameters = json!({"password": password});
            add("selected_password_by_usages_graph", &parameters, series(timely, &own, sum));
            add("logins_of_password_by_usages_list", &parameters, ranking(whole, &own, sum, &["username"], 30));
        }
        for devices in &subjects.devices {
            let own = Rows {
                incidents: rows.incidents.iter().filter(|row| devices.contains(&row.device)).cloned().collect(),
                ..Rows::default()
            };
            let parameters = json!({"my_device_tokens": devices});
            add("my_all_incidents_graph", &parameters, series(timely, &incidents(&own, |_| Vec::new()), sum));
            let by_country = known(incidents(&own, |row| vec![row.country.map(str::to_owned)]));
            add("my_top_countries_by_incidents_graph", &parameters, multi(timely, &by_country, sum));
            let by_trap = incidents(&own, |row| some(row.trap));
            add("my_top_traps_by_incidents_graph", &parameters, multi(timely, &by_trap, sum));
        }
    }
    all
}
