//! The frame of every page: head, header, navigation, breadcrumbs, period buttons, footer.

use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};
use sview_model::Period;

use crate::pages::{ABOUT, DYNFW, GLOSSARY, GREYLIST, PASSCHECK, PRIVACY};
use crate::{CardContext, assets, links, moment, text};

/// The version of the program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The description of the site, for search engines and previews of pages that have none of their own.
const DESCRIPTION: &str = "What a network of honeypots and firewalls reports, as numbers.";

/// The parts that are the same on every page of a site, from the operator's configuration. Texts are plain and are escaped; addresses are
/// http, https or mailto.
#[derive(Clone, Debug)]
pub struct Site {
    /// The name of the site.
    pub name: String,
    /// Scheme and host as visitors know them, without a slash at the end; `None` without a setting.
    pub public_url: Option<String>,
    /// The text for the page about the operator.
    pub about: String,
    /// The address of the operator.
    pub contact: Option<String>,
    /// The operator's own privacy statement.
    pub privacy_url: Option<String>,
    /// The address of the program's source.
    pub source_url: Option<String>,
    /// Under which terms the data may be used, for the footer; nothing where it is empty.
    pub licence: String,
    /// The address of the data's formats, if there is one.
    pub formats: Option<String>,
    /// Whether cards link their data as CSV, JSON and SVG.
    pub data_links: bool,
    /// Whether the server has the page of the live feed.
    pub live: LiveFeed,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            name: "Sentinel View".to_owned(),
            public_url: None,
            about: String::new(),
            contact: None,
            privacy_url: None,
            source_url: None,
            licence: String::new(),
            formats: None,
            data_links: false,
            live: LiveFeed::None,
        }
    }
}

/// Whether a server has the page of the live feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveFeed {
    /// It has all other pages.
    None,
    /// It has all pages.
    Beside,
    /// It has that page and no other. The other pages are at [`Site::public_url`]; where that is `None`, nobody knows where they are.
    Alone,
}

/// The navigation bar of every site: paths and words.
static NAV: [(&str, &str); 9] = [
    ("/", "Overview"),
    ("/incidents/", "Incidents"),
    ("/attackers/", "Attackers"),
    ("/passwords/", "Passwords"),
    ("/ports/", "Ports"),
    ("/devices/", "My devices"),
    (DYNFW, "Live"),
    (GREYLIST, "Greylist"),
    (PASSCHECK, "Password check"),
];

/// The context of a page, besides its content.
#[derive(Clone, Copy, Debug)]
pub struct PageContext<'a> {
    /// The site that the page is of.
    pub site: &'a Site,
    /// The period that is shown, and kept in every link.
    pub period: Period,
    /// The time, UTC.
    pub now: DateTime<Utc>,
}

impl PageContext<'_> {
    /// Returns where a page of the site is, at this period; `None` where the site does not have it, or nobody knows where it is.
    pub(crate) fn href(&self, path: &str) -> Option<String> {
        let here = links::page(path, self.period);
        match self.site.live {
            LiveFeed::None if path == DYNFW => None,
            LiveFeed::Alone if path != DYNFW => self.site.public_url.as_ref().map(|site| format!("{site}{here}")),
            _ => Some(here),
        }
    }

    /// Returns the page that the site begins with, and what people call it.
    pub(crate) fn start(&self) -> (String, &'static str) {
        match self.href("/") {
            Some(overview) => (overview, "overview"),
            None => (links::page(DYNFW, self.period), "live feed"),
        }
    }

    /// Returns the context of the page's cards.
    #[must_use]
    pub fn cards(&self) -> CardContext {
        CardContext { now: self.now, data_links: self.site.data_links }
    }
}

/// A breadcrumb: what to call a page, and its path. Labels may be hostile text, so they are markup made by [`crate::text`].
pub(crate) struct Crumb {
    pub(crate) label: Markup,
    pub(crate) path: Option<String>,
}

/// The parts of a page that its frame shows.
#[derive(Default)]
pub(crate) struct Frame {
    /// The page's name, in plain and visible characters; that of the site where it is empty.
    pub(crate) title: String,
    /// The heading; may hold labels.
    pub(crate) heading: Markup,
    /// A sentence under the heading.
    pub(crate) lead: Option<Markup>,
    /// The entry of the navigation bar that the page belongs to, by its path.
    pub(crate) nav: &'static str,
    /// The way to the page from the overview; the page itself is the last.
    pub(crate) crumbs: Vec<Crumb>,
    /// The page's own path, if it shows a period that can be changed.
    pub(crate) periods_of: Option<String>,
    /// The page's own path, if it shows no period and search engines may know it.
    pub(crate) path: Option<String>,
    /// Whether something on it is still being computed.
    pub(crate) pending: bool,
}

/// Renders a whole page.
pub(crate) fn page(context: &PageContext<'_>, frame: &Frame, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-now=(moment::iso(context.now)) {
            head {
                meta charset="utf-8";
                title { (title(context, frame)) }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                (about_page(context, frame))
                link rel="icon" type="image/svg+xml" href=(assets::icon().path);
                link rel="stylesheet" href=(assets::style().path);
                // Not deferred: it sets the chosen theme before anything is painted.
                script src=(assets::script().path) {}
                @if frame.pending {
                    // Without script the page comes again until everything is there.
                    noscript { meta http-equiv="refresh" content="3"; }
                }
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (header(context, frame))
                main #main tabindex="-1" {
                    @if let (Some(overview), false) = (context.href("/"), frame.crumbs.is_empty()) { (breadcrumbs(context, frame, &overview)) }
                    div.intro {
                        div {
                            h1 { (frame.heading) }
                            @if let Some(lead) = &frame.lead { p.lead { (lead) } }
                        }
                        @if let Some(path) = &frame.periods_of { (periods(context, path)) }
                    }
                    (content)
                }
                (footer(context))
            }
        }
    }
}

fn title(context: &PageContext<'_>, frame: &Frame) -> String {
    let name = &context.site.name;
    if frame.title.is_empty() { name.clone() } else { format!("{} – {name}", frame.title) }
}

/// Renders the tags for search engines and previews of links.
fn about_page(context: &PageContext<'_>, frame: &Frame) -> Markup {
    let description = frame.lead.as_ref().map(text::without_tags);
    let path = match (&frame.periods_of, &frame.path) {
        (Some(path), _) => Some(links::page(path, context.period)),
        (None, path) => path.clone(),
    };
    let address = context.site.public_url.as_ref().zip(path).map(|(site, path)| format!("{site}{path}"));
    html! {
        @let description = description.unwrap_or_else(|| html! { (DESCRIPTION) });
        meta name="description" content=(description);
        meta property="og:type" content="website";
        meta property="og:site_name" content=(context.site.name);
        meta property="og:title" content=(title(context, frame));
        meta property="og:description" content=(description);
        @if let Some(address) = address {
            meta property="og:url" content=(address);
            link rel="canonical" href=(address);
        }
    }
}

fn header(context: &PageContext<'_>, frame: &Frame) -> Markup {
    html! {
        header.site {
            div.top {
                a.brand href=(context.start().0) { (mark()) span { (context.site.name) } }
                nav aria-label="Pages" {
                    ul {
                        @for (path, label) in NAV {
                            @if let Some(href) = context.href(path) {
                                li { a href=(href) aria-current=[(path == frame.nav).then_some("page")] { (label) } }
                            }
                        }
                    }
                }
                button.theme type="button" hidden aria-label="Switch between light and dark" title="Light or dark" {
                    svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" {
                        circle cx="10" cy="10" r="7.5" {}
                        path d="M10 2.5a7.5 7.5 0 0 1 0 15z" {}
                    }
                }
            }
        }
    }
}

/// A watchful eye that is a radar screen too.
pub(crate) fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 32 32" width="30" height="30" aria-hidden="true" {
            path.lid d="M2 16Q9 6 16 6t14 10q-7 10-14 10T2 16z" {}
            circle.iris cx="16" cy="16" r="6.5" {}
            path.sweep d="M16 16V9.5a6.5 6.5 0 0 1 6.2 4.5z" {}
            circle.pupil cx="16" cy="16" r="1.7" {}
        }
    }
}

fn breadcrumbs(context: &PageContext<'_>, frame: &Frame, overview: &str) -> Markup {
    html! {
        nav.crumbs aria-label="Breadcrumbs" {
            ol {
                li { a href=(overview) { "Overview" } }
                @for crumb in &frame.crumbs {
                    li {
                        @match &crumb.path {
                            Some(path) => { a href=(links::page(path, context.period)) { (crumb.label) } },
                            None => { span aria-current="page" { (crumb.label) } },
                        }
                    }
                }
            }
        }
    }
}

fn periods(context: &PageContext<'_>, path: &str) -> Markup {
    html! {
        nav.periods aria-label="Period" {
            @for period in Period::ALL {
                a href=(links::page(path, *period)) aria-current=[(*period == context.period).then_some("true")]
                    title={ "Show " (moment::period(*period)) } { (period.scale().label) }
            }
        }
    }
}

fn footer(context: &PageContext<'_>) -> Markup {
    html! {
        footer.site {
            p.printed { "As of " (moment::on(context.now)) "." }
            @if !context.site.licence.is_empty() { p { (context.site.licence) } }
            p {
                "All times are UTC. "
                @if let Some(href) = &context.site.formats { a href=(href) { "Data and formats" } ". " }
                "Country shapes: Natural Earth."
            }
            p.about {
                @for (path, label) in [(ABOUT, "About"), (GLOSSARY, "Glossary"), (PRIVACY, "Privacy")] {
                    @if let Some(href) = context.href(path) { a href=(href) { (label) } " " }
                }
                @if let Some(contact) = &context.site.contact { a href=(contact) rel="external" { "Contact" } " " }
                "sview " (VERSION)
                @if let Some(source) = &context.site.source_url { " (" a href=(source) rel="external" { "source" } ")" }
            }
        }
    }
}
