//! The page to sign in.

use maud::{Markup, html};

use super::AdminContext;
use super::frame::{Frame, page};

/// The form of the token. `next` is where to go then.
#[must_use]
pub fn login(context: &AdminContext, next: &str, wrong: bool) -> Markup {
    let content = html! {
        section.card.form.login {
            @if wrong { p.message.bad role="alert" { "That is neither of the tokens." } }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                label for="token" { "Token" }
                input #token type="password" name="token" required autocomplete="current-password" autofocus
                    aria-describedby="token-hint";
                p.hint #token-hint { "One of " code { "SVIEW_ADMIN_TOKEN" } " and " code { "SVIEW_ADMIN_READ_TOKEN" } "." }
                p.actions { button.button.primary type="submit" { "Sign in" } }
            }
        }
    };
    page(context, &Frame { title: "Sign in", nav: "", lead: None, live: false }, &content)
}
