//! `/dynfw/` in a real browser.
use sview_testing::{Backend, Browser, Deployment, Feed, Look, Server, http};

use crate::viewer::{fed, geoip, hearing, known};

async fn served(deployment: &Deployment, feed: &mut Feed) -> Server {
    let mut command = hearing(deployment, feed, "up");
    let server = Server::start(command.env("SVIEW_DYNFW_GEOIP_DB", geoip(deployment)));
    fed(&server, feed, 1000).await;
    server
}

const ON: &str = "document.querySelector('.connection')?.dataset.state === 'on'";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_keeps_itself_up_to_date_through_restarts() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let server = served(&deployment, &mut feed).await;
    let browser = Browser::open(Look::default()).await;
    browser.visit(&format!("{}/?period=1w", server.url)).await;
    browser.click("nav a[href^='/dynfw/']").await;
    browser.until(ON).await;
    browser.run("window.untouched = true").await;
    assert_eq!(browser.text("#live-count").await, "1,000");
    assert_eq!(browser.count("#live-list li").await, 100);

    feed.tell("delta 2 positive 9.9.9.9");
    feed.tell("event telnet_login 192.0.2.1");
    browser.until("document.querySelector('#live-count').textContent === '1,001'").await;
    browser.until("document.querySelector('#live-events tr')").await;
    assert!(browser.text("#live-events tr").await.ends_with("192.0.2.1 Telnet minipot: log-in attempt"));
    assert!(browser.text("#live-updates tr").await.ends_with("9.9.9.9 added"));
    assert_eq!(browser.text("#live-list li").await, "9.9.9.9", "addresses are in the order of their numbers");
    browser.until("document.querySelector('.map path[data-code=CZ]').classList.contains('m1')").await;
    assert!(browser.text("#live-countries").await.contains("Czechia"));
    let title = browser.run("return document.querySelector('.map path[data-code=CZ] title').textContent").await;
    assert_eq!(title, "Czechia: 1");
    // An hour later the server no longer counts it, and neither does a page that was left open.
    browser
        .run(
            "const real = fetch;
             window.fetch = async () => new Response(JSON.stringify({ countries: { DE: 5 } }));
             document.dispatchEvent(new Event('visibilitychange'));
             setTimeout(() => { window.fetch = real; }, 0);",
        )
        .await;
    browser.until("document.querySelector('.map path[data-code=CZ] title').textContent === 'Czechia: 0'").await;
    browser.until("document.querySelector('.map path[data-code=DE]').classList.contains('m1')").await;
    assert!(browser.text("#live-countries").await.contains("Germany"));
    assert_eq!(browser.count("#live-countries tr").await, 1);
    let href = browser.run("return document.querySelector('#live-events a').getAttribute('href')").await;
    assert_eq!(href, "/attackers/details/ip/192.0.2.1?period=1w");

    // Searching and paging.
    browser.click("a[rel=next]").await;
    browser.until("document.querySelector('#live-page').textContent === 'Page 2 of 11'").await;
    browser
        .run("const q = document.querySelector('#live-q'); q.value = '10.0.3.'; q.dispatchEvent(new Event('input'))")
        .await;
    browser.until("document.querySelector('#live-found').textContent === '232 addresses'").await;

    // The publisher goes and comes; then the server.
    feed.end();
    browser.until("document.querySelector('#live-connection').textContent === 'Not connected to the publisher'").await;
    let note = "document.querySelector('#live-note').textContent";
    let words = r"/^ since \d\d:\d\d UTC\. What is shown is the last that is known\.$/";
    browser.until(&format!("{words}.test({note})")).await;
    assert_eq!(browser.text("#live-count").await, "1,001", "what was known is still shown");
    browser.visit(&format!("{}/dynfw/?period=1w", server.url)).await;
    let read = browser.text("#live-note").await;
    assert_eq!(
        browser.run(&format!("return {words}.test({note})")).await,
        true,
        "whoever comes now reads the same: {read:?}"
    );
    browser.run("window.untouched = true").await;
    let mut feed = feed.restarted();
    feed.tell("set 7 1 5000");
    feed.tell("every 0.1");
    browser.until("document.querySelector('#live-count').textContent === '7'").await;
    browser.until(ON).await;
    assert_eq!(browser.run("return window.untouched").await, true, "the page was never reloaded");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_it_shows_what_was_known_and_says_so() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let server = served(&deployment, &mut feed).await;
    feed.tell("delta 2 positive 2001:db8::7");
    feed.tell("event http_message 198.51.100.3");
    known(&server, "both are heard", |state| state["messages"]["event"] == 1).await;
    let browser = Browser::open(Look { script: false, width: 390, ..Look::default() }).await;
    browser.visit(&format!("{}/dynfw/", server.url)).await;
    assert!(browser.text("noscript").await.contains("Without script this page does not move"));
    assert_eq!(browser.text("#live-count").await, "1,001");
    assert!(browser.text("#live-events tr").await.contains("HTTP minipot: message"));
    assert!(browser.text("#live-updates tr").await.contains("2001:db8::7"));
    assert!(browser.text("#live-countries").await.contains("Germany"));
    browser.visit(&format!("{}/dynfw/?q=DB8%3A&page=1", server.url)).await;
    assert_eq!(browser.text("#live-list").await, "2001:db8::7");
    browser.close().await;

    let get = |query: &str| http::get(&format!("{}/dynfw/{query}", server.url));
    let page = get("?page=11");
    assert!(page.body.contains("Page 11 of 11") && page.body.contains(">2001:db8::7</a>"), "{}", page.body);
    for query in
        ["?page=0", "?page=-1", "?page=99999999999999999999", "?page=x", "?q=%ff", "?period=2y", "?page=500&q=zzz"]
    {
        assert_eq!(get(query).status, 200, "{query}");
    }
    let hostile = get("?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E").body;
    assert!(hostile.contains("0 addresses") && !hostile.contains("<script>alert"), "{hostile}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_wrong_key_the_page_says_that_nothing_is_connected() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let (feed, other) = (Feed::start(), Feed::start());
    let server =
        Server::start(hearing(&deployment, &feed, "dynfw-backend").env("SVIEW_DYNFW_CERT_FILE", other.certificate()));
    known(&server, "refused", |state| state["connections"]["failed"].as_u64() > Some(0)).await;
    let page = http::get(&format!("{}/dynfw/", server.url)).body;
    assert!(page.contains("Not connected to the publisher") && page.contains("No list has come yet"), "{page}");
    assert!(page.contains(" since <time") && !page.contains("the last that is known"), "{page}");
    assert!(server.log().contains("could not reach the publisher"), "{}", server.log());
}
