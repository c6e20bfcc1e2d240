//! Forms by which operators act, and the page that asks before something is destroyed.

use maud::{Markup, html};

use super::AdminContext;
use super::frame::{Frame, page};
use crate::number::grouped;
use crate::{links, text};

/// An action, as the fields of the form that does it. Values may be hostile text.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The label of the button.
    pub label: &'static str,
    /// Whether a page asks before it is done.
    pub asks: bool,
    /// The fields: `action` and its jobs.
    pub fields: Vec<(&'static str, String)>,
}

impl Ask {
    /// The action on one thing.
    #[must_use]
    pub fn one(label: &'static str, action: &'static str, asks: bool, of: (&'static str, String)) -> Self {
        Self { label, asks, fields: vec![("action", action.to_owned()), of] }
    }

    /// The button that does it, or the link to the page that asks.
    pub(super) fn button(&self) -> Markup {
        if self.asks {
            let pairs: Vec<String> =
                self.fields.iter().map(|(name, value)| format!("{name}={}", links::encoded(value))).collect();
            return html! { a.button.small href={ "/confirm?" (pairs.join("&")) } { (self.label) "…" } };
        }
        html! {
            form.inline method="post" action="/act" {
                (hidden(&self.fields))
                button.button.small type="submit" { (self.label) }
            }
        }
    }
}

fn hidden(fields: &[(&'static str, String)]) -> Markup {
    html! { @for (name, value) in fields { input type="hidden" name=(name) value=(value); } }
}

/// Several buttons; nothing for those who may not act.
pub(super) fn buttons(context: &AdminContext, asks: &[Ask]) -> Markup {
    html! { @if context.may_act && !asks.is_empty() { p.acts { @for ask in asks { (ask.button()) " " } } } }
}

/// The content of the page that asks for confirmation.
#[derive(Clone, Debug)]
pub struct Confirm {
    /// The question, as a heading.
    pub question: String,
    /// The consequences, a sentence each.
    pub consequences: Vec<String>,
    /// Words of the newest of the things that it is done to; may be hostile.
    pub examples: Vec<String>,
    /// How many more there are.
    pub more: usize,
    /// The action to confirm.
    pub ask: Ask,
    /// The address to go to instead.
    pub back: String,
    /// Whether there is anything to do at all.
    pub any: bool,
}

/// The page that asks before something is destroyed. Looking at it changes nothing.
#[must_use]
pub fn confirm(context: &AdminContext, confirm: &Confirm) -> Markup {
    let content = html! {
        section.card.form {
            @for sentence in &confirm.consequences { p { (sentence) } }
            @if !confirm.examples.is_empty() {
                ul.examples {
                    @for words in &confirm.examples { li { (text::visible(words, 300)) } }
                    @if confirm.more > 0 { li { "and " (grouped(confirm.more as u64)) " more" } }
                }
            }
            form method="post" action="/act" {
                (hidden(&confirm.ask.fields))
                p.actions {
                    @if confirm.any { button.button.danger type="submit" { (confirm.ask.label) } }
                    a.button href=(confirm.back) { "Leave it" }
                }
            }
        }
    };
    page(context, &Frame { title: &confirm.question, nav: "/jobs", lead: None, live: false }, &content)
}
