//! Metrics are those of the documentation and of the dashboard.

use serde_json::Value;
use sview_testing::both;
use sview_testing::http::get;

use crate::site::serve;

both! {
    async fn metrics_are_served_as_documented(deployment: Deployment) {
        let (server, url) = serve(&deployment, &[]);
        get(&format!("{}/?period=1w", server.url));
        get(&format!("{}/no/such/%3Cpage%3E", server.url));
        let answer = get(&format!("{url}/metrics"));
        assert!(answer.header("content-type").starts_with("application/openmetrics-text"));
        let names = metric_names(&answer.body);
        for name in documented(include_str!("../../docs/ADMIN.md")) {
            assert!(names.contains(&name), "{name} is documented, and not served: {names:?}");
        }
        for name in &names {
            assert!(documented(include_str!("../../docs/ADMIN.md")).contains(name), "{name} is served, and not documented");
        }
        for name in dashboard_names() {
            assert!(names.contains(&name), "the dashboard asks for {name}");
        }
        for name in documented(include_str!("../../docs/ADMIN.md")) {
            assert!(dashboard_names().contains(&name), "{name} is documented, and not on the dashboard");
        }
        assert!(answer.body.contains("route=\"/\",status=\"200\"") && answer.body.contains("route=\"none\",status=\"404\""));
        assert!(!answer.body.contains("such"), "no label is what somebody typed");
        let missing = answer.body.lines().find(|l| l.starts_with("sview_cache_reads_total{result=\"missing\"}")).unwrap();
        assert!(!missing.ends_with(" 0"), "{missing}");
    }
}

/// The names of all families, as samples and queries begin with; fails where a line is none of the format.
fn metric_names(text: &str) -> Vec<String> {
    assert!(text.ends_with("# EOF\n"));
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
            names.push(if kind == "counter" { format!("{name}_total") } else { name.to_owned() });
        } else if !line.starts_with("# ") {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let (name, labels) = series.split_once('{').map_or((series, ""), |(name, rest)| (name, rest));
            assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{line}");
            assert!(labels.is_empty() || labels.ends_with("\"}"), "{line}");
            let last = names.last().unwrap_or_else(|| panic!("{line}"));
            assert!(name.starts_with(last.as_str()), "{line} belongs to no family before it");
        } else {
            assert!(["# HELP ", "# UNIT ", "# EOF"].iter().any(|start| line.starts_with(start)), "{line}");
        }
    }
    names
}

/// Metrics that a text names between backquotes.
fn documented(text: &str) -> Vec<String> {
    let words = text.split('`').skip(1).step_by(2).map(|word| word.split('{').next().unwrap_or_default());
    words.filter(|word| word.starts_with("sview_")).map(str::to_owned).collect()
}

/// Metrics that the dashboard's queries name, without what histograms add.
fn dashboard_names() -> Vec<String> {
    fn queries(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| queries(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
            _ => {}
        }
    }
    let (mut found, mut names) = (Vec::new(), Vec::new());
    queries(&serde_json::from_str(include_str!("../../docs/grafana.json")).unwrap(), &mut found);
    for query in &found {
        for word in query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|w| w.starts_with("sview_"))
        {
            let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| word.strip_suffix(end));
            names.push(histogram.unwrap_or(word).to_owned());
        }
    }
    assert!(names.len() > 10, "{names:?}");
    names
}
