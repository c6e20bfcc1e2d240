//! The API of the seed: its answers, and what it refuses.

use serde_json::{Value, json};
use sview_testing::http::{self, Answer};
use sview_testing::{Patience, Server, both, patiently};

use crate::site::{import, known, serve, sha1};

const PATHS: [&str; 2] = ["/api/leaked", "/passcheck/apiv1/"];
const JSON: &str = "application/json";

fn post(server: &Server, path: &str, body: &str) -> Answer {
    http::post_body(&format!("{}{path}", server.url), JSON, body, &[])
}

fn request(hash: &str) -> String {
    json!({ "msg_type": "request", "hash": hash }).to_string()
}

/// The first complaint about each value against the schema that is served at an address.
fn complaints(server: &Server, schema: &str, values: &[Value]) -> Vec<Value> {
    let answer = http::get(&format!("{}/passcheck/apiv1/{schema}.schema.json", server.url));
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/schema+json"), "{schema}");
    let schema = answer.json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    sview_testing::complaints(&schema, values)
}

both! {
    async fn all_that_is_known_is_one_answer(deployment: Deployment) {
        known(&deployment).await;
        let server = serve(&deployment, &[]);
        let hash = sha1("password");
        for path in PATHS {
            let answer = post(&server, path, &request(&hash[..6]));
            assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
            let data = json!([{ "hash": hash, "count": 42 + 3 + 4 + 5, "sources": ["telnet", "haas"] }]);
            assert_eq!(answer.json(), json!({ "msg_type": "response", "status": "SUCCESS", "data": data }));
            let letmein = post(&server, path, &request(&sha1("letmein")[..6])).json();
            assert_eq!(letmein["data"], json!([{ "hash": sha1("letmein"), "count": 6, "sources": [] }]));
            for nothing in ["000000", "zzzzzz", "zz0000", "5baa6z", "5baa62"] {
                let answer = post(&server, path, &request(nothing));
                assert_eq!((answer.status, answer.json()), (200, json!({ "msg_type": "response", "status": "NO_QUERY" })), "{nothing}");
            }
        }
        // With days, for the page.
        let seen = post(&server, "/passcheck/apiv1/seen", &json!({ "prefix": hash[..5].to_uppercase() }).to_string()).json();
        let days = json!([{ "hash": hash, "count": 54, "sources": ["telnet", "haas"], "first_seen": "2026-03-10", "last_seen": "2026-03-12" }]);
        assert_eq!(seen, json!({ "passwords": days }));

        // All that was answered is as the schemas say, and they can tell.
        let good = [post(&server, PATHS[0], &request(&hash[..6])).json(), post(&server, PATHS[0], &request("000000")).json(),
            post(&server, PATHS[0], "{}").json(), post(&server, PATHS[0], "{").json()];
        assert_eq!(complaints(&server, "response", &good), [Value::Null, Value::Null, Value::Null, Value::Null]);
        let bad = [json!({}), json!({ "msg_type": "response", "status": "SUCCESS", "data": [] }), json!({ "msg_type": "response", "status": "NO_QUERY", "data": [] })];
        assert!(complaints(&server, "response", &bad).iter().all(Value::is_string));
        assert_eq!(complaints(&server, "seen-response", &[seen, json!({ "passwords": [] })]), [Value::Null, Value::Null]);
        assert_eq!(complaints(&server, "seen-request", &[json!({ "prefix": "5BaA6" })]), [Value::Null]);
        let told: Value = serde_json::from_str(&request("5baa61")).unwrap();
        assert!(complaints(&server, "request", &[told])[0].is_null());
        // The schema of requests and the server refuse the same requests.
        let requests = wrong();
        let values: Vec<Value> = requests.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        assert!(complaints(&server, "request", &values).iter().all(Value::is_string));
        assert_eq!(http::get(&format!("{}/passcheck/apiv1/none.schema.json", server.url)).status, 404);
    }

    async fn what_is_wrong_is_refused_and_not_repeated(deployment: Deployment) {
        let server = serve(&deployment, &[]);
        for path in PATHS {
            for body in wrong() {
                let answer = post(&server, path, &body);
                let told = answer.json();
                assert_eq!((answer.status, &told["msg_type"], &told["status"]), (400, &json!("response"), &json!("VALIDATION_ERROR")), "{body}");
                let error = told["error"].as_str().unwrap();
                assert!(error.len() > 20 && !error.contains("hostile") && !error.contains("5baa6"), "{error}");
            }
            // A key that comes twice is no key of which one would count.
            let twice = post(&server, path, r#"{"msg_type":"request","hash":"aaaaaa","hash":"bbbbbb"}"#);
            assert_eq!((twice.status, &twice.json()["status"]), (400, &json!("VALIDATION_ERROR")));
            let deep = "[".repeat(5000) + &"]".repeat(5000);
            let none = ["", "{", "hash=5baa61", "{\"msg_type\":\"request\",\"hash\":\"5baa61\"} x", "{\"a\":1,}", "{'hash':1}", &deep,
                &format!("{{\"hash\":{deep}}}"), "\u{feff}{}", "nul"];
            for body in none {
                let answer = post(&server, path, body);
                assert_eq!((answer.status, answer.header("content-type")), (400, JSON), "{}", &body[..body.len().min(40)]);
                assert!(answer.json()["API error"].is_string(), "{}", answer.body);
            }
            for kind in ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx", "multipart/form-data; boundary=x"] {
                let answer = http::post_body(&format!("{}{path}", server.url), kind, &request("5baa61"), &[]);
                assert!(answer.status == 400 && answer.json()["API error"].as_str().unwrap().contains("application/json"), "{kind}");
            }
            let charset = http::post_body(&format!("{}{path}", server.url), "Application/JSON; charset=utf-8", &request("5baa61"), &[]);
            assert_eq!(charset.json()["status"], "NO_QUERY");
            let large = post(&server, path, &request(&"a".repeat(1 << 20)));
            assert!(large.status == 413 && large.json()["API error"].is_string(), "{} {}", large.status, large.body);
            let get = http::get(&format!("{}{path}", server.url));
            assert_eq!((get.status, get.header("allow")), (405, "POST"));
            assert!(get.json()["API error"].as_str().unwrap().contains("POST"));
        }
        for body in ["[]", "{}", r#"{"prefix":"5baa"}"#, r#"{"prefix":"5baa61"}"#, r#"{"prefix":5}"#, r#"{"prefix":"5baa6","more":1}"#, r#"{"prefix":"5baag"}"#] {
            let answer = post(&server, "/passcheck/apiv1/seen", body);
            assert!(answer.status == 400 && answer.json()["error"].is_string(), "{body}");
        }
    }

    async fn who_asks_for_too_much_is_told_when_to_come_again(deployment: Deployment) {
        let server = serve(&deployment, &[("SVIEW_RLIMIT_PASSWORD_HITS", "4"), ("SVIEW_RLIMIT_BAN_TIME", "3")]);
        for _ in 0..20 {
            assert_eq!(post(&server, PATHS[0], "{}").status, 400, "what is refused costs nothing");
        }
        // All ways to ask are counted together.
        assert_eq!(post(&server, PATHS[0], &request("5baa61")).status, 200);
        assert_eq!(post(&server, PATHS[1], &request("5baa61")).status, 200);
        assert_eq!(post(&server, "/passcheck/apiv1/seen", r#"{"prefix":"5baa6"}"#).status, 200);
        assert_eq!(http::get(&format!("{}/range/5baa6", server.url)).status, 200);
        let range = http::get(&format!("{}/range/5baa6", server.url));
        for refused in [post(&server, PATHS[0], &request("5baa61")), post(&server, "/passcheck/apiv1/seen", r#"{"prefix":"5baa6"}"#), range] {
            assert_eq!((refused.status, refused.header("cache-control")), (429, "no-store"), "{}", refused.body);
            assert!((1..=3).contains(&refused.header("retry-after").parse::<u32>().unwrap()));
        }
        patiently(|| post(&server, PATHS[0], &request("5baa61")), |answer| answer.status == 200);
    }

    async fn a_damaged_file_is_refused_and_the_old_one_stays_in_use(deployment: Deployment) {
        import(&deployment, &[], &format!("{}:42\n", sha1("password")));
        let server = serve(&deployment, &[]);
        let ask = |server: &Server| post(server, PATHS[0], &request(&sha1("password")[..6]));
        assert_eq!(ask(&server).json()["data"][0]["count"], 42);
        let path = deployment.data_dir.join("passwords/sha1.pwd");
        let good = std::fs::read(&path).unwrap();
        std::fs::write(deployment.data_dir.join("bad"), &good[..good.len() - 1]).unwrap();
        std::fs::rename(deployment.data_dir.join("bad"), &path).unwrap();
        let patience = Patience::default();
        while !server.log().contains("the old one stays in use") {
            assert_eq!(ask(&server).json()["data"][0]["count"], 42);
            patience.look_again_blocking(|| server.log());
        }
        assert_eq!(ask(&server).json()["data"][0]["count"], 42);
        server.logs("damaged");
        server.logs("import the lists again");
        // A server that begins with it answers nothing rather than something wrong, and goes on with everything else.
        let fresh = serve(&deployment, &[]);
        assert_eq!(ask(&fresh).status, 503);
        assert_eq!(http::get(&format!("{}/range/5baa6", fresh.url)).status, 503);
        assert_eq!(http::get(&format!("{}/healthz", fresh.url)).status, 200);
        // Until it is imported again.
        import(&deployment, &["--replace"], &format!("{}:43\n", sha1("password")));
        for server in [&server, &fresh] {
            sview_testing::patiently(|| ask(server), |answer| answer.body.contains("43"));
        }
    }
}

/// Requests that are JSON, and none of this API's.
fn wrong() -> Vec<String> {
    let mut wrong: Vec<String> =
        ["5baa6", "5baa611", "", "5BAA61", "5baa6!", "5baa6\n", "5baa6é", "密码密码密码", "５baa61", "5baa6\u{0}"]
            .map(request)
            .into();
    wrong.push(request(&sha1("password")));
    wrong.push(request(&"a".repeat(10_000)));
    let values = [
        json!([]),
        json!("request"),
        json!(1),
        json!(null),
        json!(true),
        json!({}),
        json!({ "hash": "5baa61" }),
        json!({ "msg_type": "request" }),
        json!({ "msg_type": "response", "hash": "5baa61" }),
        json!({ "msg_type": 1, "hash": "5baa61" }),
        json!({ "msg_type": "request", "hash": 123456 }),
        json!({ "msg_type": "request", "hash": null }),
        json!({ "msg_type": "request", "hash": ["5baa61"] }),
        json!({ "msg_type": "request", "hash": { "a": 1 } }),
        json!({ "msg_type": "request", "hash": "5baa61", "hostile": "<script>" }),
        json!({ "msg_type": "request", "Hash": "5baa61" }),
    ];
    wrong.extend(values.iter().map(Value::to_string));
    // Nested, but not so deep that it is not read.
    wrong.push(format!("{{\"msg_type\":\"request\",\"hash\":{}{}}}", "[".repeat(100), "]".repeat(100)));
    wrong
}
