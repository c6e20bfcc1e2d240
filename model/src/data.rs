//! The data of a resource, in the shapes of the API's JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::window::{LABEL_FORMAT, label};
use crate::{Resource, Shape};

/// The value of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Data {
    /// `[{"bucket":"2026-03-15 12:30","count":3}, …]`, oldest first.
    Series(Vec<Point>),
    /// `{"labels":[…],"ykeys":[0,…],"data":[{"bucket":…,"0":n,…}]}`; without labels there is no data either.
    MultiSeries(MultiSeries),
    /// `[{"country":"CZ","count":3}, …]`, most first.
    Ranking(Ranking),
    /// `{"CZ":3, …}`.
    Map(BTreeMap<String, u64>),
}

/// A point of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The end of its window.
    pub end: DateTime<Utc>,
    /// The count of the window.
    pub count: u64,
}

/// Several series over the same windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiSeries {
    /// The names of the series, the biggest first. Hostile text when they are passwords.
    pub labels: Vec<String>,
    /// The windows' ends and, for each, the numbers in the order of the labels.
    pub points: Vec<(DateTime<Utc>, Vec<u64>)>,
    /// For each window what belongs to no label, where the labels [are parts of a whole](crate::Dimension::sums_others). `None` for
    /// other labels, and for values that an older sview cached.
    pub others: Option<Vec<u64>>,
}

/// The top rows of something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranking {
    /// The names of the label columns.
    pub columns: Vec<&'static str>,
    /// The rows, most first.
    pub rows: Vec<Row>,
    /// The count of all reports, those of no row included. `None` for values that an older sview cached.
    pub whole: Option<u64>,
}

/// A row of a ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// A label a column; `None` is "unknown". Hostile text when they are passwords or user names.
    pub labels: Vec<Option<String>>,
    /// The count of the row.
    pub count: u64,
}

impl Data {
    /// The empty value of a resource's shape: what somebody without a device sees.
    #[must_use]
    pub fn empty(resource: &Resource) -> Self {
        match resource.shape {
            Shape::Series => Self::Series(Vec::new()),
            Shape::MultiSeries { .. } => Self::MultiSeries(MultiSeries::default()),
            Shape::Ranking { by, .. } => {
                Self::Ranking(Ranking { columns: by.columns().to_vec(), ..Ranking::default() })
            }
            Shape::Map { .. } => Self::Map(BTreeMap::new()),
        }
    }

    /// Whether there is nothing to show: no row, or zeros only.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Series(points) => points.iter().all(|p| p.count == 0),
            Self::MultiSeries(multi) => multi.labels.is_empty() && !multi.has_others(),
            Self::Ranking(ranking) => ranking.rows.is_empty(),
            Self::Map(map) => map.is_empty(),
        }
    }

    /// The JSON that the API serves: exactly the original's form.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "null".to_owned()) // strings and numbers: cannot fail
    }

    /// Returns the parts of the value that the original's form lacks, as JSON; `None` where there are none.
    #[must_use]
    pub fn supplement(&self) -> Option<String> {
        let supplement = match self {
            Self::MultiSeries(multi) => {
                let others = multi.others.as_ref()?;
                let points =
                    multi.points.iter().zip(others).map(|((end, _), count)| Point { end: *end, count: *count });
                Supplement { others: Some(Series(points.collect())), whole: None }
            }
            Self::Ranking(ranking) => Supplement { others: None, whole: Some(ranking.whole?) },
            Self::Series(_) | Self::Map(_) => return None,
        };
        serde_json::to_string(&supplement).ok()
    }

    /// Reads what [`Data::to_json`] and [`Data::supplement`] wrote for this resource.
    ///
    /// # Errors
    /// [`BadData`] when either is something else.
    pub fn from_json(resource: &Resource, json: &str, supplement: Option<&str>) -> Result<Self, BadData> {
        let value: Value = serde_json::from_str(json).map_err(|_| BadData)?;
        let mut data = Self::read(resource, &value).ok_or(BadData)?;
        if let Some(supplement) = supplement {
            let supplement = serde_json::from_str(supplement).map_err(|_| BadData)?;
            data.supply(supplement).ok_or(BadData)?;
        }
        Ok(data)
    }

    fn supply(&mut self, supplement: Supplement) -> Option<()> {
        match (self, supplement) {
            (Self::MultiSeries(multi), Supplement { others: Some(Series(others)), .. }) => {
                if multi.labels.is_empty() {
                    multi.points = others.iter().map(|point| (point.end, Vec::new())).collect();
                }
                if multi.points.len() != others.len() {
                    return None;
                }
                multi.others = Some(others.into_iter().map(|point| point.count).collect());
            }
            (Self::Ranking(ranking), Supplement { whole, .. }) => ranking.whole = whole,
            _ => return None,
        }
        Some(())
    }

    fn read(resource: &Resource, value: &Value) -> Option<Self> {
        let objects = |value: &Value| -> Option<Vec<serde_json::Map<String, Value>>> {
            value.as_array()?.iter().map(|v| v.as_object().cloned()).collect()
        };
        let end = |object: &serde_json::Map<String, Value>| end_of(object.get("bucket")?.as_str()?);
        Some(match resource.shape {
            Shape::Series => Self::Series(
                objects(value)?
                    .iter()
                    .map(|o| Some(Point { end: end(o)?, count: o.get("count")?.as_u64()? }))
                    .collect::<Option<_>>()?,
            ),
            Shape::MultiSeries { .. } => {
                let labels: Vec<String> = value
                    .get("labels")?
                    .as_array()?
                    .iter()
                    .map(|l| l.as_str().map(str::to_owned))
                    .collect::<Option<_>>()?;
                let points = objects(value.get("data")?)?
                    .iter()
                    .map(|o| {
                        let counts = (0..labels.len()).map(|i| o.get(&i.to_string())?.as_u64());
                        Some((end(o)?, counts.collect::<Option<Vec<_>>>()?))
                    })
                    .collect::<Option<_>>()?;
                Self::MultiSeries(MultiSeries { labels, points, others: None })
            }
            Shape::Ranking { by, .. } => {
                let columns = by.columns().to_vec();
                let rows = objects(value)?
                    .iter()
                    .map(|o| {
                        let labels = columns.iter().map(|c| match o.get(*c)? {
                            Value::Null => Some(None),
                            label => label.as_str().map(|l| Some(l.to_owned())),
                        });
                        Some(Row { labels: labels.collect::<Option<_>>()?, count: o.get("count")?.as_u64()? })
                    })
                    .collect::<Option<_>>()?;
                Self::Ranking(Ranking { columns, rows, whole: None })
            }
            Shape::Map { .. } => Self::Map(
                value
                    .as_object()?
                    .iter()
                    .map(|(label, count)| Some((label.clone(), count.as_u64()?)))
                    .collect::<Option<_>>()?,
            ),
        })
    }
}

/// The end of a window, from its label.
fn end_of(label: &str) -> Option<DateTime<Utc>> {
    Some(NaiveDateTime::parse_from_str(label, LABEL_FORMAT).ok()?.and_utc())
}

impl MultiSeries {
    /// Itself, or nothing at all where no label and no other has anything.
    #[must_use]
    pub fn or_nothing(self) -> Self {
        if self.labels.is_empty() && !self.has_others() { Self::default() } else { self }
    }

    /// Whether anything belongs to no label.
    #[must_use]
    pub fn has_others(&self) -> bool {
        self.others.iter().flatten().any(|count| *count > 0)
    }
}

impl Ranking {
    /// A row's share of the whole in tenths of a percent, rounded. `None` where the whole is not known, or nothing.
    #[must_use]
    pub fn permille(&self, row: &Row) -> Option<u64> {
        let whole = u128::from(self.whole.filter(|whole| *whole > 0)?);
        u64::try_from((u128::from(row.count) * 1000 + whole / 2) / whole).ok()
    }
}

/// The parts of a value that are cached beside the original's form.
#[derive(Serialize, Deserialize)]
struct Supplement {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    others: Option<Series>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    whole: Option<u64>,
}

#[derive(Serialize)]
struct Series(Vec<Point>);

impl<'de> Deserialize<'de> for Series {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct One {
            bucket: String,
            count: u64,
        }
        let points = Vec::<One>::deserialize(deserializer)?.into_iter().map(|one| {
            let end = end_of(&one.bucket).ok_or_else(|| serde::de::Error::custom("a bucket is a time"))?;
            Ok(Point { end, count: one.count })
        });
        Ok(Self(points.collect::<Result<_, _>>()?))
    }
}

/// A cached text that is not the resource's data: written by another version, or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the cached value does not have the resource's shape")]
pub struct BadData;

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Series(points) => points.serialize(serializer),
            Self::MultiSeries(multi) => multi.serialize(serializer),
            Self::Ranking(ranking) => ranking.serialize(serializer),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("bucket", &label(self.end))?;
        map.serialize_entry("count", &self.count)?;
        map.end()
    }
}

impl Serialize for MultiSeries {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Points<'a>(&'a [(DateTime<Utc>, Vec<u64>)]);
        struct One<'a>(&'a (DateTime<Utc>, Vec<u64>));
        impl Serialize for Points<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut list = serializer.serialize_seq(Some(self.0.len()))?;
                for point in self.0 {
                    list.serialize_element(&One(point))?;
                }
                list.end()
            }
        }
        impl Serialize for One<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let (end, counts) = self.0;
                let mut map = serializer.serialize_map(Some(counts.len() + 1))?;
                map.serialize_entry("bucket", &label(*end))?;
                for (i, count) in counts.iter().enumerate() {
                    map.serialize_entry(&i.to_string(), count)?;
                }
                map.end()
            }
        }
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("labels", &self.labels)?;
        map.serialize_entry("ykeys", &(0..self.labels.len()).collect::<Vec<_>>())?;
        // The original has no point where it has no label.
        map.serialize_entry("data", &Points(if self.labels.is_empty() { &[] } else { &self.points }))?;
        map.end()
    }
}

impl Serialize for Ranking {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct One<'a>(&'a [&'static str], &'a Row);
        impl Serialize for One<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(self.0.len() + 1))?;
                for (column, label) in self.0.iter().zip(&self.1.labels) {
                    map.serialize_entry(column, label)?;
                }
                map.serialize_entry("count", &self.1.count)?;
                map.end()
            }
        }
        let mut list = serializer.serialize_seq(Some(self.rows.len()))?;
        for row in &self.rows {
            list.serialize_element(&One(&self.columns, row))?;
        }
        list.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResourceName;

    fn resource(name: &str) -> ResourceName {
        name.parse().unwrap()
    }

    #[test]
    fn what_the_original_does_not_know_is_beside_its_form() {
        let ends = ["2026-03-15 12:30", "2026-03-15 12:45"].map(|label| end_of(label).unwrap());
        let graph = resource("top_countries_by_incidents_graph");
        let multi = |labels: &[&str], counts: [Vec<u64>; 2], others: [u64; 2]| {
            Data::MultiSeries(MultiSeries {
                labels: labels.iter().map(|label| (*label).to_owned()).collect(),
                points: ends.into_iter().zip(counts).collect(),
                others: Some(others.into()),
            })
        };
        let some = multi(&["CZ"], [vec![3], vec![0]], [4, 0]);
        assert_eq!(
            some.to_json(),
            r#"{"labels":["CZ"],"ykeys":[0],"data":[{"bucket":"2026-03-15 12:30","0":3},{"bucket":"2026-03-15 12:45","0":0}]}"#
        );
        let unknown_only = multi(&[], [vec![], vec![]], [4, 1]);
        assert_eq!(unknown_only.to_json(), r#"{"labels":[],"ykeys":[],"data":[]}"#);
        assert!(!unknown_only.is_blank() && multi(&[], [vec![], vec![]], [0, 0]).is_blank());
        let row = |count| Row { labels: vec![Some("CZ".to_owned())], count };
        let ranking = Ranking { columns: vec!["country"], rows: vec![row(3)], whole: Some(7) };
        let shares = [0, 1, 3, 7].map(|count| ranking.permille(&row(count)));
        assert_eq!(shares, [Some(0), Some(143), Some(429), Some(1000)]);
        let list = Data::Ranking(ranking);
        assert_eq!(list.to_json(), r#"[{"country":"CZ","count":3}]"#);
        for (name, data) in [(graph, some), (graph, unknown_only), (resource("top_countries_by_incidents_list"), list)]
        {
            let supplement = data.supplement();
            assert_eq!(Data::from_json(&name, &data.to_json(), supplement.as_deref()), Ok(data));
        }
        let older = Data::from_json(&graph, r#"{"labels":["CZ"],"ykeys":[0],"data":[]}"#, None).unwrap();
        assert_eq!(older.supplement(), None);
    }

    #[test]
    fn nothing_is_no_share_of_nothing() {
        let row = Row { labels: Vec::new(), count: 0 };
        assert_eq!(Ranking { whole: Some(0), ..Ranking::default() }.permille(&row), None);
        assert_eq!(Ranking::default().permille(&row), None);
        let most = Ranking { whole: Some(u64::MAX), ..Ranking::default() };
        assert_eq!(most.permille(&Row { count: u64::MAX, ..row }), Some(1000));
    }
}
