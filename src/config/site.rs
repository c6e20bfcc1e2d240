//! Settings of the site's information about itself.

use anyhow::ensure;
use axum::http::Uri;
use chrono::{DateTime, Utc};
use clap::Args;

/// Settings of the site's information about itself. Texts are plain, pages escape them.
#[derive(Clone, Debug, Args)]
pub struct SiteSettings {
    /// Name of the site, in titles and at the top of pages
    #[arg(
        long,
        env = "SVIEW_SITE_NAME",
        global = true,
        default_value = "Sentinel View",
        value_name = "TEXT",
        value_parser = name,
        help_heading = "Pages"
    )]
    pub site_name: String,
    /// Who runs the site and why, for its page /about/: plain text, an empty line begins a paragraph
    #[arg(long, env = "SVIEW_ABOUT", global = true, default_value = "", value_name = "TEXT", help_heading = "Pages")]
    pub about: String,
    /// Where visitors reach the operator, for the pages' footer: mailto:… or https://…  [default: no link]
    #[arg(long, env = "SVIEW_CONTACT", global = true, value_name = "URL", value_parser = link, help_heading = "Pages")]
    pub contact: Option<String>,
    /// The operator's own privacy statement, linked from /privacy/: https://…  [default: no link]
    #[arg(long, env = "SVIEW_PRIVACY_URL", global = true, value_name = "URL", value_parser = link, help_heading = "Pages")]
    pub privacy_url: Option<String>,
    /// Where the source of the program is, for the pages' footer: https://…  [default: no link]
    #[arg(long, env = "SVIEW_SOURCE_URL", global = true, value_name = "URL", value_parser = link, help_heading = "Pages")]
    pub source_url: Option<String>,
    /// Where security problems are reported, for /.well-known/security.txt: mailto:… or https://…  [default: no such file]
    #[arg(
        long,
        env = "SVIEW_SECURITY_CONTACT",
        global = true,
        value_name = "URL",
        value_parser = security_contact,
        help_heading = "Pages"
    )]
    pub security_contact: Option<String>,
    /// When security.txt expires, an RFC 3339 time like 2027-01-01T00:00:00Z, less than a year ahead. Then the file is gone
    #[arg(
        long,
        env = "SVIEW_SECURITY_EXPIRES",
        global = true,
        value_name = "TIME",
        value_parser = moment,
        help_heading = "Pages"
    )]
    pub security_expires: Option<DateTime<Utc>>,
}

impl SiteSettings {
    /// Fails when one of two settings that need each other is missing.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            self.security_contact.is_some() == self.security_expires.is_some(),
            "SVIEW_SECURITY_CONTACT and SVIEW_SECURITY_EXPIRES need each other: set both or neither"
        );
        Ok(())
    }
}

fn name(text: &str) -> Result<String, String> {
    let plain = text.trim();
    let fits = (1..=60).contains(&plain.chars().count()) && !plain.chars().any(char::is_control);
    if fits { Ok(plain.to_owned()) } else { Err("is a line of 1 to 60 characters".to_owned()) }
}

/// An address that a page may link: http, https or mailto.
fn link(text: &str) -> Result<String, String> {
    let clean = text.chars().all(|c| !c.is_whitespace() && !c.is_control());
    let good = if let Some(address) = text.strip_prefix("mailto:") {
        address.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
    } else {
        let web = text.starts_with("https://") || text.starts_with("http://");
        web && text.parse::<Uri>().is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
    };
    let expected =
        "begins with https://, http:// or mailto:, like https://example.org/contact or mailto:me@example.org";
    if good && clean { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

fn security_contact(text: &str) -> Result<String, String> {
    // RFC 9116 wants https of addresses on the web.
    let good = link(text).is_ok() && !text.starts_with("http://");
    let expected = "begins with https:// or mailto:, like mailto:security@example.org";
    if good { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

fn moment(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text).map_err(|e| format!("{e}; write it like 2027-01-01T00:00:00Z"))?;
    Ok(time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_web_or_to_mail() {
        for good in ["https://example.org/a?b=c", "http://[2001:db8::1]:8080/", "mailto:me@example.org"] {
            assert_eq!(link(good).as_deref(), Ok(good));
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "https://",
            "//example.org",
            "me@example.org",
            "mailto:",
            "https://example.org/a b",
            "mailto:me@example.org\nContact: mailto:other@example.org",
            "",
        ] {
            assert!(link(bad).is_err(), "{bad}");
        }
        assert!(security_contact("http://example.org/").is_err());
        assert!(security_contact("https://example.org/report").is_ok());
        assert!(name(" ").is_err() && name("a\nb").is_err());
        assert_eq!(name(" Our view ").as_deref(), Ok("Our view"));
    }
}
