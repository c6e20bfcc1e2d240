//! `sview dynfw-backend` has one page: what the others are linked to, or not.

use sview_testing::{Backend, Browser, Deployment, Feed, Look, Server, http};

use crate::links::{assert_none_is_broken, follow};
use crate::viewer::{fed, hearing, known};

const SITE: &str = "https://view.example.org";

/// A server of the live feed, with an event and a list.
async fn alone(deployment: &Deployment, feed: &mut Feed, environment: &[(&str, &str)]) -> Server {
    let server = Server::start(hearing(deployment, feed, "dynfw-backend").envs(environment.iter().copied()));
    fed(&server, feed, 1000).await;
    feed.tell("event telnet_login 192.0.2.1");
    known(&server, "the event is heard", |state| state["messages"]["event"] == 1).await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_address_only_what_is_there_is_linked() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let server = alone(&deployment, &mut feed, &[]).await;
    let asked = follow(&server.url, &["/", "/dynfw/?period=1w"], None);
    assert_none_is_broken(&asked);
    assert!(asked.contains_key("/dynfw/?page=2&period=1w"), "{asked:?}");

    let page = http::get(&format!("{}/dynfw/?period=1w", server.url)).body;
    assert!(page.contains("<a class=\"brand\" href=\"/dynfw/?period=1w\">"), "{page}");
    assert!(page.contains("<span class=\"typed\">192.0.2.1</span>"), "{page}");

    let nowhere = http::get(&format!("{}/incidents/", server.url));
    assert_eq!((nowhere.status, nowhere.header("cache-control")), (404, "no-store"));
    for words in ["There is no such page", "Only the live feed is here.", "To the live feed"] {
        assert!(nowhere.body.contains(words), "{words}: {}", nowhere.body);
    }
    // The page of an error has links too.
    let links = follow_page(&server, "/incidents/");
    assert_eq!(links, ["/dynfw/?period=1w"; 3]);

    // Text that comes later is no link either.
    let browser = Browser::open(Look::default()).await;
    browser.visit(&format!("{}/dynfw/?period=1w", server.url)).await;
    feed.tell("event telnet_login 192.0.2.9");
    browser.shows("#live-events tr", "192.0.2.9").await;
    assert_eq!(browser.count("#live-events a, #live-list a").await, 0);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_public_address_the_other_pages_are_linked_there() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let server = alone(&deployment, &mut feed, &[("SVIEW_PUBLIC_URL", SITE)]).await;
    assert_none_is_broken(&follow(&server.url, &["/", "/dynfw/?period=1w"], None));

    // Every link to the site leads to a page that a server of the whole site has.
    let whole = Server::start(&mut hearing(&deployment, &feed, "up"));
    let page = http::get(&format!("{}/dynfw/?period=1w", server.url)).body;
    let there: Vec<&str> =
        page.split(&format!("href=\"{SITE}")).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for path in
        ["/?period=1w", "/devices/?period=1w", "/passcheck/?period=1w", "/about/?period=1w", "/glossary/?period=1w"]
    {
        assert!(there.contains(&path), "{path} of {there:?}");
    }
    assert_none_is_broken(&follow(&whole.url, &[there, vec!["/dynfw/"]].concat(), None));

    let browser = Browser::open(Look::default()).await;
    browser.visit(&format!("{}/dynfw/?period=1w", server.url)).await;
    feed.tell("event telnet_login 2001:db8::9");
    browser.shows("#live-events tr", "2001:db8::9").await;
    let href = browser.run("return document.querySelector('#live-events a').getAttribute('href')").await;
    assert_eq!(href, format!("{SITE}/attackers/details/ip/2001:db8::9?period=1w"));
    let nowhere = http::get(&format!("{}/incidents/", server.url));
    assert!(nowhere.status == 404 && nowhere.body.contains("To the overview"), "{}", nowhere.body);
    browser.close().await;
}

/// The links of a page in its bar, its footer and its text.
fn follow_page(server: &Server, path: &str) -> Vec<String> {
    let page = http::get(&format!("{}{path}", server.url)).body;
    let links = page.split("<a ").skip(1).filter_map(|rest| rest.split("href=\"").nth(1)?.split('"').next());
    links.filter(|link| !link.starts_with('#')).map(str::to_owned).collect()
}
