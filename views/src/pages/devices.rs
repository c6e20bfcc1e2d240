//! The page of a session's devices and their reports.

use maud::{Markup, html};
use sview_model::{DeviceToken, Request};

use super::{DEVICES, statistics};
use crate::layout::{Crumb, Frame};
use crate::{PageContext, Slot, layout, links};

/// The content of the page of devices, besides the charts.
#[derive(Clone, Copy, Debug)]
pub struct Devices<'a> {
    /// The session's tokens, in the order in which they were added.
    pub tokens: &'a [DeviceToken],
    /// The result of the last form: a sentence to be shown above all.
    pub message: Option<&'a str>,
}

/// The page of a session's devices. Without any it explains where to find a token, and shows no chart.
#[must_use]
pub fn devices(context: &PageContext<'_>, devices: &Devices<'_>, slots: &[(Request, Slot)]) -> Markup {
    let any = !devices.tokens.is_empty();
    let content = html! {
        @if let Some(message) = devices.message { p.message role="status" { (message) } }
        @if any { (statistics::cards(context, &DEVICES, slots)) }
        div.cards {
            @if any { div.cell.half { (listed(devices)) } } @else { div.cell.half { (explained()) } }
            div.cell.half { (add_form()) }
        }
    };
    let frame = Frame {
        lead: any.then(|| statistics::lead(context, &DEVICES)),
        periods_of: any.then(|| DEVICES.path.to_owned()),
        pending: any && statistics::is_pending(slots),
        ..frame(DEVICES.title)
    };
    layout::page(context, &frame, &content)
}

/// The page that asks to confirm a device that a link wants to add: a link alone changes nothing.
#[must_use]
pub fn confirm_device(context: &PageContext<'_>, token: &DeviceToken) -> Markup {
    let content = html! {
        section.card.form {
            h2 { "Add the device " code { (token.short()) "…" } "?" }
            p { "A link asked to add this device to your session. Go on only if the link came from your own router." }
            form method="post" action="/api/device/add" {
                (hidden(token))
                p.actions {
                    button.button.primary type="submit" { "Add the device" }
                    a.button href=(links::page(DEVICES.path, context.period)) { "Leave it" }
                }
            }
        }
    };
    layout::page(context, &frame("Add a device"), &content)
}

fn frame(title: &str) -> Frame {
    let mut crumbs = vec![Crumb { label: html! { (DEVICES.title) }, path: None }];
    if title != DEVICES.title {
        crumbs[0].path = Some(DEVICES.path.to_owned());
        crumbs.push(Crumb { label: html! { (title) }, path: None });
    }
    Frame {
        title: title.to_owned(),
        heading: html! { (title) },
        lead: None,
        nav: DEVICES.path,
        crumbs,
        periods_of: None,
        path: None,
        pending: false,
    }
}

fn hidden(token: &DeviceToken) -> Markup {
    html! {
        input type="hidden" name="device_token" value=(token.as_str());
    }
}

fn listed(devices: &Devices<'_>) -> Markup {
    html! {
        section.card.form {
            h2 { "Devices of this session" }
            ul.devices {
                @for token in devices.tokens {
                    li {
                        code { (token.short()) "…" }
                        form method="post" action="/api/device/delete" {
                            (hidden(token))
                            button.button type="submit" aria-label={ "Remove the device " (token.short()) "…" } { "Remove" }
                        }
                    }
                }
            }
            p.hint { "Only the beginning of each token is shown: whoever knows the whole of it sees what the device saw." }
        }
    }
}

fn explained() -> Markup {
    html! {
        section.card.form {
            h2 { "See what your own router saw" }
            p { "Add the device token of your router, and this page shows the incidents that its own probe reported." }
            p {
                "You find the token in your router’s administration, in reForis under " b { "Sentinel" }
                ", or on its command line with " code { "uci get sentinel.main.device_token" } "."
            }
            p.hint { "The token stays in a cookie of this browser. It is no password, but treat it like one." }
        }
    }
}

fn add_form() -> Markup {
    let length = DeviceToken::LENGTH;
    html! {
        section.card.form {
            h2 { "Add a device" }
            form method="post" action="/api/device/add" {
                label for="device_token" { "Device token" }
                input #device_token type="text" name="device_token" required autocomplete="off" autocapitalize="none"
                    spellcheck="false" minlength=(length) maxlength=(length) pattern={ "[a-z0-9]{" (length) "}" }
                    aria-describedby="token-form";
                p.hint #token-form { (length) " characters, lower-case letters and digits." }
                p.actions { button.button.primary type="submit" { "Add the device" } }
            }
        }
    }
}
