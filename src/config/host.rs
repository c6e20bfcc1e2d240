//! Names of hosts.

use axum::http::uri::Authority;

/// Whether a text is a host, with a port or without, and nothing that a shell or a page could take for more.
pub(crate) fn is_host(text: &str) -> bool {
    let plain =
        (1..=253).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b));
    text.parse::<Authority>().ok().filter(|_| plain).is_some_and(|authority| {
        let port = authority.as_str().strip_prefix(authority.host());
        !authority.host().is_empty()
            && port.is_some_and(|port| port.is_empty() || port[1..].parse::<u16>().is_ok_and(|port| port > 0))
    })
}
