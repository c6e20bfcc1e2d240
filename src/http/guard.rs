//! Keeps foreign sites from sending forms in a visitor's name.
//!
//! Browsers say where a request comes from: `Sec-Fetch-Site`, or `Origin` where they are older. A form must come from this very
//! site. A program that sends neither holds no visitor's cookie against their will.

use axum::http::{HeaderMap, header};

/// A state-changing request that another site caused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ForeignSite;

impl ForeignSite {
    /// The problem, for people.
    pub(crate) const HEADING: &str = "Another site sent this form";
    /// The advice, for people.
    pub(crate) const ADVICE: &str = "Open the page here and send the form from it.";
}

/// Refuses a state-changing request that another site caused.
pub(crate) fn same_site(headers: &HeaderMap) -> Result<(), ForeignSite> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let good = match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let host = text(header::HOST.as_str()).unwrap_or_default();
            origin.split_once("://").is_some_and(|(_, o)| o == host)
        }
        (None, None) => true,
    };
    if good { Ok(()) } else { Err(ForeignSite) }
}
