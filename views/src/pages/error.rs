//! The page of an error: the problem, the expected input, the advice.

use maud::{Markup, html};

use crate::layout::Frame;
use crate::{PageContext, layout};

/// The content of an error page.
#[derive(Clone, Debug)]
pub struct ErrorPage {
    /// The HTTP status.
    pub status: u16,
    /// The problem: `There is no such page`.
    pub heading: String,
    /// The input that was expected instead, if that helps.
    pub expected: Option<String>,
    /// The advice for the visitor.
    pub advice: String,
}

impl ErrorPage {
    /// The page of an address that leads nowhere, on a server with an overview.
    #[must_use]
    pub fn not_found() -> Self {
        Self {
            status: 404,
            heading: "There is no such page".to_owned(),
            expected: None,
            advice: "Check the address, or begin at the overview.".to_owned(),
        }
    }
}

/// The page of an error.
#[must_use]
pub fn error(context: &PageContext<'_>, error: &ErrorPage) -> Markup {
    let frame = Frame {
        title: error.heading.clone(),
        heading: html! { (error.heading) },
        lead: None,
        nav: "",
        crumbs: Vec::new(),
        periods_of: None,
        path: None,
        pending: false,
    };
    let content = html! {
        section.card.form.error {
            p.status { "Error " (error.status) }
            @if let Some(expected) = &error.expected { p { "Expected: " (expected) } }
            p { (error.advice) }
            @let (href, name) = context.start();
            p.actions { a.button.primary href=(href) { "To the " (name) } }
        }
    };
    layout::page(context, &frame, &content)
}
