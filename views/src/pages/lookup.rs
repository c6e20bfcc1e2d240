//! Looking an address up: the form, which stands where visitors would look for it, and its own page.

use maud::{Markup, html};

use super::{ATTACKER, GREYLIST};
use crate::layout::{Crumb, Frame};
use crate::{PageContext, layout};

/// The path that the form leads to.
pub const LOOKUP: &str = "/attackers/details/ip/";

/// The longest text that may be typed: an IPv6 address, its dots and colons in brackets.
pub const LOOKED_UP: usize = 100;

/// Renders the form. `id` is that of its field, and `typed` its present content, which is hostile text.
pub(super) fn form(context: &PageContext<'_>, id: &str, typed: &str) -> Markup {
    html! {
        form.search method="get" action=(LOOKUP) role="search" {
            input type="hidden" name="period" value=(context.period);
            label for=(id) { "Look an address up" }
            input id=(id) type="search" name="ip" value=(typed) required maxlength=(LOOKED_UP) autocomplete="off"
                autocapitalize="none" spellcheck="false" placeholder="192.0.2.1 or 2001:db8::1";
            button.button { "Look up" }
        }
    }
}

/// Renders the form's own page; `wrong` is an input that is no address.
#[must_use]
pub fn lookup(context: &PageContext<'_>, wrong: Option<&str>) -> Markup {
    let content = html! {
        @if wrong.is_some() {
            div.message.bad role="alert" { p { "That is no address. Write one in IPv4 or IPv6, like 192.0.2.1 or 2001:db8::1." } }
        }
        section.card.form {
            h2 { "Which address?" }
            p { "What it did to the traps, and whether and until when it is on the " a href=(GREYLIST) { "greylist" } "." }
            (form(context, "ip", wrong.unwrap_or_default()))
        }
    };
    let title = "Look an address up";
    let frame = Frame {
        title: title.to_owned(),
        heading: html! { (title) },
        lead: None,
        nav: ATTACKER.path,
        crumbs: vec![
            Crumb { label: html! { "Attackers" }, path: Some(ATTACKER.path.to_owned()) },
            Crumb { label: html! { (title) }, path: None },
        ],
        periods_of: None,
        path: Some(LOOKUP.to_owned()),
        pending: false,
    };
    layout::page(context, &frame, &content)
}
