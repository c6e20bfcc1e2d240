//! Whether two values of a resource say the same. Equal counts have no order, so what depends on one is not compared.

use serde_json::Value;

/// `None` when two values are the same but for the order of equal counts; else the difference.
#[must_use]
pub fn difference(expected: &Value, got: &Value) -> Option<String> {
    if let Some(labels) = expected.get("labels").and_then(Value::as_array) {
        // A multi-series: the same labels, whatever their order, each with the same numbers at the same points.
        let series = |value: &Value| -> Vec<(String, Vec<Value>)> {
            let points = value["data"].as_array().expect("a series");
            let labels =
                value["labels"].as_array().expect("a series").iter().zip(value["ykeys"].as_array().expect("a series"));
            let mut all: Vec<_> = labels
                .map(|(label, key)| {
                    let key = key.to_string();
                    (label.to_string(), points.iter().map(|p| p[&key].clone()).collect())
                })
                .collect();
            all.sort_by(|a: &(String, Vec<Value>), b| a.0.cmp(&b.0));
            all
        };
        let buckets = |value: &Value| {
            value["data"].as_array().expect("a series").iter().map(|p| p["bucket"].clone()).collect::<Vec<_>>()
        };
        if labels.len() != got["labels"].as_array().map_or(0, Vec::len) || buckets(expected) != buckets(got) {
            return Some(format!("labels or buckets: {} {}", expected["labels"], got["labels"]));
        }
        return (series(expected) != series(got)).then(|| format!("series of {}", expected["labels"]));
    }
    let ranking = expected.as_array().filter(|rows| rows.first().is_some_and(|r| r.get("bucket").is_none()));
    if let Some(rows) = ranking {
        let other = got.as_array()?;
        let counts = |rows: &[Value]| rows.iter().map(|r| r["count"].clone()).collect::<Vec<_>>();
        if counts(rows) != counts(other) {
            return Some(format!("counts {:?} {:?}", counts(rows), counts(other)));
        }
        // The choice among several rows with the last count is not determined.
        let last = rows.last().map(|r| r["count"].clone());
        let certain = |rows: &[Value]| {
            let mut rows: Vec<_> =
                rows.iter().filter(|r| Some(&r["count"]) != last.as_ref()).map(Value::to_string).collect();
            rows.sort();
            rows
        };
        return (certain(rows) != certain(other)).then(|| "rows".to_owned());
    }
    (expected != got).then(|| format!("{expected} {got}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_notices_differences() {
        let series: Value = serde_json::json!([{"bucket": "a", "count": 1}, {"bucket": "b", "count": 2}]);
        let other: Value = serde_json::json!([{"bucket": "a", "count": 1}, {"bucket": "b", "count": 3}]);
        assert!(difference(&series, &series).is_none() && difference(&series, &other).is_some());
        let tied: Value = serde_json::json!([{"ip": "x", "count": 2}, {"ip": "y", "count": 1}]);
        let swapped: Value = serde_json::json!([{"ip": "x", "count": 2}, {"ip": "z", "count": 1}]);
        let wrong: Value = serde_json::json!([{"ip": "z", "count": 2}, {"ip": "y", "count": 1}]);
        assert!(difference(&tied, &swapped).is_none() && difference(&tied, &wrong).is_some());
    }
}
