//! Tests of the messages to viewers, the limits of viewers, and the effects of a publisher on them.

use std::time::Duration;

use futures::SinkExt as _;
use serde_json::{Value, json};
use sview_testing::{Backend, Deployment, Feed, Server, both, complaints, http, sview, told};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::viewer::{SVIEW, Viewer, fed, geoip, hearing, known, state};

both! {
    async fn viewers_are_told_what_the_publisher_says(deployment: Deployment) {
        let mut feed = Feed::start();
        let server = Server::start(hearing(&deployment, &feed, "up").env("SVIEW_DYNFW_GEOIP_DB", geoip(&deployment)));
        fed(&server, &mut feed, 300).await;
        let mut viewer = Viewer::open(&server).await;
        let (kind, payload) = viewer.next().await;
        assert_eq!((kind.as_str(), &payload["msg"], &payload["publisher"]), ("info", &json!("Connected"), &json!(true)));
        let (kind, list) = viewer.next().await;
        assert_eq!((kind.as_str(), &list["serial"], &list["version"]), ("dynfw list", &json!(1), &json!(1000)));
        let addresses = list["list"].as_array().unwrap();
        assert_eq!((addresses.len(), &addresses[299]), (300, &json!("10.0.1.43")));

        feed.tell("delta 2 positive 192.0.2.1");
        let delta = viewer.until("dynfw delta").await;
        assert_eq!(delta, json!({ "serial": 2, "delta": "positive", "ip": "192.0.2.1", "ts": delta["ts"] }));
        feed.tell("event telnet_login 192.0.2.1");
        let event = viewer.until("dynfw event").await;
        assert_eq!(event, json!({ "event": "telnet_login", "ip": "192.0.2.1", "ts": event["ts"], "geo": "CZ" }));
        feed.tell("event a_new_kind 2001:db8::1");
        let event = viewer.until("dynfw event").await;
        assert_eq!(event, json!({ "event": "a_new_kind", "ip": "2001:db8::1", "ts": event["ts"] }));

        // Whoever comes later has all of it at once.
        let mut later = Viewer::open(&server).await;
        let mut serial = 0;
        while serial < 2 {
            let (_, payload) = later.next().await;
            serial = payload["serial"].as_u64().unwrap_or(serial);
        }

        // Garbage changes nothing; a gap and a restart bring the whole list again.
        feed.tell("garbage 3");
        known(&server, "garbage is counted", |state| state["dropped"] == json!({ "malformed": 45, "unknown_topic": 3, "oversized": 0 })).await;
        feed.tell("delta 40 negative 192.0.2.1");
        assert_eq!(viewer.until("dynfw list").await["serial"], 40);
        feed.tell("set 20 7 2000");
        feed.tell("delta 8 positive 192.0.2.7");
        assert_eq!(viewer.until("dynfw list").await["list"].as_array().unwrap().len(), 21);
        let asked = &state(&server)["list_asked_again"];
        assert_eq!((&asked["gap"], &asked["restart"]), (&json!(1), &json!(1)), "{asked}");

        // The publisher goes and comes.
        let mut feed = feed.restarted();
        assert_eq!(viewer.until("info").await["publisher"], false);
        assert_eq!(viewer.until("info").await["publisher"], true);
        feed.tell("set 5 1 3000");
        feed.tell("every 0.1");
        assert_eq!(viewer.until("dynfw list").await["version"], 3000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_tells_of_the_feed_where_there_is_one() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let server = Server::start(hearing(&deployment, &feed, "up").env("SVIEW_DYNFW_GEOIP_DB", geoip(&deployment)));
    fed(&server, &mut feed, 3).await;
    let document = http::get(&format!("{}/api/openapi.json", server.url)).json();
    let wrong = |name: &str, values: &[Value]| {
        let components = &document["components"];
        complaints(&json!({ "$ref": format!("#/components/schemas/{name}"), "components": components }), values)
    };
    let mut viewer = Viewer::open(&server).await;
    let mut messages = Vec::new();
    for told in ["", "", "delta 2 positive 192.0.2.1", "event telnet_login 192.0.2.1", "event a_new_kind 2001:db8::1"] {
        if !told.is_empty() {
            feed.tell(told);
        }
        let (kind, payload) = viewer.next().await;
        messages.push(json!({ "msgtype": kind, "payload": payload }));
    }
    assert_eq!(wrong("LiveMessage", &messages), [(); 5].map(|()| Value::Null), "{messages:?}");
    assert!(wrong("LiveMessage", &[json!({ "msgtype": "info", "payload": {} })])[0].is_string());
    assert_eq!(wrong("FeedState", &[state(&server)]), [Value::Null]);
    assert_eq!(document["paths"]["/dynfw/state.json"]["get"]["operationId"], "live_state");
    let answers = &document["paths"]["/ws"]["get"]["responses"];
    assert!(
        answers["101"].is_object() && answers[http::get(&format!("{}/ws", server.url)).status.to_string()].is_object()
    );
    let page = http::get(&format!("{}/api/", server.url)).body;
    assert!(page.contains("websocat &quot;ws${SITE#http}/ws&quot;") && page.contains("/dynfw/state.json"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_backend_runs_alone_and_says_goodbye() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let mut command = sview(SVIEW, &deployment, &["dynfw-backend", "--server", "127.0.0.1", "--verbose"]);
    command.args(["--port", &feed.port.to_string(), "--listen-addr", "127.0.0.1:0"]);
    command.arg("--cert-file").arg(feed.certificate()).arg("--geoip-db").arg(geoip(&deployment));
    let mut server = Server::start(&mut command);
    fed(&server, &mut feed, 10_000).await;
    let mut viewer = Viewer::open(&server).await;
    assert_eq!(viewer.until("dynfw list").await["list"].as_array().unwrap().len(), 10_000);
    for path in ["/healthz?x=1", "/dynfw/state.json?x=1", "/ws?x=1"] {
        let answer = http::get(&format!("{}{path}", server.url));
        assert!(answer.status == 400 && answer.body.contains("no parameter"), "{path}: {}", answer.body);
    }
    assert_eq!(http::get(&format!("{}/dynfw/?utm_source=x", server.url)).status, 200);
    for path in ["/dynfw/", "/healthz", "/dynfw/state.json"] {
        assert_eq!(http::get(&format!("{}{path}", server.url)).status, 200, "{path}");
    }
    assert!(deployment.data_dir.join("dynfw_client.key_secret").exists());
    assert!(!deployment.data_dir.join("reports.sqlite").exists(), "it needs no database");
    let closing = tokio::spawn(async move { viewer.closed().await });
    assert!(server.terminate(Duration::from_secs(30)), "{}", server.log());
    assert_eq!(closing.await.unwrap().unwrap().code, CloseCode::Restart);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_watch_and_what_they_may_send() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let feed = Feed::start();
    let mut command = hearing(&deployment, &feed, "dynfw-backend");
    command.env("SVIEW_DYNFW_MAX_VIEWERS", "3").env("SVIEW_DYNFW_MAX_VIEWERS_PER_CLIENT", "2");
    let server = Server::start(command.env("SVIEW_TRUSTED_PROXIES", "127.0.0.1"));
    let refused = |error| match error {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        other => panic!("{:?}", other.map(|_: Viewer| ())),
    };
    let mut first = Viewer::open(&server).await;
    let _second = Viewer::open(&server).await;
    assert_eq!(refused(Viewer::try_open(&server).await), 429);

    // The input of a viewer is limited; its place is given back when it goes.
    first.0.send(Message::text("x".repeat(100))).await.unwrap();
    first.0.send(Message::binary(vec![0; 10_000])).await.unwrap();
    assert_eq!(first.closed().await.map(|frame| frame.code), Some(CloseCode::Size));
    known(&server, "the place is given back", |state| state["viewers"]["connected"] == 1).await;
    let _third = Viewer::open(&server).await;

    // Clients are told apart behind a trusted proxy.
    let headers = [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let ask = |more: &[(&str, &str)]| http::get_with(&format!("{}/ws", server.url), more).status;
    assert_eq!(ask(&headers), 429);
    assert_eq!(ask(&[&headers[..], &[("x-forwarded-for", "192.0.2.1")]].concat()), 101);
    assert_eq!(ask(&[]), 426, "a browser that opens the address");
    assert_eq!(ask(&[&headers[..2], &headers[3..]].concat()), 426);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_publisher_there_is_none_and_it_says_so() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let server = Server::start(&mut sview(SVIEW, &deployment, &["serve"]));
    let page = http::get(&format!("{}/dynfw/", server.url));
    assert!(page.status == 404 && page.body.contains("SVIEW_DYNFW_SERVER"), "{}", page.body);
    assert!(!http::get(&format!("{}/?period=1w", server.url)).body.contains("/dynfw/"), "no entry in the bar");
    let answer = http::get(&format!("{}/ws", server.url));
    assert!(answer.status == 404 && answer.json()["error"].as_str().unwrap().contains("publisher"), "{}", answer.body);

    let said = |args: &[&str]| {
        let output = sview(SVIEW, &deployment, args).output().unwrap();
        (output.status.code(), told(&output))
    };
    let (code, text) = said(&["dynfw-backend"]);
    assert!(code == Some(1) && text.contains("--server HOST"), "{text}");
    let (code, text) = said(&["dynfw-backend", "--server", "127.0.0.1"]);
    assert!(code == Some(1) && text.contains("--cert-file"), "{text}");
    let (code, text) = said(&["dynfw-backend", "--server", "127.0.0.1", "--cert-file", "/nonexistent.key"]);
    assert!(code == Some(1) && text.contains("/nonexistent.key"), "{text}");
    let (code, text) =
        said(&["dynfw-backend", "--server", "127.0.0.1", "--download-cert", "http://example.com/server.key"]);
    assert!(code == Some(2) && text.contains("https://"), "{text}");
}
