//! Tests of the site's information about itself: for visitors, for search engines, for finders of problems.

use sview_testing::{Server, both, http};

use crate::site::start;

fn get(server: &Server, path: &str) -> http::Answer {
    http::get(&format!("{}{path}", server.url))
}

/// The whole addresses in a site map.
fn addresses(map: &str) -> Vec<String> {
    map.split("<loc>").skip(1).map(|rest| rest.split("</loc>").next().unwrap().to_owned()).collect()
}

const SITE: &str = "https://view.example.org";

both! {
    async fn a_site_that_was_told_who_it_is_says_so(deployment: Deployment) {
        let settings = [
            ("SVIEW_PUBLIC_URL", SITE),
            ("SVIEW_SITE_NAME", "Our <view>"),
            ("SVIEW_ABOUT", "We are <b>many</b>.\n\nAnd we \"watch\"."),
            ("SVIEW_CONTACT", "mailto:us@example.org"),
            ("SVIEW_PRIVACY_URL", "https://example.org/privacy?a=1&b=2"),
            ("SVIEW_SOURCE_URL", "https://example.org/source"),
            ("SVIEW_SECURITY_CONTACT", "mailto:security@example.org"),
            ("SVIEW_SECURITY_EXPIRES", "2026-12-31T23:00:00Z"),
        ];
        let server = start(&deployment, "serve", &settings);
        let robots = get(&server, "/robots.txt");
        assert_eq!((robots.status, robots.header("content-type")), (200, "text/plain; charset=utf-8"));
        assert!(robots.body.starts_with("User-agent: *\nDisallow: /"), "{}", robots.body);
        assert!(robots.body.ends_with(&format!("\nSitemap: {SITE}/sitemap.xml\n")), "{}", robots.body);

        let map = get(&server, "/sitemap.xml");
        assert_eq!((map.status, map.header("content-type")), (200, "application/xml"));
        let listed = addresses(&map.body);
        assert!(listed.len() >= 12, "{listed:?}");
        for address in &listed {
            let path = address.strip_prefix(SITE).unwrap();
            let disallowed = robots.body.lines().filter_map(|line| line.strip_prefix("Disallow: "));
            let page = get(&server, path);
            assert_eq!(page.status, 200, "{address}");
            let canonical = format!("<link rel=\"canonical\" href=\"{address}\">");
            assert!(page.body.contains(&canonical), "{address}: {}", &page.body[..2000]);
            assert!(page.body.contains(&format!("<meta property=\"og:url\" content=\"{address}\">")), "{address}");
            assert!(page.body.contains("<meta name=\"description\" content=\""), "{address}");
            assert!(page.body.contains("<meta property=\"og:title\" content=\""), "{address}");
            assert!(!disallowed.into_iter().any(|rule| path.starts_with(rule)), "{address}");
        }

        let security = get(&server, "/.well-known/security.txt");
        assert_eq!((security.status, security.header("content-type")), (200, "text/plain; charset=utf-8"));
        let expected = format!(
            "Contact: mailto:security@example.org\nExpires: 2026-12-31T23:00:00Z\nCanonical: {SITE}/.well-known/security.txt\n"
        );
        assert_eq!(security.body, expected);

        let about = get(&server, "/about/").body;
        assert!(about.contains("<title>About – Our &lt;view&gt;</title>"), "{about}");
        assert!(about.contains("<p>We are &lt;b&gt;many&lt;/b&gt;.</p><p>And we &quot;watch&quot;.</p>"), "{about}");
        for link in ["/about/?period=1w", "/glossary/?period=1w", "/privacy/?period=1w", "mailto:us@example.org", "https://example.org/source"] {
            assert!(about.contains(&format!("href=\"{link}\"")), "{link}: {about}");
        }
        assert!(about.contains(concat!("sview ", env!("CARGO_PKG_VERSION"))), "{about}");
        let privacy = get(&server, "/privacy/").body;
        assert!(privacy.contains("href=\"https://example.org/privacy?a=1&amp;b=2\""), "{privacy}");
        let glossary = get(&server, "/glossary/?period=1y").body;
        for word in ["Telnet minipot", "Small port scan", "Incident", "3 Months", "/?period=1y"] {
            assert!(glossary.contains(word), "{word}: {glossary}");
        }
        assert_eq!(get(&server, "/about").header("location"), "/about/");
    }

    async fn a_site_that_was_told_nothing_claims_nothing(deployment: Deployment) {
        let server = start(&deployment, "serve", &[]);
        assert!(!get(&server, "/robots.txt").body.contains("Sitemap"));
        for path in ["/sitemap.xml", "/.well-known/security.txt"] {
            assert_eq!(get(&server, path).status, 404, "{path}");
        }
        for path in ["/?period=1w", "/about/", "/privacy/", "/glossary/"] {
            let page = get(&server, path);
            assert_eq!(page.status, 200, "{path}");
            assert!(!page.body.contains("canonical") && !page.body.contains("og:url"), "{path}");
            assert!(page.body.contains("<meta property=\"og:site_name\" content=\"Sentinel View\">"), "{path}");
        }
        let icon = get(&server, "/favicon.ico");
        assert_eq!((icon.status, icon.header("content-type")), (200, "image/vnd.microsoft.icon"));
    }

    async fn a_contact_that_has_expired_is_told_to_nobody(deployment: Deployment) {
        let expired = [("SVIEW_SECURITY_CONTACT", "https://example.org/report"), ("SVIEW_SECURITY_EXPIRES", "2026-03-15T12:34:56Z")];
        let server = start(&deployment, "serve", &expired);
        assert_eq!(get(&server, "/.well-known/security.txt").status, 404);
    }
}
