//! Operators' pages in a real browser.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::time::Duration;

use serde_json::json;
use sview_jobs::{JobId, LedgerSettings, NewJob, Outcome, Pushed, Queues, State, Take, sqlite_ledger};
use sview_model::Queue;
use sview_testing::{Backend, Browser, Deployment, Look, SMALL_TARGETS, Server, http, sview};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const TOKEN: &str = "full-0123456789abcdef";
const HOSTILE: &str = "<img src=x onerror=\"document.title='owned'\">";

async fn queues(deployment: &Deployment) -> Queues {
    let path = deployment.data_dir.join("jobs.sqlite");
    Queues::new(sqlite_ledger(&path, LedgerSettings::default()).await.unwrap())
}

/// A server of pages, without workers: what waits goes on waiting.
fn serve(deployment: &Deployment, more: &[(&str, &str)]) -> (Server, String) {
    let mut command = sview(SVIEW, deployment, &["serve"]);
    let server = Server::start(command.env("SVIEW_ADMIN_LISTEN", "127.0.0.1:0").envs(more.iter().copied()));
    let url = server.admin_url();
    (server, url)
}

async fn push(queues: &Queues, key: &str) -> JobId {
    let job = NewJob {
        id: None,
        name: "probe".into(),
        queue: Queue::QuickCache.into(),
        key: key.into(),
        payload: "{}".into(),
        words: format!("probe {key} {HOSTILE}"),
        cause: "test".into(),
        max_attempts: 3,
        delay: Duration::ZERO,
        room: u64::MAX,
        on_demand: false,
    };
    let Pushed::Queued(id) = queues.ledger().push(&job).await.unwrap() else { panic!("held") };
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_keeps_itself_up_to_date_without_a_reload() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let (_server, url) = serve(&deployment, &[]);
    let queues = queues(&deployment).await;
    let browser = Browser::open(Look::default()).await;
    browser.visit(&format!("{url}/jobs")).await;
    browser.run("window.untouched = true").await;
    let id = push(&queues, "alpha").await;
    // The event says that something changed; nobody waits for the interval of ten seconds.
    browser.until(&format!("document.querySelector('a[href=\"/jobs/{id}\"]')")).await;
    browser.visit(&format!("{url}/jobs/{id}")).await;
    browser.run("window.untouched = true").await;
    let Take::Job(taken) =
        queues.ledger().take(&[Queue::QuickCache.into()], "w", Duration::from_secs(60)).await.unwrap()
    else {
        panic!("nothing to take")
    };
    browser.until("document.querySelector('[data-live]').innerText.includes('running')").await;
    queues.ledger().finish(&taken.claim, &Outcome::Dead { error: HOSTILE.into() }).await.unwrap();
    browser.until("document.querySelector('[data-live]').innerText.includes('dead')").await;
    assert_eq!(browser.run("return window.untouched").await, true, "the page was never reloaded");
    assert!(browser.text("main").await.contains(HOSTILE), "what failed is told as text");
    assert_ne!(browser.run("return document.title").await, "owned");
    assert_eq!(browser.count("main img").await, 0);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_destroys_asks_first_with_and_without_script() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let (_server, url) = serve(&deployment, &[("SVIEW_ADMIN_TOKEN", TOKEN)]);
    let queues = queues(&deployment).await;
    for script in [true, false] {
        let id = push(&queues, "alpha").await;
        let browser = Browser::open(Look { script, ..Look::default() }).await;
        browser.visit(&format!("{url}/jobs/{id}")).await;
        let field = browser.client.find(fantoccini::Locator::Css("#token")).await.unwrap();
        field.send_keys(TOKEN).await.unwrap();
        browser.click("form[action='/login'] button").await;
        browser.is_at(&format!("/jobs/{id}")).await;
        // The first button only leads to the question.
        let cancel =
            fantoccini::Locator::XPath("//main//*[self::a or self::button][starts-with(normalize-space(), 'Cancel')]");
        browser.client.find(cancel).await.unwrap().click().await.unwrap();
        browser.shows("main", "Cancel this queued job?").await;
        assert_eq!(queues.ledger().get(id).await.unwrap().unwrap().state, State::Queued);
        browser.click("main form[action='/act'] button").await;
        browser.shows("main", "1 job cancelled.").await;
        assert_eq!(queues.ledger().get(id).await.unwrap().unwrap().state, State::Cancelled);
        browser.close().await;
    }
    // The form of the token asked for nothing that it has no right to.
    let metrics = http::get_with(&format!("{url}/metrics"), &[("authorization", &format!("Bearer {TOKEN}"))]).body;
    assert!(metrics.contains("route=\"/login\"") && !metrics.contains("status=\"401\""), "{metrics}");
    let actions = queues.ledger().actions(9).await.unwrap();
    assert!(actions.len() == 2 && actions.iter().all(|action| action.who == "full token (cookie)"), "{actions:?}");
}

/// Nothing sticks out of a phone's screen, and everything can be read in the dark. Writes pictures for people where
/// `SVIEW_TEST_PICTURES` names a directory.
#[tokio::test(flavor = "multi_thread")]
async fn pages_fit_a_phone_and_the_dark() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut command = sview(SVIEW, &deployment, &["up"]);
    let server =
        Server::start(command.env("SVIEW_ADMIN_LISTEN", "127.0.0.1:0").env("SVIEW_NOW", "2026-03-15T12:34:56Z"));
    let (url, queues) = (server.admin_url(), queues(&deployment).await);
    let id = push(&queues, &"long".repeat(40)).await;
    tokio::time::sleep(Duration::from_secs(3)).await; // something was done
    for (width, dark) in [(390, false), (390, true), (1400, false), (1400, true)] {
        let browser = Browser::open(Look { width, dark, ..Look::default() }).await;
        for (name, path) in [
            ("status", "/status".to_owned()),
            ("overview", "/".to_owned()),
            ("jobs", "/jobs".to_owned()),
            ("job", format!("/jobs/{id}")),
            ("jobs-by-run-time", "/jobs?sort=ran".to_owned()),
            ("dead", "/dead".to_owned()),
            ("workers", "/workers".to_owned()),
            ("schedule", "/schedule".to_owned()),
            ("due", "/due".to_owned()),
            ("cache", "/cache".to_owned()),
            ("actions", "/actions".to_owned()),
            ("confirm", "/confirm?action=delete&all=yes&state=done".to_owned()),
            ("problem", "/nothing".to_owned()),
        ] {
            browser.visit(&format!("{url}{path}")).await;
            let sticks_out = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.run(sticks_out).await, json!(0), "{name} at {width}");
            if width == 390 {
                let sideways = "return [...document.querySelectorAll('.rows')].filter((e) => e.scrollWidth > e.clientWidth).length";
                assert_eq!(browser.run(sideways).await, json!(0), "a table of {name} scrolls sideways");
                assert_eq!(browser.run(SMALL_TARGETS).await, json!([]), "{name}");
            }
            let light = "const rgb = getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number);
                return rgb[0] + rgb[1] + rgb[2] > 384";
            assert_eq!(browser.run(light).await, json!(!dark), "{name}");
            if let Ok(directory) = std::env::var("SVIEW_TEST_PICTURES") {
                let picture = browser.client.screenshot().await.unwrap();
                let mode = if dark { "dark" } else { "light" };
                std::fs::write(format!("{directory}/{name}-{width}-{mode}.png"), picture).unwrap();
            }
        }
        browser.close().await;
    }
}
