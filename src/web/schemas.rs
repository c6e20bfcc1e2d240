//! The description of names, periods and data. It is made from the model, so it cannot differ from it.

use serde_json::{Value, json};
use sview_model::greylist::{self, Tag};
use sview_model::{CATALOGUE, Period, Shape, Subject};
use utoipa::ToSchema as _;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, AnyOfBuilder, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, Ref, SchemaType, Type,
};

use crate::http::openapi::{parsed, schemas, words};

schemas! {
    /// The resources of the catalogue.
    ResourceName = words(CATALOGUE.iter().map(|r| r.name), None, &names(), CATALOGUE[0].name);
    /// The periods.
    PeriodName = words(Period::ALL.iter().map(|p| p.as_str()), Some(Period::default().as_str()), &periods(), Period::default().as_str());
    /// The forms of files.
    Form = words(FORMS, None, "The form of the file.", FORMS[1]);
    /// The token of a device.
    Token = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[a-z0-9]{64}$"))
        .description(Some("64 lower-case letters and digits.")).examples(["0123456789abcdef".repeat(4)]).build();
    /// The files of the greylist.
    GreylistFile = words(greylist::Form::ALL.iter().map(|form| form.file()).chain([greylist::LICENSE.to_owned()]), None, &files(), greylist::Form::Csv.file());
    /// The greylist as JSON lines.
    GreylistLines uses GreylistEntry = ObjectBuilder::new().schema_type(Type::String)
        .description(Some("A line for each address, which is a GreylistEntry in JSON.")).build();
    /// An address on the greylist, as a line of JSON.
    GreylistEntry = parsed(greylist_entry());
    /// A year.
    Year = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]{4}$"))
        .description(Some("Four digits.")).examples([&DAY[..4]]).build();
    /// A file of the greylist's archive.
    DayFile = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^greylist-[0-9]{4}-[0-9]{2}-[0-9]{2}(\\.csv|-ipv[46]\\.txt)$"))
        .description(Some("The day is one of the year in the path.")).examples([format!("greylist-{DAY}.csv")]).build();
    /// The data of a resource: any of the shapes, for a series is a ranking of windows too.
    Data uses Series, MultiSeries, Ranking, Map = AnyOfBuilder::new()
        .description(Some("The data of a resource. The resource's name says which of the shapes it has."))
        .item(Ref::from_schema_name(Series::name()))
        .item(Ref::from_schema_name(MultiSeries::name()))
        .item(Ref::from_schema_name(Ranking::name()))
        .item(Ref::from_schema_name(Map::name()))
        .build();
    /// The shape [`Shape::Series`].
    Series = ArrayBuilder::new()
        .description(Some("A number for each window, oldest first."))
        .items(object(json!({"bucket": BUCKET, "count": 3})))
        .build();
    /// The shape [`Shape::MultiSeries`].
    MultiSeries = ObjectBuilder::new()
        .description(Some("A number for each window and label. A point has the number of the label i under the key \"i\"; without labels there is no point."))
        .property("labels", ArrayBuilder::new().items(text(None)))
        .property("ykeys", ArrayBuilder::new().items(whole()))
        .property("data", ArrayBuilder::new().items(
            ObjectBuilder::new().property("bucket", text(Some(BUCKET))).required("bucket").additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(whole().into()))))))
        .required("labels").required("ykeys").required("data")
        .examples([json!({"labels": ["CZ", "DE"], "ykeys": [0, 1], "data": [{"bucket": BUCKET, "0": 12, "1": 3}]})])
        .build();
    /// The shape [`Shape::Ranking`].
    Ranking = ArrayBuilder::new()
        .description(Some("The top rows, most first. The resource's name says what the columns beside the count are; null is unknown."))
        .items(ObjectBuilder::new().property("count", whole()).required("count").additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .examples([json!({"country": "CZ", "count": 3})]))
        .build();
    /// The shape [`Shape::Map`].
    Map = ObjectBuilder::new()
        .description(Some("A number for each label."))
        .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(whole().into()))))
        .examples([json!({"CZ": 12, "DE": 3})])
        .build();
    /// The answer of `/api/resource`.
    Answer uses ResourceName, Data, Series, MultiSeries, Ranking, Map = ObjectBuilder::new()
        .property("resource_name", Ref::from_schema_name(ResourceName::name()))
        .property("data", OneOfBuilder::new().item(Ref::from_schema_name(Data::name())).item(Object::with_type(Type::Null))
            .description(Some("null while nothing is cached: the value is being computed, ask again.")))
        .required("resource_name").required("data")
        .build();
}

/// The forms of files, by their endings.
pub(super) const FORMS: [&str; 3] = ["csv", "json", "svg"];

/// How a window is named.
const BUCKET: &str = "2026-03-15 12:30";

/// A day of the greylist's archive, for examples.
const DAY: &str = "2026-03-15";

fn text(example: Option<&str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).examples(example).build()
}

fn whole() -> Object {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).build()
}

/// An object of the example's texts and numbers, all of them required.
fn object(example: Value) -> Object {
    let mut object = ObjectBuilder::new();
    for (name, value) in example.as_object().into_iter().flatten() {
        let schema = if value.is_string() { text(None) } else { whole() };
        object = object.property(name, schema).required(name);
    }
    object.schema_type(SchemaType::Type(Type::Object)).examples([example]).build()
}

fn greylist_entry() -> Value {
    let time = |what: &str| json!({ "description": what, "type": "string", "format": "date-time" });
    json!({
        "description": "An address on the greylist.",
        "type": "object",
        "properties": {
            "ip": { "type": "string" },
            "score": { "description": "Points; the page of the greylist says how they are counted.", "type": "number" },
            "first_seen": time("When it was reported first, as far back as counts."),
            "last_seen": time("When it was reported last."),
            "expires": time("When it leaves the list if nothing more is reported."),
            "probes": { "description": "How many probes reported it.", "type": "integer", "minimum": 1 },
            "tags": {
                "description": "The kinds of traps that it attacked.",
                "type": "array",
                "items": { "type": "string", "enum": Tag::ALL.iter().map(|tag| tag.as_str()).collect::<Vec<_>>() },
            },
        },
        "required": ["ip", "score", "first_seen", "last_seen", "expires", "probes", "tags"],
    })
}

fn files() -> String {
    let lines = greylist::Form::ALL.iter().map(|form| {
        let what = match form {
            greylist::Form::Csv => {
                "the published format: one comment line, the header `Address,Tags`, an address a line"
            }
            greylist::Form::Text => "an address a line, and nothing else",
            greylist::Form::Ipv4 => "the IPv4 addresses, one a line",
            greylist::Form::Ipv6 => "the IPv6 addresses, one a line",
            greylist::Form::JsonLines => "a JSON object a line, with score, times and tags",
            greylist::Form::Ipset => "input of `ipset restore`, whose entries time out",
            greylist::Form::Nft => "input of `nft -f`, whose entries time out",
        };
        format!("- `{}`: {what}", form.file())
    });
    format!(
        "The form of the list.\n\n{}\n- `{}`: the terms of use",
        lines.collect::<Vec<_>>().join("\n"),
        greylist::LICENSE
    )
}

fn names() -> String {
    let lines = CATALOGUE.iter().map(|resource| {
        let takes = match resource.subject {
            Subject::Everything => "",
            Subject::Attacker => "; takes `ip`",
            Subject::Password => "; takes `password`",
            Subject::Devices => "; of the session's devices",
        };
        format!("- `{}`: {}. {}{takes}", resource.name, resource.title, shape(resource.shape))
    });
    format!("What is asked for.\n\n{}", lines.collect::<Vec<_>>().join("\n"))
}

fn shape(shape: Shape) -> String {
    match shape {
        Shape::Series => Series::name().into_owned(),
        Shape::MultiSeries { limit, .. } => format!("{} of up to {limit} labels", MultiSeries::name()),
        Shape::Ranking { by, limit, .. } => {
            format!("{} of up to {limit} rows by {}", Ranking::name(), by.columns().join(", "))
        }
        Shape::Map { .. } => Map::name().into_owned(),
    }
}

fn periods() -> String {
    let lines = Period::ALL.iter().map(|p| format!("- `{p}`: {}", sview_views::moment::period(*p)));
    format!("How far back is looked, and in what steps.\n\n{}", lines.collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_that_are_written_in_json_lose_nothing() {
        assert_eq!(serde_json::to_value(parsed(greylist_entry())).unwrap(), greylist_entry());
    }
}
