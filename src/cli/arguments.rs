//! Parsers of arguments. They use the model's own words, so that help lists them and mistakes are reported.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use sview_jobs::State;
use sview_model::greylist::Form;
use sview_model::{Kind, Period, Precision, Queue};

fn words<T>(words: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr + Clone + Send + Sync + 'static,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// A precision that is aggregated.
pub(super) fn precision() -> impl TypedValueParser<Value = Precision> {
    words(Precision::AGGREGATED.iter().map(|p| p.as_str()))
}

/// A period.
pub(super) fn period() -> impl TypedValueParser<Value = Period> {
    words(Period::ALL.iter().map(|p| p.as_str()))
}

/// A kind of reports.
pub(super) fn kind() -> impl TypedValueParser<Value = Kind> {
    words(Kind::ALL.iter().map(|k| k.as_str()))
}

/// A queue.
pub(super) fn queue() -> impl TypedValueParser<Value = Queue> {
    words(Queue::ALL.iter().map(|q| q.as_str()))
}

/// A form of the greylist.
pub(super) fn form() -> impl TypedValueParser<Value = Form> {
    words(Form::ALL.iter().map(|form| form.as_str()))
}

/// A state of a job.
pub(super) fn state() -> impl TypedValueParser<Value = State> {
    words(State::ALL.map(State::as_str))
}

/// A moment: a date (its midnight, UTC) or an RFC 3339 time.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    if let Ok(date) = text.parse::<NaiveDate>() {
        return Ok(date.and_time(chrono::NaiveTime::MIN).and_utc());
    }
    let time = DateTime::parse_from_rfc3339(text);
    time.map(|time| time.to_utc()).map_err(|_| "write it like 2026-03-15 or 2026-03-15T12:34:56Z".to_owned())
}
