//! The frame of operators' pages.

use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, html};

use crate::{assets, moment};

/// The context of an operator's page, besides its content.
#[derive(Clone, Debug)]
pub struct AdminContext {
    /// The time of the machine, UTC.
    pub now: DateTime<Utc>,
    /// Whether the operator may act; else no form is shown.
    pub may_act: bool,
    /// Whether they signed in, and so can sign out.
    pub signed_in: bool,
    /// The result of the last action, shown above all.
    pub said: Option<String>,
}

const NAV: [(&str, &str); 8] = [
    ("/status", "Status"),
    ("/", "Queues"),
    ("/jobs", "Jobs"),
    ("/workers", "Workers"),
    ("/schedule", "Schedule"),
    ("/due", "Due"),
    ("/cache", "Cache"),
    ("/actions", "Actions"),
];

/// The parts of a page that its frame shows.
pub(super) struct Frame<'a> {
    /// Title and heading.
    pub(super) title: &'a str,
    /// The entry of the navigation bar that the page belongs to, by its path; empty: none, and no bar at all.
    pub(super) nav: &'static str,
    /// The part under the heading: a sentence, and forms.
    pub(super) lead: Option<Markup>,
    /// Whether the content changes by itself.
    pub(super) live: bool,
}

/// Renders a whole page.
pub(super) fn page(context: &AdminContext, frame: &Frame<'_>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-now=(moment::iso(context.now)) {
            head {
                meta charset="utf-8";
                title { (frame.title) " – Sentinel View, operators" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                link rel="icon" type="image/svg+xml" href=(assets::icon().path);
                link rel="stylesheet" href=(assets::style().path);
                link rel="stylesheet" href=(assets::admin_style().path);
                script src=(assets::script().path) {}
                script src=(assets::admin_script().path) {}
            }
            body.admin {
                a.skip href="#main" { "Skip to content" }
                (header(context, frame))
                main #main tabindex="-1" {
                    @if let Some(said) = &context.said { p.message role="status" { (said) } }
                    div.intro { div { h1 { (frame.title) } @if let Some(lead) = &frame.lead { div.lead { (lead) } } } }
                    div data-live[frame.live] { (content) }
                }
                footer.site { p { "All times are UTC." } }
            }
        }
    }
}

fn header(context: &AdminContext, frame: &Frame<'_>) -> Markup {
    html! {
        header.site {
            div.top {
                a.brand href="/" { (crate::layout::mark()) span { "Sentinel View" } small { "operators" } }
                @if !frame.nav.is_empty() {
                    nav aria-label="Pages" {
                        ul {
                            @for (path, label) in NAV {
                                li { a href=(path) aria-current=[(path == frame.nav).then_some("page")] { (label) } }
                            }
                        }
                    }
                }
                @if !context.may_act && context.signed_in { span.tag { "read only" } }
                @if context.signed_in {
                    form.signout method="post" action="/logout" { button.plain type="submit" { "Sign out" } }
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
