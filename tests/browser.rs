//! Pages in a real browser.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use sview_testing::{Backend, Browser, Deployment, Key, Look, Patience, SMALL_TARGETS, Server, run, sview};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
const NOW: &str = "2026-03-15T12:34:56Z";

/// A deployment with the golden reports, none of them aggregated and nothing cached.
async fn raw() -> Deployment {
    let deployment = Deployment::new(Backend::Embedded).await;
    let files = ["identity", "incidents", "passwords", "ports"]
        .map(|name| format!("{}/tests/golden/tiny/{name}.csv.gz", env!("CARGO_MANIFEST_DIR")));
    let mut args = vec!["ingest"];
    args.extend(files.iter().map(String::as_str));
    run(sview(SVIEW, &deployment, &args).env("SVIEW_NOW", NOW));
    deployment
}

/// The same, with everything computed.
async fn full() -> (Deployment, Server) {
    let deployment = raw().await;
    run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
    let server = Server::start(sview(SVIEW, &deployment, &["up"]).env("SVIEW_NOW", NOW));
    (deployment, server)
}

const WIDE: Look = Look { width: 1400, script: true, dark: false };

#[tokio::test(flavor = "multi_thread")]
async fn on_an_empty_cache_the_charts_appear_without_a_reload() {
    let deployment = raw().await;
    let server = Server::start(sview(SVIEW, &deployment, &["serve"]).env("SVIEW_NOW", NOW));
    let browser = Browser::open(WIDE).await;
    browser.visit(&format!("{}/?period=1w", server.url)).await;
    assert_eq!(browser.count("[data-state=pending]").await, 5, "nothing is computed while nobody works");
    browser.run("window.untouched = true").await;
    let _worker = sview(SVIEW, &deployment, &["worker", "aggregation", "quick-cache", "slow-cache"])
        .env("SVIEW_NOW", NOW)
        .spawn()
        .map(Killed)
        .unwrap();
    let mut scheduler = sview(SVIEW, &deployment, &["scheduler"]).env("SVIEW_NOW", NOW).spawn().map(Killed).unwrap();
    browser.until("document.querySelectorAll('[data-state=ready]').length === 5").await;
    assert_eq!(browser.run("return window.untouched").await, true, "the page was never reloaded");
    assert!(browser.count("svg path").await > 100, "there is a map");
    assert!(browser.text("#r-top_countries_by_incidents_list").await.contains("China"));
    let _ = scheduler.0.kill();
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_script_the_page_is_whole_and_fills_itself() {
    let deployment = raw().await;
    let server = Server::start(sview(SVIEW, &deployment, &["up"]).env("SVIEW_NOW", NOW));
    let look = Look { script: false, ..WIDE };
    let browser = Browser::open(look).await;
    browser.visit(&format!("{}/?period=1m", server.url)).await;
    // Placeholders make the page come again by itself until everything is there.
    browser.until_count("[data-state=ready]", 5).await;
    assert!(browser.count("svg path").await > 100);
    assert_eq!(browser.count("nav.periods a").await, 7);
    browser.click("nav.periods a[href$='period=1y']").await;
    browser.is_at("/?period=1y").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn periods_switch_without_a_reload_and_back_goes_back() {
    let (_deployment, server) = full().await;
    let browser = Browser::open(WIDE).await;
    browser.visit(&format!("{}/incidents/?period=1w", server.url)).await;
    browser.run("window.untouched = true").await;
    browser.click("nav.periods a[href$='period=1m']").await;
    browser
        .until("location.search === '?period=1m' && document.querySelector('[data-period=\"1m\"][data-state=ready]')")
        .await;
    assert_eq!(browser.run("return window.untouched").await, true);
    // The period stays in every link.
    assert_eq!(browser.count("header.site nav a:not([href*='period=1m'])").await, 0);
    browser.client.back().await.unwrap();
    browser.until("location.search === '?period=1w' && document.querySelector('[data-period=\"1w\"]')").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_page_leads_to_a_period_that_has_reports() {
    let deployment = raw().await;
    // Ten days after the last report.
    let later = "2026-03-25T12:34:56Z";
    run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", later));
    let server = Server::start(sview(SVIEW, &deployment, &["serve"]).env("SVIEW_NOW", later));
    let browser = Browser::open(WIDE).await;
    browser.visit(&format!("{}/incidents/?period=1d", server.url)).await;
    browser.run("window.untouched = true").await;
    browser.shows("#r-all_incidents_graph", "No incident in this period.").await;
    browser.click("#r-all_incidents_graph .nothing a").await;
    browser
        .until("location.search === '?period=1m' && document.querySelector('#r-all_incidents_graph svg.plot')")
        .await;
    assert_eq!(browser.run("return window.untouched").await, true, "the page was never reloaded");
    browser.close().await;
}

/// Reports incidents of a minute in the last hour of [`NOW`], and makes the values of that hour due.
fn report(deployment: &Deployment, count: u64) {
    let path = deployment.data_dir.join(format!("more-{count}.csv"));
    let token = "a".repeat(64);
    let text = format!(
        "time,raw_count,device_token,trap,action,ip,country\n2026-03-15T12:20:10Z,{count},{token},haas,login,192.0.2.1,CZ\n"
    );
    std::fs::write(&path, text).unwrap();
    for args in [&["ingest", &path.display().to_string()][..], &["clear-timeouts", "resource", "1h"]] {
        run(sview(SVIEW, deployment, args).env("SVIEW_NOW", NOW));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_page_refreshes_its_cards_and_disturbs_nobody() {
    let (deployment, server) = full().await;
    let browser = Browser::open(WIDE).await;
    browser.visit(&format!("{}/incidents/?period=1h", server.url)).await;
    browser.until("document.querySelectorAll('[data-state=ready]').length === 7").await;
    browser.run("window.untouched = true; document.querySelector('#r-all_incidents_graph details').open = true").await;
    browser.run("document.querySelector('#r-all_incidents_graph summary').focus(); scrollTo(0, 200)").await;
    browser.run("document.querySelector('#r-all_incidents_graph .scroll').scrollTop = 50").await;
    let scrolled = "return document.querySelector('#r-all_incidents_graph .scroll').scrollTop";
    assert_eq!(browser.run(scrolled).await, 50, "the table can be scrolled");
    report(&deployment, 5000);
    browser.until("document.querySelector('#r-all_incidents_graph .figure').textContent.startsWith('5,')").await;
    let kept = "return [window.untouched, document.querySelector('#r-all_incidents_graph details').open,
        document.activeElement === document.querySelector('#r-all_incidents_graph summary'), scrollY]";
    assert_eq!(browser.run(kept).await, serde_json::json!([true, true, true, 200]));
    assert_eq!(browser.run(scrolled).await, 50);
    let asked = "return performance.getEntriesByType('resource').filter((e) => e.name.includes('/fragment/')).length";
    assert!(browser.run(asked).await.as_u64() >= Some(1));

    // In the background nobody asks. Time goes by twenty times as fast from here.
    browser.run("const later = setTimeout; window.setTimeout = (then, ms) => later(then, ms / 20)").await;
    let hide = |hidden: bool| {
        format!(
            "Object.defineProperty(document, 'hidden', {{ configurable: true, get: () => {hidden} }}); \
            document.dispatchEvent(new Event('visibilitychange'))"
        )
    };
    browser.run(&hide(true)).await;
    report(&deployment, 20_000);
    tokio::time::sleep(std::time::Duration::from_secs(15)).await; // the longest wait that was begun before
    let before = browser.run(asked).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(browser.run(asked).await, before, "a page in the background asks");
    browser.run(&hide(false)).await;
    browser.until("document.querySelector('#r-all_incidents_graph .figure').textContent.startsWith('25,')").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_added_shown_and_removed_by_forms() {
    let (_deployment, server) = full().await;
    let browser = Browser::open(WIDE).await;
    let token = "ujzde8gxd6ncf10epf91dhodzdoc9is0j8ht9lgmxg9edn581u33xtplpft75v2s";
    // A link from the router asks first, and changes nothing.
    browser.visit(&format!("{}/api/device/add?token={token}", server.url)).await;
    browser.visit(&format!("{}/devices/?period=1w", server.url)).await;
    assert_eq!(browser.count("[data-resource]").await, 0);
    browser.visit(&format!("{}/api/device/add?token={token}", server.url)).await;
    browser.click("form[action='/api/device/add'] button").await;
    browser.until("document.querySelectorAll('[data-resource^=my_][data-state=ready]').length === 3").await;
    let body = browser.text("main").await;
    assert!(body.contains(&token[..6]) && !body.contains(token), "the secret is not shown whole");
    browser.click("form[action='/api/device/delete'] button").await;
    browser.until("document.querySelectorAll('[data-resource]').length === 0").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_never_scrolls_sideways_and_a_finger_hits() {
    let (_deployment, server) = full().await;
    let browser = Browser::open(Look { width: 390, ..WIDE }).await;
    let pages = [
        "/",
        "/incidents/",
        "/attackers/",
        "/passwords/",
        "/ports/",
        "/devices/",
        "/api/",
        "/passcheck/",
        "/greylist-data/",
        "/about/",
        "/glossary/",
        "/privacy/",
        "/nowhere",
        "/attackers/details/ip/212.239.229.64",
        "/passwords/details/PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg",
    ];
    for page in pages {
        browser.visit(&format!("{}{page}?period=1y", server.url)).await;
        let wide =
            browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        assert_eq!(wide, 0, "{page}");
        assert_eq!(browser.run(SMALL_TARGETS).await, serde_json::json!([]), "{page}");
        let broken = r"return [...document.querySelectorAll('.ranking bdi.typed')]
            .filter((e) => /^[0-9.]{7,15}$/.test(e.textContent) && e.getClientRects().length > 1)
            .map((e) => e.textContent)";
        assert_eq!(browser.run(broken).await, serde_json::json!([]), "addresses on {page} break");
        let foot = "return document.querySelector('footer.site').getBoundingClientRect().bottom >= innerHeight - 1";
        assert_eq!(browser.run(foot).await, true, "the footer of {page} hangs in mid-page");
        let hole =
            "const ends = [...document.querySelectorAll('nav.periods a')].map((a) => a.getBoundingClientRect().right);
            return ends.length > 0 && Math.abs(Math.max(...ends) - ends.at(-1)) > 1";
        assert_eq!(browser.run(hole).await, false, "the periods' last row on {page} is not full");
    }
    browser.close().await;
}

/// Holes in a page of cards, in pixels: below or between what cards hold, and the part of the grid that no card covers.
const HOLES: &str = "
    const box = (e) => e.getBoundingClientRect(), holes = [];
    for (const body of document.querySelectorAll('.cards .card > .body')) {
        if (body.querySelector('.nothing')) continue;
        let end = box(body).top;
        for (const part of body.children) {
            holes.push([box(part).top - end, part.className.baseVal ?? part.className]);
            end = Math.max(end, box(part).bottom);
        }
        holes.push([box(body).bottom - end, 'below']);
    }
    for (const grid of document.querySelectorAll('.cards')) {
        const gap = parseFloat(getComputedStyle(grid).columnGap), area = (e) => (box(e).width + gap) * (box(e).height + gap);
        const rest = area(grid) - [...grid.children].reduce((sum, cell) => sum + area(cell), 0);
        holes.push([rest / box(grid).width, 'grid']);
    }
    return holes.filter(([size]) => size > 100)";

#[tokio::test(flavor = "multi_thread")]
async fn cards_leave_no_holes_however_few_rows_they_have() {
    let (_deployment, server) = full().await;
    for width in [1400, 768] {
        let browser = Browser::open(Look { width, ..WIDE }).await;
        for page in ["/", "/incidents/", "/ports/", "/passwords/details/PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg"] {
            for rows in [30, 12, 8, 5, 1] {
                browser.visit(&format!("{}{page}?period=1y", server.url)).await;
                browser.until("document.querySelector('[data-state=ready]') && !document.querySelector('[data-state=pending]')").await;
                let fewer = format!(
                    "for (const row of document.querySelectorAll('.ranking tbody tr:nth-child(n + {})')) row.remove()",
                    rows + 1
                );
                browser.run(&fewer).await;
                assert_eq!(browser.run(HOLES).await, serde_json::json!([]), "{page} with {rows} rows at {width}");
            }
        }
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_shows_the_words_of_empty_cards_whole() {
    let deployment = raw().await;
    // Years after the last report.
    let later = "2030-03-25T12:34:56Z";
    run(sview(SVIEW, &deployment, &["refresh", "--wait"]).env("SVIEW_NOW", later));
    let server = Server::start(sview(SVIEW, &deployment, &["serve"]).env("SVIEW_NOW", later));
    let browser = Browser::open(Look { width: 390, ..WIDE }).await;
    for page in ["/", "/incidents/", "/passwords/", "/ports/"] {
        browser.visit(&format!("{}{page}?period=1w", server.url)).await;
        browser.shows(".nothing", "SVIEW_NOW=2026-03-16T00:00:00Z").await;
        let wider = "return [...document.querySelectorAll('.nothing, .nothing *')]
            .filter((part) => part.getBoundingClientRect().right > innerWidth || part.scrollWidth > part.clientWidth + 1 && part.clientWidth > 0)
            .map((part) => part.outerHTML.slice(0, 80))";
        assert_eq!(browser.run(wider).await, serde_json::json!([]), "{page}");
    }
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dark_is_dark_and_the_choice_is_kept() {
    let (_deployment, server) = full().await;
    let ground = "const c = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).slice(0, 3).map(Number); \
                  return c.reduce((a, b) => a + b) / 3";
    let browser = Browser::open(Look { dark: true, ..WIDE }).await;
    browser.visit(&format!("{}/?period=1w", server.url)).await;
    assert!(browser.run(ground).await.as_f64().unwrap() < 80.0, "who prefers dark gets dark");
    browser.click("button.theme").await;
    browser.visit(&format!("{}/ports/?period=1w", server.url)).await;
    assert!(browser.run(ground).await.as_f64().unwrap() > 200.0, "light was chosen, and stays");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_string_from_a_report_becomes_script_or_element() {
    let (_deployment, server) = full().await;
    let browser = Browser::open(WIDE).await;
    let hostile = ["PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg", "Ij48aW1nIHNyYz14IG9uZXJyb3I9YWxlcnQoMSk-", "e3s3Kjd9fQ"];
    let mut pages: Vec<String> = ["/", "/passwords/"].map(str::to_owned).into();
    pages.extend(hostile.iter().map(|p| format!("/passwords/details/{p}")));
    for page in pages {
        for period in ["1h", "1d", "1w", "1y"] {
            browser.visit(&format!("{}{page}?period={period}", server.url)).await;
            browser.until("document.querySelectorAll('[data-state=pending]').length === 0").await;
            let foreign = browser
                .run("return document.querySelectorAll('main script, main img, main iframe, main [onerror]').length")
                .await;
            assert_eq!(foreign, 0, "{page} {period}");
            assert!(browser.client.get_alert_text().await.is_err(), "no script of an attacker ran on {page} {period}");
        }
    }
    let shown = browser.run("return document.body.textContent").await;
    assert!(shown.as_str().unwrap().contains("{{7*7}}"), "what was typed is shown as it was typed");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn arrow_keys_read_charts_and_a_chosen_period_keeps_the_focus() {
    let (_deployment, server) = full().await;
    let browser = Browser::open(WIDE).await;
    browser.visit(&format!("{}/incidents/?period=1w", server.url)).await;
    browser.run("window.faults = []; addEventListener('error', (event) => faults.push(event.message))").await;
    let tip = "return document.querySelector('.tip').hidden ? '' : document.querySelector('.tip b').textContent";
    for chart in ["svg.map", "#r-all_incidents_graph svg.plot", "#r-top_traps_by_incidents_graph svg.plot"] {
        // The first key brings the chart into sight, and what is shown goes when a page is scrolled.
        let patience = Patience::default();
        while browser.run(tip).await == "" {
            browser.press(chart, Key::Home).await;
            patience.look_again(|| format!("{chart} shows nothing")).await;
        }
        let mut shown = vec![browser.run(tip).await.as_str().unwrap().to_owned()];
        for key in [Key::Right, Key::Left, Key::End] {
            browser.press(chart, key).await;
            shown.push(browser.run(tip).await.as_str().unwrap().to_owned());
        }
        assert!(shown.iter().all(|words| !words.is_empty()), "{chart}: {shown:?}");
        assert!(shown[0] == shown[2] && shown[0] != shown[1] && shown[1] != shown[3], "{chart}: {shown:?}");
        browser.press(chart, Key::Escape).await;
    }
    assert_eq!(browser.run("return faults").await, serde_json::json!([]));
    browser.press("nav.periods a[href$='period=1m']", Key::Enter).await;
    browser.until("location.search === '?period=1m' && document.querySelector('[data-period=\"1m\"]')").await;
    browser.until("document.activeElement.matches('nav.periods a[aria-current]')").await;
    browser.press("header.site nav a[href*='ports']", Key::Enter).await;
    browser.until("location.pathname === '/ports/'").await;
    browser.until("document.activeElement.matches('header.site nav a[aria-current]')").await;
    browser.close().await;
}

/// The sign of a series on a page with charts of several: the colours of its swatches.
const SWATCHES: &str = "
    const marks = [...document.querySelectorAll('#r-top_traps_by_incidents_graph .legend .swatch')];
    return [marks.length, new Set(marks.map((mark) => getComputedStyle(mark).backgroundColor)).size]";

#[tokio::test(flavor = "multi_thread")]
async fn legends_survive_forced_colours_and_paper_which_tells_its_date() {
    let (_deployment, server) = full().await;
    let browser = Browser::open(WIDE).await;
    browser.visit(&format!("{}/incidents/?period=1w", server.url)).await;
    browser.emulate("screen", &[("forced-colors", "active")]).await;
    assert_eq!(browser.run("return matchMedia('(forced-colors: active)').matches").await, true);
    assert_eq!(browser.run(SWATCHES).await, serde_json::json!([5, 5]));
    let fills = "return new Set([...document.querySelectorAll('#r-top_traps_by_incidents_graph path')]
        .map((path) => getComputedStyle(path).fill)).size";
    assert_eq!(browser.run(fills).await, 5, "areas keep the colours that the legend names");
    browser.emulate("print", &[]).await;
    let adjusted = "return getComputedStyle(document.querySelector('.swatch')).printColorAdjust";
    assert_eq!(browser.run(adjusted).await, "exact", "browsers leave backgrounds out on paper");
    let date =
        "const printed = document.querySelector('.printed'); return printed.checkVisibility() && printed.textContent";
    assert_eq!(browser.run(date).await, "As of 15 Mar 2026 12:34 UTC.");
    let relative =
        "return [...document.querySelectorAll('time[data-ago]')].filter((time) => time.checkVisibility()).length";
    assert_eq!(browser.run(relative).await, 0, "paper does not say how long ago something was");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_phone_labels_keep_apart_and_the_bar_shows_where_one_is() {
    let (_deployment, server) = full().await;
    let browser = Browser::open(Look { width: 390, ..WIDE }).await;
    let overlaps = "return [...document.querySelectorAll('svg.plot')].flatMap((plot) => {
        const boxes = [...plot.querySelectorAll('text.x')].filter((text) => text.checkVisibility())
            .map((text) => text.getBoundingClientRect()).sort((a, b) => a.left - b.left);
        return boxes.slice(1).filter((box, i) => box.left < boxes[i].right + 4).map((box) => plot.getAttribute('aria-labelledby'));
    })";
    for period in ["1h", "6h", "1d", "1w", "1m", "3m", "1y"] {
        browser.visit(&format!("{}/incidents/?period={period}", server.url)).await;
        browser.until("document.querySelectorAll('[data-state=pending]').length === 0").await;
        assert_eq!(browser.run(overlaps).await, serde_json::json!([]), "{period}");
    }
    for page in ["/", "/ports/", "/devices/", "/passcheck/"] {
        browser.visit(&format!("{}{page}", server.url)).await;
        let inside = "
            const bar = document.querySelector('header.site nav').getBoundingClientRect();
            const entry = document.querySelector('header.site nav a[aria-current]').getBoundingClientRect();
            return entry.left >= bar.left - 1 && entry.right <= bar.right + 1 && scrollY === 0";
        assert_eq!(browser.run(inside).await, true, "the entry of {page} is out of sight");
    }
    browser.close().await;
}

/// A process that is killed when it goes out of scope.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
