//! Pages of cards.

use maud::{Markup, html};
use sview_model::{Request, Subject};

use super::{ATTACKER, Page, Width, lookup};
use crate::layout::{Crumb, Frame};
use crate::{PageContext, Slot, card, layout, moment};

/// Renders a statistics page. `slots` are the page's requests with the state of each, in the page's order.
#[must_use]
pub fn statistics(context: &PageContext<'_>, page: &Page, slots: &[(Request, Slot)]) -> Markup {
    let crumb = Crumb { label: html! { (page.title) }, path: None };
    let frame = Frame {
        title: if page.path == "/" { String::new() } else { page.title.to_owned() },
        heading: html! { (page.title) },
        lead: Some(lead(context, page)),
        nav: page.path,
        crumbs: if page.path == "/" { Vec::new() } else { vec![crumb] },
        periods_of: Some(page.path.to_owned()),
        pending: is_pending(slots),
        path: None,
    };
    let content = html! {
        @if page.path == ATTACKER.path { section.card.form.bar { (lookup::form(context, "ip", "")) } }
        (cards(context, page, slots))
    };
    layout::page(context, &frame, &content)
}

/// Renders the page's subject and period, in a sentence.
pub(super) fn lead(context: &PageContext<'_>, page: &Page) -> Markup {
    html! { (page.lead) " " (moment::period(context.period)) "." }
}

/// Whether the page has to wait for anything.
pub(super) fn is_pending(slots: &[(Request, Slot)]) -> bool {
    slots.iter().any(|(_, slot)| slot.is_pending())
}

/// The cards in their grid. The width belongs to the cell, so that the script can exchange the card in it.
pub(super) fn cards(context: &PageContext<'_>, page: &Page, slots: &[(Request, Slot)]) -> Markup {
    html! {
        div.cards {
            @for (request, slot) in slots {
                @let width: Width = page.width_of(request.resource().name);
                div class={ "cell " (width.class()) } { (card(request, slot, &context.cards())) }
            }
        }
        @if slots.iter().any(|(request, _)| request.resource().subject == Subject::Everything) {
            p.note { "A point stands for the window that ends there. Probes report late: the newest numbers may still grow." }
        }
    }
}
