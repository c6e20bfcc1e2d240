//! The text that somebody looks up stays private: it is in no log, no metric, no trace.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use sview_testing::{Browser, Look, Patience, both, http};

use crate::site::{command, known, sha1};

both! {
    async fn no_prefix_is_logged_or_measured(deployment: Deployment) {
        known(&deployment).await;
        let log = deployment.data_dir.join("log");
        let file = std::fs::File::create(&log).unwrap();
        let mut server = command(&deployment, &["serve"])
            .env("SVIEW_LOG", "trace,sqlx=trace,sqlx::query=trace,hyper=trace")
            .env("SVIEW_ADMIN_LISTEN", "127.0.0.1:0")
            .stderr(Stdio::from(file))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let told = || std::fs::read_to_string(&log).unwrap_or_default();
        let address = |what: &str| {
            let patience = Patience::default();
            loop {
                if let Some((_, rest)) = told().split_once(what) {
                    return rest.split_whitespace().next().unwrap().trim_end_matches('/').to_owned();
                }
                patience.look_again_blocking(told);
            }
        };
        let (url, admin) = (address("listening on "), address("operators' pages on "));
        let hash = sha1("password");
        for path in ["/range/5baa6", "/range/5BAA6?mode=ntlm", "/range/5baa61", "/range/5baa6?mode=5baa6"] {
            http::get_with(&format!("{url}{path}"), &[("add-padding", "true")]);
            http::get(&format!("{url}{path}"));
        }
        let json = "application/json";
        for (path, body) in [
            ("/api/leaked", format!(r#"{{"msg_type":"request","hash":"{}"}}"#, &hash[..6])),
            ("/passcheck/apiv1/", format!(r#"{{"msg_type":"request","hash":"{hash}"}}"#)),
            ("/passcheck/apiv1/", format!(r#"{{"msg_type":"{hash}"#)),
            ("/passcheck/apiv1/seen", r#"{"prefix":"5baa6"}"#.to_owned()),
            ("/passcheck/apiv1/seen", r#"{"prefix":"5baa61"}"#.to_owned()),
        ] {
            http::post_body(&format!("{url}{path}"), json, &body, &[]);
        }
        // Even when something is wrong with the file.
        std::fs::write(deployment.data_dir.join("passwords/sha1.pwd"), "x").unwrap();
        std::thread::sleep(Duration::from_millis(1200));
        for _ in 0..2 {
            http::get(&format!("{url}/range/5baa6"));
            std::thread::sleep(Duration::from_millis(200));
        }
        let metrics = http::get(&format!("{admin}/metrics")).body;
        assert!(metrics.contains("route=\"/range/{prefix}\""), "it is measured: {metrics}");
        server.kill().unwrap();
        server.wait().unwrap();
        let log = told().to_lowercase();
        assert!(log.len() > 1000 && log.contains(" trace ") || log.contains("debug"), "it is a log of everything: {log}");
        for secret in ["5baa6", &hash[5..], "8846f"] {
            assert!(!log.contains(secret), "{}", log.lines().find(|line| line.contains(secret)).unwrap_or_default());
            assert!(!metrics.to_lowercase().contains(secret), "{secret}");
        }
    }
}

/// Everything that the browser sends while a password is checked: to a server that writes it all down.
#[tokio::test(flavor = "multi_thread")]
async fn the_password_never_leaves_the_browser() {
    let deployment = sview_testing::Deployment::new(sview_testing::Backend::Embedded).await;
    known(&deployment).await;
    let server = crate::site::serve(&deployment, &[]);
    let upstream = server.url.trim_start_matches("http://").to_owned();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = std::sync::Arc::new(std::sync::Mutex::new(Vec::<u8>::new()));
    let record = std::sync::Arc::clone(&sent);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = std::net::TcpStream::connect(&upstream).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let record = std::sync::Arc::clone(&record);
            std::thread::spawn(move || {
                let mut bytes = [0; 8192];
                while let Ok(n @ 1..) = from.read(&mut bytes) {
                    record.lock().unwrap().extend_from_slice(&bytes[..n]);
                    if std::io::Write::write_all(&mut to, &bytes[..n]).is_err() {
                        return;
                    }
                }
            });
            let (mut from, mut to) = (server, client);
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
    });
    let browser = Browser::open(Look::default()).await;
    browser.visit(&format!("{url}/passcheck/")).await;
    browser.until("!document.getElementById('passcheck').hidden").await;
    browser.run("document.getElementById('password').value = 'password'; document.getElementById('passcheck').requestSubmit()").await;
    browser.until("document.getElementById('outcome').textContent.includes('54 times')").await;
    browser.close().await;
    let sent = String::from_utf8_lossy(&sent.lock().unwrap()).into_owned();
    let hash = sha1("password");
    assert!(sent.contains(&format!("{{\"prefix\":\"{}\"}}", &hash[..5])), "{sent}");
    assert!(!sent.contains(&hash[..6]) && !sent.contains(&hash[5..]), "no more than five digits");
    let words = sent.replace("password/", "").replace("passwords", "");
    assert!(!words.contains("password"), "{}", words.lines().find(|line| line.contains("password")).unwrap());
}
