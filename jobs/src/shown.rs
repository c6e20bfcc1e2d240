//! How records of jobs are shown: device tokens and whatever visitors typed stay private.

use sview_model::DeviceToken;

use crate::job::{CacheResource, Job as _};
use crate::{MAX_WORDS, Record, sanitise_line};

/// The payload of a job for people and programs that look at it. Device tokens in it are replaced by their hash: a holder of one
/// reads the device's data.
#[must_use]
pub fn shown_payload(record: &Record) -> String {
    without_tokens(&record.payload)
}

/// The unique key of a job for people and programs that look at it.
#[must_use]
pub fn shown_key(record: &Record) -> String {
    sview_model::shown_key(&record.key)
}

/// Returns a job's summary as it is shown. Summaries of visitors' jobs are made again, because an older program may have written tokens or
/// passwords into them.
pub(crate) fn shown_words(name: &str, payload: &str, words: String) -> String {
    if name != CacheResource::NAME {
        return words;
    }
    match serde_json::from_str::<CacheResource>(payload) {
        Ok(job) => sanitise_line(&job.words(), MAX_WORDS),
        Err(_) => "caching what this version cannot read".to_owned(),
    }
}

/// A text with whatever can be a device token replaced by its [hash](DeviceToken::hash). It need not be JSON: what this program cannot
/// read is shown too.
fn without_tokens(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for part in text.split_inclusive(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_lowercase() && !c.is_ascii_digit());
        match word.parse::<DeviceToken>() {
            Ok(token) => {
                shown.push('#');
                shown.push_str(&token.hash());
                shown.push_str(&part[word.len()..]);
            }
            Err(_) => shown.push_str(part),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_shown_as_hashes() {
        let (a, b) = ("a".repeat(64), "b".repeat(63));
        // printf a%.0s {1..64} | sha256sum
        assert_eq!(without_tokens(&format!(r#"["{a}","{b}"]"#)), format!(r##"["#ffe054fe7a","{b}"]"##));
        assert_eq!(without_tokens(&format!("{a} ž{a}")), "#ffe054fe7a ž#ffe054fe7a");
        assert_eq!(without_tokens(&format!("{a}\"{a}")), "#ffe054fe7a\"#ffe054fe7a");
    }

    #[test]
    fn words_of_visitors_jobs_are_made_anew() {
        let devices = sview_model::Parameters::Devices(vec!["a".repeat(64).parse().unwrap()]);
        let name = "my_all_incidents_graph".parse().unwrap();
        let job = CacheResource(sview_model::Request::new(name, sview_model::Period::Year, devices).unwrap());
        let payload = serde_json::to_string(&job).unwrap();
        let old = || format!("caching my_all_incidents_graph of {}", "a".repeat(64));
        assert_eq!(shown_words("cache-resource", &payload, old()), job.words());
        assert_eq!(shown_words("cache-resource", "[]", old()), "caching what this version cannot read");
        assert_eq!(shown_words("aggregate", "{}", "aggregation".into()), "aggregation");
    }
}
