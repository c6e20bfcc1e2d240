//! The glossary: the meaning of the words on the pages.

use maud::{Markup, html};
use sview_model::vocabulary::{MEASURES, Term};
use sview_model::{Action, Period, Trap};

use crate::layout::{Crumb, Frame};
use crate::text::capitalised;
use crate::{PageContext, layout, moment};

/// The path of the glossary.
pub const GLOSSARY: &str = "/glossary/";

/// Renders the page.
#[must_use]
pub fn glossary(context: &PageContext<'_>) -> Markup {
    let title = "Glossary";
    let content = html! {
        div.cards {
            div.cell.half { (terms("Traps", "Programs that wait for attackers and report them.", Trap::ALL.iter().map(|trap| trap.term()))) }
            div.cell.half { (terms("Actions", "What attackers do to a trap.", Action::ALL.iter().map(|action| action.term()))) }
            div.cell.half { (terms("Measures", "What is counted, and what is made of it.", MEASURES.into_iter())) }
            div.cell.half { (periods()) }
        }
    };
    let frame = Frame {
        title: title.to_owned(),
        heading: html! { (title) },
        lead: Some(html! { "What the words on these pages mean." }),
        nav: GLOSSARY,
        path: Some(GLOSSARY.to_owned()),
        crumbs: vec![Crumb { label: html! { (title) }, path: None }],
        ..Frame::default()
    };
    layout::page(context, &frame, &content)
}

fn terms(title: &str, lead: &str, terms: impl Iterator<Item = Term>) -> Markup {
    html! {
        section.card.form {
            h2 { (title) }
            p { (lead) }
            dl.terms { @for term in terms { dt { (capitalised(term.name)) } dd { (term.meaning) } } }
        }
    }
}

fn periods() -> Markup {
    html! {
        section.card.form {
            h2 { "Periods" }
            p {
                "How far back a page looks. Only whole steps are shown, so the newest numbers are up to a step old. All times are UTC."
            }
            dl.terms {
                @for period in Period::ALL {
                    dt { (period.scale().label) }
                    dd { (capitalised(moment::period(*period))) "." }
                }
            }
        }
    }
}
