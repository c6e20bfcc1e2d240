//! Addresses to listen on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Reads an address to listen on: `IP:PORT`, `localhost:PORT`, or a port alone (`PORT`, `:PORT`). Without an address it is the IPv4
/// loopback, so that nobody serves other machines unawares.
///
/// # Errors
/// How an address is written.
pub(crate) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let local = host.is_empty() || host.eq_ignore_ascii_case("localhost");
    match port.parse() {
        Ok(port) if local => Ok(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)),
        _ => Err("write an IP address and a port, like 127.0.0.1:8080 or [::1]:8080, localhost:8080, or a port of this machine \
                  alone, like 8080; 0.0.0.0:8080 takes connections from other machines"
            .to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_may_be_a_port_or_localhost() {
        for (text, address) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("[::1]:80", "[::1]:80"),
            ("localhost:8080", "127.0.0.1:8080"),
            ("LOCALHOST:1", "127.0.0.1:1"),
            (":8080", "127.0.0.1:8080"),
            ("8080", "127.0.0.1:8080"),
        ] {
            assert_eq!(listen_address(text), Ok(address.parse().unwrap()), "{text}");
        }
        for text in
            ["", ":", "localhost", "127.0.0.1", "::1", "::1:8080:", "view.example.org:80", "70000", "-1", "+80 "]
        {
            assert!(listen_address(text).is_err_and(|error| error.contains("127.0.0.1:8080")), "{text}");
        }
    }
}
