//! Decides what happens to a job whose handler failed.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use apalis::layers::catch_panic::PanicError;
use apalis_core::error::{AbortError, BoxDynError, DeferredError, RetryAfterError};

use super::{Policy, StorageConfig};
use crate::{Outcome, Record};

/// An error that costs the job no attempt: a server that it needs is away. It runs again after a while.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub struct SnoozeError {
    source: BoxDynError,
    after: Duration,
}

impl SnoozeError {
    /// The job runs again after this long.
    #[must_use]
    pub fn new(source: impl Into<BoxDynError>, after: Duration) -> Self {
        Self { source: source.into(), after }
    }
}

/// No code of this program can read the job. A newer one may, so it costs an attempt and waits as long as
/// [`StorageConfig::unreadable`] says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableError(String);

impl UnreadableError {
    /// No code is registered for jobs of this name.
    pub(super) fn unknown(name: &str) -> Self {
        Self(format!("no code for jobs named {name}"))
    }

    /// The payload has another form than the code expects.
    pub(super) fn payload(error: &impl fmt::Display) -> Self {
        Self(format!("the payload cannot be read: {}", without_quotes(&error.to_string())))
    }
}

/// An error without the text that it quotes: a visitor may have typed that.
fn without_quotes(error: &str) -> String {
    match (error.find('"'), error.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}\"…\"{}", &error[..first], &error[last + 1..]),
        _ => error.to_owned(),
    }
}

/// Decides what happens to a job whose handler, or a layer round it, gave an error.
///
/// | error | outcome |
/// |---|---|
/// | [`AbortError`], unless it tells of a panic | dead |
/// | [`SnoozeError`] | runs again after its time; costs no attempt |
/// | [`DeferredError`] | tried again at once |
/// | [`RetryAfterError`] | tried again after its time |
/// | [`UnreadableError`] | tried again as [`StorageConfig::unreadable`] says |
/// | any other, a panic, a time-out | tried again as [`StorageConfig::backoff`] says |
///
/// A job that would be retried is dead when its attempts are used up.
#[must_use]
pub fn outcome_of(error: &BoxDynError, record: &Record, config: &StorageConfig) -> Outcome {
    let again = |after: Duration, error: String| {
        if record.attempts >= record.max_attempts { Outcome::Dead { error } } else { Outcome::Retry { after, error } }
    };
    let inner = |error: &dyn std::error::Error| error.source().map_or_else(|| error.to_string(), ToString::to_string);
    if let Some(abort) = error.downcast_ref::<AbortError>() {
        return match abort.source().and_then(|source| source.downcast_ref::<PanicError>()) {
            Some(PanicError(message)) => again(config.backoff.after(record.attempts), format!("panicked: {message}")),
            None => Outcome::Dead { error: inner(abort) },
        };
    }
    if let Some(snooze) = error.downcast_ref::<SnoozeError>() {
        return Outcome::Snoozed { after: snooze.after, error: snooze.to_string() };
    }
    if let Some(deferred) = error.downcast_ref::<DeferredError>() {
        return again(Duration::ZERO, inner(deferred));
    }
    if let Some(retry) = error.downcast_ref::<RetryAfterError>() {
        return again(retry.get_duration(), inner(retry));
    }
    let backoff = if error.is::<UnreadableError>() { config.unreadable } else { config.backoff };
    again(backoff.after(record.attempts), error.to_string())
}

/// The policy of a storage that has no other.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultPolicy;

impl Policy for DefaultPolicy {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_payloads_quote_nothing() {
        let error = serde_json::from_str::<u32>("\"hunt\\\"er2\"").unwrap_err().to_string();
        assert!(error.contains("er2"), "{error}");
        let told = without_quotes(&error);
        assert!(told.starts_with("invalid type: string \"…\", expected u32 at line 1 column 1"), "{told}");
        assert_eq!(without_quotes("missing field `kind`"), "missing field `kind`");
    }
}
