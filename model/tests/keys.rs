//! Distinct requests never share a cache key, whatever is typed into them.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::collections::HashSet;

use proptest::prelude::*;
use serde_json::json;
use sview_model::{DeviceToken, Parameters, Period, Request, ResourceName, Subject, shown_key, token_check};

fn token(c: char) -> DeviceToken {
    c.to_string().repeat(64).parse().unwrap()
}

fn requests() -> impl Strategy<Value = Request> {
    let resources: Vec<_> = ResourceName::all().collect();
    let texts = prop_oneof![
        any::<String>(),
        prop::sample::select(vec!["", "\n", ":", "1h", "a:1h", ";", "#", "a;b#c/d%e", "{sview}"])
            .prop_map(str::to_owned),
    ];
    (
        prop::sample::select(resources),
        prop::sample::select(Period::ALL.to_vec()),
        texts,
        any::<[u8; 4]>(),
        prop::collection::vec(prop::char::range('a', 'e'), 0..3),
    )
        .prop_map(|(resource, period, text, ip, tokens)| {
            let parameters = match resource.subject {
                Subject::Everything => Parameters::None,
                Subject::Attacker => Parameters::Ip(ip.into()),
                Subject::Password => Parameters::Password(text),
                Subject::Devices => Parameters::Devices(tokens.into_iter().map(token).collect()),
            };
            Request::new(resource, period, parameters).unwrap()
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn keys_are_equal_only_for_equal_requests(a in requests(), b in requests()) {
        prop_assert_eq!(a.key() == b.key(), a == b);
        prop_assert!(a.key().as_str().is_ascii() && a.key().as_str().len() < 150);
        prop_assert!(!a.key().as_str().contains(char::is_whitespace));
    }

    #[test]
    fn a_request_survives_the_queue(request in requests()) {
        let json = serde_json::to_string(&request).unwrap();
        prop_assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), request);
    }
}

#[test]
fn precached_requests_have_keys_of_their_own() {
    let keys: HashSet<_> = Request::precached().map(|r| r.key()).collect();
    assert_eq!(keys.len(), 161);
}

#[test]
fn parameters_that_do_not_fit_are_refused() {
    let graph = "selected_attacker_incidents_graph".parse().unwrap();
    let error = Request::new(graph, Period::Week, Parameters::None).unwrap_err().to_string();
    assert_eq!(error, "selected_attacker_incidents_graph takes an address (ip)");
    let all = "all_incidents_graph".parse().unwrap();
    assert!(Request::new(all, Period::Week, Parameters::Password("x".into())).is_err());
    // Nor can a queue smuggle them in.
    let json = r#"{"resource":"all_incidents_graph","period":"1w","parameters":{"password":"x"}}"#;
    assert!(serde_json::from_str::<Request>(json).is_err());
}

#[test]
fn an_ipv4_mapped_ipv6_address_is_the_same_attacker() {
    let graph: ResourceName = "selected_attacker_incidents_graph".parse().unwrap();
    let request = |ip: &str| Request::new(graph, Period::Week, Parameters::Ip(ip.parse().unwrap())).unwrap();
    assert_eq!(request("::ffff:192.0.2.1"), request("192.0.2.1"));
}

#[test]
fn the_token_parameter_is_the_head_of_a_sha_256() {
    // printf a%.0s {1..64} | sha256sum
    assert_eq!(token_check(&[token('a')]), "ffe054fe7a");
    assert_eq!(token_check(&[token('a'), token('b')]).len(), 10);
    assert_ne!(token_check(&[token('a'), token('b')]), token_check(&[token('b'), token('a')]));
}

#[test]
fn requests_in_words_name_parameters_by_a_hash() {
    let words = |name: &str, parameters: Parameters| {
        Request::new(name.parse().unwrap(), Period::Day, parameters).unwrap().to_string()
    };
    // printf hunter2 | sha256sum
    let password = Parameters::Password("hunter2".into());
    let told = words("logins_of_password_by_usages_list", password);
    assert_eq!(told, "logins_of_password_by_usages_list 1d of password #f52fbd32b2");
    // printf 192.0.2.1 | sha256sum
    let told = words("selected_attacker_incidents_graph", Parameters::Ip("192.0.2.1".parse().unwrap()));
    assert_eq!(told, "selected_attacker_incidents_graph 1d of attacker #37fcff24bf");
    let told = words("my_all_incidents_graph", Parameters::Devices(vec![token('a')]));
    assert_eq!(told, "my_all_incidents_graph 1d of 1 device(s) #ffe054fe7a");
    assert_eq!(format!("{:?}", token('a')), "DeviceToken(#ffe054fe7a)");
}

#[test]
fn shown_keys_have_the_head_of_a_hash_only() {
    let key = |name: &str, parameters| Request::new(name.parse().unwrap(), Period::Day, parameters).unwrap().key();
    let devices = key("my_all_incidents_graph", Parameters::Devices(vec![token('a')]));
    assert_eq!(shown_key(devices.as_str()), "my_all_incidents_graph:1d:ffe054fe7a");
    assert_eq!(shown_key(&format!("cache-resource:{devices}")), "cache-resource:my_all_incidents_graph:1d:ffe054fe7a");
    let address = key("selected_attacker_incidents_graph", Parameters::Ip("2001:db8::1".parse().unwrap()));
    assert_eq!(shown_key(address.as_str()), address.as_str());
    assert!(devices.has_parameter() && address.has_parameter());
    assert!(Request::precached().all(|request| !request.key().has_parameter()));
}

#[test]
fn a_long_password_is_named_by_its_hashes() {
    let name: ResourceName = "logins_of_password_by_usages_list".parse().unwrap();
    let of = |text: &str| Request::new(name, Period::Day, Parameters::Password(text.into())).unwrap();
    let (long, other) = ("x".repeat(65_536), "x".repeat(65_535));
    let json = serde_json::to_string(&of(&long)).unwrap();
    assert!(json.len() < 1_000 && json.contains("65536 bytes"), "{json}");
    assert_ne!(of(&long), of(&other));
    // Jobs that an older program queued have the text whole.
    let whole = json!({ "resource": name.to_string(), "period": "1d", "parameters": { "password": long } });
    assert_eq!(serde_json::from_value::<Request>(whole).unwrap(), of(&long));
    let short = "x".repeat(512);
    assert_eq!(of(&short).parameters(), &Parameters::Password(short));
    assert!(Request::new(name, Period::Day, Parameters::Password("x".repeat(65_537))).is_err());
}
