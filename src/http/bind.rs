//! Taking an address to listen on, and why that fails.

use std::io::{Error, ErrorKind};
use std::net::SocketAddr;

use anyhow::Context as _;
use tokio::net::TcpListener;

/// Listens on an address that `setting` names.
///
/// # Errors
/// Names the setting and the address, and says why it cannot be had and what to do.
pub(crate) async fn bind(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| no_listener(address, error)).with_context(|| format!("{setting} {address}"))
}

/// Returns the error of an address that cannot be listened on, with advice.
pub(crate) fn no_listener(address: SocketAddr, error: Error) -> anyhow::Error {
    let port = address.port();
    let advice = match error.kind() {
        ErrorKind::AddrInUse => {
            format!("another program listens there (`ss -ltnp 'sport = {port}'` shows which); name another port, or 0 for a free one")
        }
        ErrorKind::PermissionDenied if port < 1024 => {
            "this user may not listen on ports below 1024: name a higher one and put a proxy before it, or give the program \
             the capability CAP_NET_BIND_SERVICE (AmbientCapabilities= of systemd)"
                .to_owned()
        }
        ErrorKind::AddrNotAvailable => {
            "this machine has no such address; `ip address` lists those that it has, and 0.0.0.0 or [::] stands for all".to_owned()
        }
        _ => return error.into(),
    };
    anyhow::anyhow!("{advice}: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_cause_has_its_advice() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = taken.local_addr().unwrap();
        let said = |error: anyhow::Error| format!("{error:#}");
        let in_use = said(bind("SVIEW_LISTEN", here).await.unwrap_err());
        assert!(in_use.starts_with(&format!("SVIEW_LISTEN {here}: another program listens there")), "{in_use}");
        // An address for documentation, which no machine has.
        let strange = said(bind("SVIEW_LISTEN", "192.0.2.1:8080".parse().unwrap()).await.unwrap_err());
        assert!(strange.contains("no such address") && !strange.contains("another program"), "{strange}");
        let denied = || Error::from(ErrorKind::PermissionDenied);
        assert!(said(no_listener("0.0.0.0:80".parse().unwrap(), denied())).contains("below 1024"));
        assert!(!said(no_listener("0.0.0.0:8080".parse().unwrap(), denied())).contains("below 1024"));
    }
}
