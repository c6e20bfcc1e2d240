//! The data of a resource, in the shapes of the API's JSON.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
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
    /// What happened in the window.
    pub count: u64,
}

/// Several series over the same windows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MultiSeries {
    /// The names of the series, the biggest first. Hostile text when they are passwords.
    pub labels: Vec<String>,
    /// The windows' ends and, for each, the numbers in the order of the labels.
    pub points: Vec<(DateTime<Utc>, Vec<u64>)>,
}

/// The top rows of something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranking {
    /// The names of the label columns.
    pub columns: Vec<&'static str>,
    /// The rows, most first.
    pub rows: Vec<Row>,
}

/// A row of a ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// A label a column; `None` is "unknown". Hostile text when they are passwords or user names.
    pub labels: Vec<Option<String>>,
    /// How many.
    pub count: u64,
}

impl Data {
    /// The empty value of a resource's shape: what somebody without a device sees.
    #[must_use]
    pub fn empty(resource: &Resource) -> Self {
        match resource.shape {
            Shape::Series => Self::Series(Vec::new()),
            Shape::MultiSeries { .. } => Self::MultiSeries(MultiSeries::default()),
            Shape::Ranking { by, .. } => Self::Ranking(Ranking { columns: by.columns().to_vec(), rows: Vec::new() }),
            Shape::Map { .. } => Self::Map(BTreeMap::new()),
        }
    }

    /// Whether there is nothing to show: no row, or zeros only.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Series(points) => points.iter().all(|p| p.count == 0),
            Self::MultiSeries(multi) => multi.labels.is_empty(),
            Self::Ranking(ranking) => ranking.rows.is_empty(),
            Self::Map(map) => map.is_empty(),
        }
    }

    /// The JSON that the API serves.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "null".to_owned()) // strings and numbers: cannot fail
    }

    /// Reads what [`Data::to_json`] wrote for this resource.
    pub fn from_json(resource: &Resource, json: &str) -> Result<Self, BadData> {
        let value: Value = serde_json::from_str(json).map_err(|_| BadData)?;
        Self::read(resource, &value).ok_or(BadData)
    }

    fn read(resource: &Resource, value: &Value) -> Option<Self> {
        let objects = |value: &Value| -> Option<Vec<serde_json::Map<String, Value>>> {
            value.as_array()?.iter().map(|v| v.as_object().cloned()).collect()
        };
        let end = |object: &serde_json::Map<String, Value>| {
            let text = object.get("bucket")?.as_str()?;
            Some(NaiveDateTime::parse_from_str(text, LABEL_FORMAT).ok()?.and_utc())
        };
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
                Self::MultiSeries(MultiSeries { labels, points })
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
                Self::Ranking(Ranking { columns, rows })
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
        map.serialize_entry("data", &Points(&self.points))?;
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
