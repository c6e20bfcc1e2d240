//! A JSON object a line, with the fields of the CSV columns, and perhaps a `kind`.

use std::{borrow::Cow, fmt};

use serde::de::{Deserializer, Error, MapAccess, Visitor};
use sview_model::Batch;

use super::fault::{Fault, shown};
use super::field::Times;
use super::json::Scalar;
use super::notes::Notes;
use super::record::{Column, Fields, Table};

/// Adds the report of a line to the batch.
pub(super) fn read(line: &str, times: &Times, batch: &mut Batch, notes: &mut Notes) -> Result<(), Fault> {
    let mut json = serde_json::Deserializer::from_str(line);
    let object = json.deserialize_map(ObjectVisitor).and_then(|object| json.end().map(|()| object));
    let Object { fields, kind, fault } = object.map_err(|_| Fault::Json)?;
    if let Some(fault) = fault {
        return Err(fault);
    }
    let table = match kind {
        Some(word) => Table::named(&word).ok_or(Fault::Kind)?,
        None => Table::guess(|column| fields.has(column)).ok_or(Fault::NoKind)?,
    };
    if let Some(foreign) = Column::ALL.iter().find(|c| fields.has(**c) && !table.takes(**c)) {
        return Err(Fault::Foreign { field: foreign.name(), kind: table.name() });
    }
    fields.store(table, times, batch, notes)
}

#[derive(Default)]
struct Object<'a> {
    fields: Fields<'a>,
    kind: Option<Cow<'a, str>>,
    /// The first thing wrong with its keys. Kept until the object is read, for then it is known to be JSON at all.
    fault: Option<Fault>,
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object<'de>, M::Error> {
        let mut object = Object::default();
        while let Some(Scalar(key)) = map.next_key()? {
            let column = Column::named(&key);
            if column.is_none() && key != "kind" {
                object.fault.get_or_insert_with(|| Fault::UnknownField(shown(&key)));
                map.next_value::<serde::de::IgnoredAny>()?;
                continue;
            }
            // A null is an absent field.
            let Some(Scalar(value)) = map.next_value::<Option<Scalar<'de>>>().map_err(M::Error::custom)? else {
                continue;
            };
            match column {
                Some(column) if object.fields.has(column) => {
                    object.fault.get_or_insert(Fault::Repeated(column.name()));
                }
                Some(column) => object.fields.set(column, value),
                None => object.kind = Some(value),
            }
        }
        Ok(object)
    }
}
