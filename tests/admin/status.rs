//! The status: whether reports arrive, how servers are, and whether processes agree.

use std::path::PathBuf;

use serde_json::Value;
use sview_testing::http::get;
use sview_testing::{Deployment, Patience, both, run, sview};

use crate::site::{SVIEW, assert_harmless, serve};

/// Writes a file of reports with a hostile name, and returns it with a device token that must stay secret.
fn reports(deployment: &Deployment) -> (PathBuf, String) {
    let token = "q".repeat(64);
    let path = deployment.data_dir.join("<script>alert(1)<.csv");
    let rows = format!(
        "time,device_token,trap,action,ip,country\n\
         2026-03-15 12:10:00,{token},minipot_telnet,login,198.51.100.7,CZ\n\
         2026-03-15 11:10:00,{token},minipot_telnet,login,198.51.100.7,CZ\n"
    );
    std::fs::create_dir_all(&deployment.data_dir).unwrap();
    std::fs::write(&path, rows).unwrap();
    (path, token)
}

fn found<'a>(all: &'a Value, key: &str, value: &str) -> &'a Value {
    let all = all.as_array().unwrap();
    all.iter().find(|one| one[key] == value).unwrap_or_else(|| panic!("no {key} {value} in {all:?}"))
}

both! {
    async fn the_status_tells_what_arrives_and_how_servers_are(deployment: Deployment) {
        let now = ("SVIEW_NOW", "2026-03-15T12:34:56Z");
        let (file, token) = reports(&deployment);
        run(sview(SVIEW, &deployment, &["ingest", file.to_str().unwrap()]).env(now.0, now.1));
        let (_server, url) = serve(&deployment, &[now]);
        let status = get(&format!("{url}/api/status")).json();
        let hours = found(&status["reports"]["kinds"], "kind", "incidents")["hours"].as_array().unwrap();
        let counts: Vec<_> = hours.iter().rev().take(2).map(|hour| hour["count"].as_u64()).collect();
        assert_eq!((hours.len(), counts), (25, vec![Some(1), Some(1)]), "{status}");
        let telnet = found(&status["reports"]["sources"], "source", "minipot_telnet");
        assert_eq!((&telnet["from"], &telnet["until"]), (&"2026-03-15T12:10:00Z".into(), &"2026-03-15T12:10:00Z".into()));
        assert_eq!(found(&status["reports"]["sources"], "source", "passwords")["until"], Value::Null);
        assert_eq!((&status["reports"]["devices"], &status["reports"]["devices_lately"]), (&1.into(), &1.into()));
        assert_eq!(status["reports"]["files"][0]["lines"], 3, "{status}");
        let embedded = deployment.redis_url.is_none();
        assert_eq!(status["database"]["kind"], if embedded { "SQLite" } else { "PostgreSQL" });
        assert!(status["database"]["bytes"].as_u64().unwrap() > 0 && status["database"]["error"].is_null(), "{status}");
        assert!(embedded || status["ledger"]["policy"].is_string(), "{status}");
        assert!(status["disk"]["free_bytes"].as_u64().unwrap() > 0, "{status}");
        let warnings = status["warnings"].to_string();
        assert!(warnings.contains("The schedule has not ticked yet"), "{warnings}");

        let page = get(&format!("{url}/status"));
        assert_harmless(&page, "the status");
        let hash = token.parse::<sview_model::DeviceToken>().unwrap().hash();
        for said in ["minipot_telnet", "&lt;script&gt;alert(1)&lt;.csv", "The schedule has not ticked yet", &format!("#{hash}"), "1 device ever reported"] {
            assert!(page.body.contains(said), "{said} is not in {}", page.body);
        }
        assert!(!page.body.contains(&token) && !status.to_string().contains(&token), "a token is a secret");
        let nav = page.body.split("<nav").nth(1).unwrap();
        assert!(nav.find("/status").unwrap() < nav.find("/jobs").unwrap(), "it comes first");
    }

    async fn processes_that_disagree_are_named(deployment: Deployment) {
        let (_one, url) = serve(&deployment, &[("SVIEW_KEEP_JOBS_DAYS", "3")]);
        let (_other, _) = serve(&deployment, &[]);
        let patience = Patience::default();
        let found = loop {
            let answer = get(&format!("{url}/api/status")).json();
            if answer["processes"].as_array().is_some_and(|all| all.len() == 2) {
                break answer;
            }
            patience.look_again(|| answer.to_string()).await;
        };
        assert!(found["processes"].as_array().unwrap().iter().all(|process| process["role"] == "serve"), "{found}");
        assert_eq!(found["disagreements"].as_array().unwrap().len(), 1, "{found}");
        let values = &self::found(&found["disagreements"], "setting", "SVIEW_KEEP_JOBS_DAYS")["values"];
        assert!(self::found(values, "value", "3")["processes"][0].as_str().unwrap().starts_with("serve on "), "{found}");
        assert!(self::found(values, "value", "7")["processes"][0].as_str().unwrap().starts_with("serve on "), "{found}");
        assert!(found["warnings"].to_string().contains("Processes disagree on SVIEW_KEEP_JOBS_DAYS."), "{found}");
    }
}
