//! A real browser: headless Chromium, driven through ChromeDriver.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::Patience;

/// A script that returns targets too small for a finger: links lower than 24 px, and buttons, fields and entries of bars lower than 44.
pub const SMALL_TARGETS: &str = "
    return [...document.querySelectorAll('a, button, input, select, summary')]
        .filter((e) => e.checkVisibility() && !e.matches('.skip, [type=hidden]'))
        .map((e) => [e, e.matches('button, .button, select, input, nav.periods a, header nav a') ? 44 : 24])
        .filter(([e, least]) => e.getBoundingClientRect().height < least - 0.5)
        .map(([e]) => e.outerHTML.slice(0, 80))";

/// How the browser is set.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// The window's width in pixels.
    pub width: u32,
    /// Whether pages may run scripts.
    pub script: bool,
    /// Whether the visitor prefers dark pages.
    pub dark: bool,
}

impl Default for Look {
    fn default() -> Self {
        Self { width: 1400, script: true, dark: false }
    }
}

/// A browser window. Ends with its driver when dropped.
#[derive(Debug)]
pub struct Browser {
    /// The WebDriver client.
    pub client: Client,
    driver: Child,
    profile: TempDir,
}

impl Browser {
    /// Opens a window. Fails the test where Chromium or ChromeDriver is missing.
    pub async fn open(look: Look) -> Self {
        assert!(crate::is_there("chromedriver"), "chromedriver is missing: run the tests by tests/run.sh");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a free port").port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let profile = tempfile::tempdir().expect("a temporary directory");
        let mut args: Vec<String> = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            // The server under another name: browsers trust 127.0.0.1 more than pages from a network.
            "--host-resolver-rules=MAP elsewhere.test 127.0.0.1",
        ]
        .map(str::to_owned)
        .into();
        args.push(format!("--user-data-dir={}", profile.path().display()));
        args.push(format!("--window-size={},1000", look.width.max(500)));
        if look.dark {
            args.push("--blink-settings=preferredColorScheme=0".to_owned());
        }
        let mut options = json!({ "args": args });
        if !look.script {
            options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
        }
        if look.width < 500 {
            // Windows have a least width; a phone is emulated.
            let metrics = json!({ "width": look.width, "height": 800, "pixelRatio": 1.0, "touch": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let mut capabilities = Map::new();
        capabilities.insert("goog:chromeOptions".to_owned(), options);
        capabilities.insert("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }));
        let patience = Patience::default();
        let client = loop {
            let address = format!("http://127.0.0.1:{port}");
            match ClientBuilder::new(HttpConnector::new()).capabilities(capabilities.clone()).connect(&address).await {
                Ok(client) => break client,
                Err(error) if patience.is_over() => {
                    panic!("the browser does not start: {error}")
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        Self { client, driver, profile }
    }

    /// Goes to an address.
    pub async fn visit(&self, url: &str) {
        self.client.goto(url).await.expect("the page loads");
    }

    /// Runs a script in the page; its value.
    pub async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.expect("the script runs")
    }

    /// Waits until a script's value is true; fails the test when that takes too long.
    pub async fn until(&self, condition: &str) {
        let patience = Patience::default();
        while self.run(&format!("return !!({condition})")).await != json!(true) {
            patience.look_again(|| format!("never true: {condition}")).await;
        }
    }

    /// Waits until a selector finds so many elements; fails the test when that takes too long. Needs no script in the page.
    pub async fn until_count(&self, css: &str, number: usize) {
        let patience = Patience::default();
        loop {
            let there = self.count(css).await;
            if there == number {
                return;
            }
            patience.look_again(|| format!("{there} instead of {number} of {css}")).await;
        }
    }

    /// How many elements a selector finds. Needs no script in the page.
    pub async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.expect("elements are looked for").len()
    }

    /// The text of the first element that a selector finds.
    pub async fn text(&self, css: &str) -> String {
        let element = self.client.find(Locator::Css(css)).await.unwrap_or_else(|e| panic!("{css}: {e}"));
        element.text().await.expect("an element has a text")
    }

    /// Clicks the first element that a selector finds.
    pub async fn click(&self, css: &str) {
        let element = self.client.find(Locator::Css(css)).await.unwrap_or_else(|e| panic!("{css}: {e}"));
        element.click().await.unwrap_or_else(|e| panic!("{css}: {e}"));
    }

    /// Waits until the address ends so: a click may return before the page that it leads to is there. Fails the test when that takes
    /// too long.
    pub async fn is_at(&self, end: &str) {
        let patience = Patience::default();
        loop {
            let at = self.client.current_url().await.expect("there is an address");
            if at.as_str().ends_with(end) {
                return;
            }
            patience.look_again(|| format!("{at} does not end with {end}")).await;
        }
    }

    /// Waits until the first element that a selector finds has this in its text; fails the test when that takes too long.
    /// Needs no script in the page.
    pub async fn shows(&self, css: &str, words: &str) {
        let patience = Patience::default();
        loop {
            // The page may change between the two.
            let text = match self.client.find(Locator::Css(css)).await {
                Ok(element) => element.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            if text.contains(words) {
                return;
            }
            patience.look_again(|| format!("{css} never shows {words:?}: {text}")).await;
        }
    }

    /// Presses a key in the first element that a selector finds.
    pub async fn press(&self, css: &str, key: Key) {
        let element = self.client.find(Locator::Css(css)).await.unwrap_or_else(|e| panic!("{css}: {e}"));
        element.send_keys(&key.to_string()).await.unwrap_or_else(|e| panic!("{css}: {e}"));
    }

    /// Shows pages as this medium does (`screen`, `print`), with these media features, as name and value.
    pub async fn emulate(&self, medium: &str, features: &[(&str, &str)]) {
        let features: Vec<Value> =
            features.iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        let params = json!({ "media": medium, "features": features });
        let command = DevTools(json!({ "cmd": "Emulation.setEmulatedMedia", "params": params }));
        self.client.issue_cmd(command).await.expect("the browser emulates media");
    }

    /// Closes the window.
    pub async fn close(self) {
        let _ = self.client.clone().close().await;
    }
}

/// A command of Chromium's own protocol, through ChromeDriver.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/goog/cdp/execute", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // ChromeDriver killed leaves its browser behind: that one knows it by the profile.
        let profile = self.profile.path().display().to_string();
        let _ = Command::new("pkill").args(["-f", &profile]).status();
    }
}
