//! The page that checks a password, and the page of its API for programs. The page's script hashes the password and never sends it. The
//! form has no address to send it to, and the field no name to send it by.

use maud::{Markup, html};
use sview_model::Source;

use crate::layout::{Crumb, Frame};
use crate::{PageContext, assets, layout};

/// The path of the checker.
pub const PASSCHECK: &str = "/passcheck/";

/// The path of its API.
pub const PASSCHECK_API: &str = "/passcheck/apiv1/";

/// The path of its API's page.
pub const PASSCHECK_DOC: &str = "/passcheck/apiv1/doc";

/// The schema of a request or an answer.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The path of the schema.
    pub path: String,
    /// The title of what it describes.
    pub title: &'static str,
    /// The JSON Schema.
    pub text: String,
}

/// The checker, at `site`: scheme and host, as its visitor knows them.
#[must_use]
pub fn passcheck(context: &PageContext<'_>, site: &str) -> Markup {
    let content = html! {
        div.cards {
            div.cell.half { (checker()) }
            div.cell.half { (explained(site)) }
        }
        script src=(assets::passcheck_script().path) defer {}
    };
    let lead = "Has your password been tried against honeypots?";
    layout::page(context, &frame(PASSCHECK, "Password check", lead, Vec::new()), &content)
}

fn checker() -> Markup {
    html! {
        section.card.form {
            h2 { "Check a password" }
            noscript {
                p.message {
                    "This page needs script, and here is why: only so can your browser hash the password itself. Without it, the "
                    "password would have to be sent to us, and then it would be no secret any more. "
                    a href="#by-hand" { "You can ask without script" } " with tools of your own."
                }
            }
            p.message #insecure hidden role="alert" {
                "This page came over an unencrypted connection. Browsers refuse to hash there, for others on the way could have "
                "changed the page. Open it by an address that begins with " code { "https:" } "."
            }
            form #passcheck hidden {
                label for="password" { "Password" }
                input #password type="password" required autocomplete="off" autocapitalize="none" spellcheck="false"
                    aria-describedby="promise";
                p.hint #promise { "It stays in this browser: only the first 5 of the 40 digits of its hash are sent." }
                p.actions {
                    button.button.primary type="submit" { "Check" }
                    button.button #reveal type="button" aria-pressed="false" { "Show what I type" }
                }
            }
            div #outcome role="status" {}
            // The words that the script needs, so that they are written once.
            template #source-words {
                @for source in Source::ALL { data value=(source) { (source.trap().term().name) } }
            }
        }
    }
}

fn explained(site: &str) -> Markup {
    html! {
        section.card.form {
            h2 { "How it stays a secret" }
            p {
                "Your browser computes the SHA-1 hash of the password and sends its first five digits. We answer with all hashes that "
                "begin so, and how often the password of each was seen; your browser looks whether yours is among them. We learn one "
                "of a million prefixes, which thousands of passwords share, and keep no record of it."
            }
            p { "What is known comes from attackers who tried to log in to honeypots, and from lists of leaked passwords." }
            h3 #by-hand { "Without this page" }
            p {
                "The same is to be had " a href=(PASSCHECK_DOC) { "for programs" } ", and at "
                code { "/range/" } " with every tool that checks passwords by ranges of hashes. By hand:"
            }
            pre.typed { code { (BY_HAND.replace("$SITE", site)) } }
            p.hint { "No line means that it was not seen, as long as there is no error message." }
        }
    }
}

const BY_HAND: &str = "\
IFS= read -rs PASSWORD
HASH=$(printf %s \"$PASSWORD\" | sha1sum | cut -c-40 | tr a-f A-F)
curl -fsS \"$SITE/range/${HASH%${HASH#?????}}\" | grep \"^${HASH#?????}:\"";

/// The page of the API, at `site`.
#[must_use]
pub fn passcheck_doc(context: &PageContext<'_>, site: &str, schemas: &[Schema]) -> Markup {
    let content = html! {
        div.cards {
            div.cell.full { (introduction()) }
            div.cell.half { (example("With curl", &CURL.replace("$SITE", site))) }
            div.cell.half { (example("In Python", &PYTHON.replace("$SITE", site))) }
            @for schema in schemas {
                div.cell.half {
                    section.card.form {
                        h2 { (schema.title) }
                        p { "JSON Schema 2020-12 at " a href=(schema.path) { code { (schema.path) } } }
                        div.scroll tabindex="0" { pre.typed { code { (schema.text) } } }
                    }
                }
            }
        }
    };
    let way = vec![Crumb { label: html! { "Password check" }, path: Some(PASSCHECK.to_owned()) }];
    layout::page(
        context,
        &frame(PASSCHECK_DOC, "Password check for programs", "Tell the beginning of a hash, and find the rest.", way),
        &content,
    )
}

fn introduction() -> Markup {
    html! {
        section.card.form {
            h2 { "How to ask" }
            p {
                "Hash the password with SHA-1 and send the first six hex digits, in lower case, by POST as JSON to "
                code { (PASSCHECK_API) } " or " code { "/api/leaked" } ". The answer holds all known passwords whose hash begins so; look "
                "yourself whether yours is among them. " code { "SUCCESS" } " is an answer with data, " code { "NO_QUERY" }
                " one without, " code { "VALIDATION_ERROR" } " says what is wrong with a request; what is not JSON at all is answered with "
                code { "API error" } "."
            }
            p {
                code { "POST /passcheck/apiv1/seen" } " takes five digits and tells the first and the last day as well. "
                code { "GET /range/5BAA6" } " answers in the lines that other checkers of leaked passwords use, for NTLM hashes with "
                code { "?mode=ntlm" } "; with the header " code { "Add-Padding: true" } " its length does not tell how many there are."
            }
            p { "How many requests a client may send in a minute is limited; the answer 429 says in " code { "Retry-After" } " when to go on." }
        }
    }
}

fn example(title: &str, text: &str) -> Markup {
    html! {
        section.card.form {
            h2 { (title) }
            pre.typed { code { (text) } }
        }
    }
}

const CURL: &str = "\
$ printf %s password | sha1sum
5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8  -
$ curl --json '{\"msg_type\": \"request\", \"hash\": \"5baa61\"}' $SITE/passcheck/apiv1/
{\"msg_type\": \"response\", \"status\": \"SUCCESS\", \"data\": [
  {\"hash\": \"5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8\", \"count\": 42, \"sources\": [\"telnet\", \"haas\"]}]}";

const PYTHON: &str = "\
import getpass, hashlib, json, urllib.request

digest = hashlib.sha1(getpass.getpass().encode()).hexdigest()
request = urllib.request.Request(
    \"$SITE/passcheck/apiv1/\",
    json.dumps({\"msg_type\": \"request\", \"hash\": digest[:6]}).encode(),
    {\"Content-Type\": \"application/json\"},
)
answer = json.load(urllib.request.urlopen(request))
seen = [row for row in answer.get(\"data\", []) if row[\"hash\"] == digest]
print(seen[0][\"count\"] if seen else 0, \"times\")";

fn frame(path: &str, title: &str, lead: &str, mut way: Vec<Crumb>) -> Frame {
    way.push(Crumb { label: html! { (title) }, path: None });
    Frame {
        title: title.to_owned(),
        heading: html! { (title) },
        lead: Some(html! { (lead) }),
        nav: PASSCHECK,
        crumbs: way,
        periods_of: None,
        path: Some(path.to_owned()),
        pending: false,
    }
}
