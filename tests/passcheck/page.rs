//! The page, in a browser.

use serde_json::json;
use sview_testing::{Backend, Browser, Deployment, Look, Server, http};

use crate::site::{known, serve};

async fn check(browser: &Browser, password: &str) -> String {
    browser.client.find(fantoccini_css("#password")).await.unwrap().clear().await.unwrap();
    browser.client.find(fantoccini_css("#password")).await.unwrap().send_keys(password).await.unwrap();
    browser.click("#passcheck button[type=submit]").await;
    browser
        .until("/seen|too many|not be checked|does not answer/i.test(document.getElementById('outcome').textContent)")
        .await;
    browser.text("#outcome").await
}

fn fantoccini_css(css: &str) -> fantoccini::Locator<'_> {
    fantoccini::Locator::Css(css)
}

async fn begin(environment: &[(&str, &str)]) -> (Deployment, Server) {
    let deployment = Deployment::new(Backend::Embedded).await;
    known(&deployment).await;
    let server = serve(&deployment, environment);
    (deployment, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_checked_and_told_about() {
    let (_deployment, server) = begin(&[]).await;
    for width in [1400, 390] {
        let browser = Browser::open(Look { width, ..Look::default() }).await;
        browser.visit(&format!("{}/?period=1w", server.url)).await;
        browser.click("header.site nav a[href^='/passcheck/']").await;
        browser.until("document.getElementById('passcheck') && !document.getElementById('passcheck').hidden").await;
        let told = check(&browser, "password").await;
        for part in ["seen 54 times", "Telnet minipot, SSH honeypot", "2026-03-10", "2026-03-12"] {
            assert!(told.contains(part), "{part}: {told}");
        }
        let told = check(&browser, "letmein").await;
        assert!(
            told.contains("seen 6 times") && told.contains("reports of 2026-03-12") && !told.contains("tried at"),
            "{told}"
        );
        let told = check(&browser, "elsewhere").await;
        assert!(told.contains("seen once") && !told.contains("reports of"), "{told}");
        assert!(check(&browser, "žluťoučký kůň 密码 <b>").await.contains("was not seen"));
        // Typing takes back what was said; the address holds nothing.
        browser.client.find(fantoccini_css("#password")).await.unwrap().send_keys("x").await.unwrap();
        assert_eq!(browser.text("#outcome").await, "");
        assert!(!browser.client.current_url().await.unwrap().as_str().contains("password="));
        assert_eq!(
            browser.run("return document.documentElement.scrollWidth <= innerWidth").await,
            json!(true),
            "{width}"
        );
        assert_eq!(browser.run("return document.querySelectorAll('#passcheck [name]').length").await, json!(0));
        browser.click("#reveal").await;
        assert_eq!(browser.run("return document.getElementById('password').type").await, json!("text"));
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_it_says_why_it_needs_one() {
    let (_deployment, server) = begin(&[]).await;
    let browser = Browser::open(Look { script: false, ..Look::default() }).await;
    browser.visit(&format!("{}/passcheck/", server.url)).await;
    let text = browser.text("main").await;
    assert!(
        text.contains("needs script") && text.contains("would have to be sent to us") && text.contains("/range/"),
        "{text}"
    );
    assert_eq!(browser.run("return document.getElementById('passcheck').offsetHeight").await, json!(0));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn over_plain_http_it_says_that_browsers_do_not_hash_there() {
    let (_deployment, server) = begin(&[]).await;
    let browser = Browser::open(Look::default()).await;
    browser.visit(&format!("{}/passcheck/", server.url.replace("127.0.0.1", "elsewhere.test"))).await;
    browser.until("!document.getElementById('insecure').hidden").await;
    let text = browser.text("#insecure").await;
    assert!(text.contains("https"), "{text}");
    assert_eq!(browser.run("return document.getElementById('passcheck').offsetHeight").await, json!(0));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_told() {
    let (_deployment, server) = begin(&[("SVIEW_RLIMIT_PASSWORD_HITS", "1")]).await;
    let browser = Browser::open(Look::default()).await;
    browser.visit(&format!("{}/passcheck/", server.url)).await;
    browser.until("!document.getElementById('passcheck').hidden").await;
    assert!(check(&browser, "password").await.contains("54 times"));
    let told = check(&browser, "password").await;
    assert!(told.contains("Too many") && told.contains("seconds"), "{told}");
    drop(server);
    assert!(check(&browser, "password").await.contains("does not answer"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_has_a_page_that_shows_how_to_call_it() {
    let (_deployment, server) = begin(&[]).await;
    let page = http::get(&format!("{}/passcheck/apiv1/doc", server.url));
    assert_eq!(page.status, 200);
    for part in [
        "curl --json",
        "hashlib.sha1",
        "/passcheck/apiv1/request.schema.json",
        "/passcheck/apiv1/response.schema.json",
        "draft/2020-12",
        "Add-Padding",
        "Retry-After",
    ] {
        assert!(page.body.contains(part), "{part}");
    }
    let redirect = http::get(&format!("{}/passcheck", server.url));
    assert_eq!((redirect.status, redirect.header("location")), (308, "/passcheck/"));
}
