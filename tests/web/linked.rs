//! Every link of every page leads somewhere.

use sview_testing::both;

use crate::links::{assert_none_is_broken, follow};
use crate::site::{ATTACKER, full};

const SITE: &str = "https://view.example.org";

both! {
    async fn no_link_of_any_page_is_broken(deployment: Deployment) {
        let settings = [
            ("SVIEW_PUBLIC_URL", SITE),
            ("SVIEW_SECURITY_CONTACT", "mailto:security@example.org"),
            ("SVIEW_SECURITY_EXPIRES", "2026-12-31T23:00:00Z"),
        ];
        let server = full(&deployment, &settings);
        let asked = follow(&server.url, &["/"], Some(SITE));
        assert_none_is_broken(&asked);
        let attacker = format!("/attackers/details/ip/{ATTACKER}");
        let pages = [
            "/", "/incidents/", "/attackers/", "/passwords/", "/ports/", "/devices/", "/greylist-data/", "/passcheck/", "/api/",
            "/about/", "/glossary/", "/privacy/", "/passwords/details/", "/resource/all_incidents_graph.csv", "/api/openapi.json",
            &attacker,
        ];
        for page in pages {
            assert!(asked.keys().any(|path| path.starts_with(page)), "{page} is linked nowhere: {:?}", asked.keys());
        }
        // Pages of errors, and of what needs something typed.
        let others = ["/nowhere", "/attackers/details/ip/", "/attackers/details/ip/192.0.2.77", "/passwords/details/bm9ib2R5"];
        let asked = follow(&server.url, &others, Some(SITE));
        let broken: Vec<_> = asked.into_iter().filter(|(_, status)| *status >= 400 && ![429, 503].contains(status)).collect();
        assert_eq!(broken, [("/nowhere".to_owned(), 404)]);
    }
}
