//! Logs, tables and databases as other programs write them.

use sview_testing::{Deployment, both};

use crate::stored::Stored;
use crate::{ended, ingest, input, read};

/// Checks the rows of three events of Cowrie: a connection and two log-ins over SSH.
async fn is_three_events(deployment: &Deployment) {
    let stored = Stored::of(deployment).await;
    assert_eq!(
        stored.incidents,
        [
            "2025-03-01T10:00:00.000001Z 1 haas connect 198.51.100.9 -",
            "2025-03-01T10:00:01.000001Z 1 haas login 198.51.100.9 -",
            "2025-03-01T10:00:02.000001Z 1 haas login 198.51.100.9 -",
        ]
    );
    assert_eq!(
        stored.passwords,
        ["2025-03-01T10:00:01.000001Z 1 root/admin", "2025-03-01T10:00:02.000001Z 1 root/root"]
    );
}

/// The rows of `geoip-log.json` with a country by this database.
async fn countries(deployment: &Deployment, database: &str) -> Vec<String> {
    let path = input(database);
    read(deployment, &["--geoip-db", path.to_str().unwrap()], &["geoip-log.json"], 0);
    let stored = Stored::of(deployment).await;
    assert_eq!(stored.counts(), [6, 0, 0]);
    let known = stored.incidents.iter().filter(|row| !row.ends_with(" -"));
    known.map(|row| row.split(' ').skip(4).collect::<Vec<_>>().join(" ")).collect()
}

both! {
    async fn credentials_that_are_too_long_hide_no_incident(deployment: Deployment) {
        let long = "A".repeat(70_000);
        let event = |second: u32, name: &str, rest: &str| format!(
            r#"{{"eventid": "{name}", "src_ip": "198.51.100.9", "session": "s1", "sensor": "x", "protocol": "ssh", "timestamp": "2025-03-01T10:00:0{second}Z"{rest}}}"#
        );
        let log = [
            event(0, "cowrie.session.connect", ""),
            event(1, "cowrie.login.failed", &format!(r#", "username": "root", "password": "{long}""#)),
            event(2, "cowrie.login.failed", &format!(r#", "username": "{long}", "password": "root""#)),
            event(3, "cowrie.login.failed", r#", "username": "a\u0000b", "password": "\ud800""#),
        ];
        let file = deployment.data_dir.join("long-credential.json");
        std::fs::write(&file, log.join("\n")).unwrap();
        let said = ended(&ingest(&deployment, &[], &[&file]).output().unwrap(), 0);
        assert!(said.contains("2 log-ins counted without credentials: longer than 65,536 bytes"), "{said}");
        let stored = Stored::of(&deployment).await;
        assert_eq!(stored.counts(), [4, 1, 0]);
        assert_eq!(stored.passwords, ["2025-03-01T10:00:03Z 1 a␀b/\u{fffd}"]);
    }

    async fn a_table_as_psql_copies_it(deployment: Deployment) {
        read(&deployment, &[], &["psql-copy.csv"], 0);
        let stored = Stored::of(&deployment).await;
        assert_eq!(
            stored.passwords,
            ["2025-03-01T10:00:00Z 1 root/admin", "2025-03-01T10:00:00.250Z 1 root/x", "2025-03-01T10:00:00.500Z 2 root/a\nb"]
        );
    }

    async fn times_without_a_zone_are_utc(deployment: Deployment) {
        let said = read(&deployment, &[], &["no-zone.json"], 0);
        assert!(said.contains("3 times without a time zone: taken as UTC"), "{said}");
        is_three_events(&deployment).await;
    }

    async fn a_banner_before_the_events(deployment: Deployment) {
        let said = read(&deployment, &[], &["banner-first.json"], 3);
        assert!(said.contains("1 line rejected") && said.contains("banner-first.json:2:"), "{said}");
        is_three_events(&deployment).await;
    }

    async fn events_without_a_sensor(deployment: Deployment) {
        let said = read(&deployment, &[], &["no-sensor.json"], 0);
        assert!(said.contains("3 events without a sensor: counted for one nameless probe"), "{said}");
        is_three_events(&deployment).await;
        assert_eq!(deployment.texts("SELECT sn FROM identity").await, [[Some(String::new())]]);
    }

    async fn numbered_events_of_2015(deployment: Deployment) {
        for args in [&["--format", "cowrie"][..], &["--again"]] {
            read(&deployment, args, &["kipp-2015.json"], 0);
        }
        let stored = Stored::of(&deployment).await;
        assert_eq!(stored.counts(), [4, 2, 0], "twice");
        assert_eq!(stored.incidents[0], "2015-08-28T19:40:00.100Z 1 haas connect 198.51.100.9 -");
        assert_eq!(stored.passwords[0], "2015-08-28T19:40:05.100Z 1 root/admin");
    }

    async fn an_array_is_an_error_that_says_what_to_do(deployment: Deployment) {
        let said = read(&deployment, &[], &["cowrie-array.json"], 1);
        assert!(said.contains("JSON array") && said.contains("jq -c '.[]'"), "{said}");
        assert_eq!(Stored::of(&deployment).await.counts(), [0, 0, 0]);
    }

    async fn lines_that_end_with_cr(deployment: Deployment) {
        let mut command = ingest(&deployment, &[], &[&input("cr-only.csv")]);
        ended(&command.env("SVIEW_NOW", "2026-03-02T00:00:00Z").output().unwrap(), 0);
        let stored = Stored::of(&deployment).await;
        assert_eq!(stored.ports, ["2026-03-01T12:00:00Z 1 TCP/23", "2026-03-01T12:01:00Z 1 TCP/23"]);
    }

    async fn a_dash_is_no_country(deployment: Deployment) {
        read(&deployment, &[], &["country-dash.csv"], 0);
        let stored = Stored::of(&deployment).await;
        assert_eq!(
            stored.incidents,
            ["2025-03-01T10:00:00Z 1 fwlogs big_port_scan 198.51.100.8 -", "2025-03-01T10:00:00Z 1 fwlogs big_port_scan 198.51.100.9 -"]
        );
    }

    async fn countries_of_ipinfo_lite(deployment: Deployment) {
        assert!(countries(&deployment, "ipinfo-lite.mmdb").await.contains(&"198.51.100.9 CZ".to_owned()));
    }

    async fn countries_of_ipinfo(deployment: Deployment) {
        assert!(countries(&deployment, "ipinfo-country_asn.mmdb").await.contains(&"198.51.100.9 CZ".to_owned()));
    }

    async fn countries_of_iplocate(deployment: Deployment) {
        assert!(countries(&deployment, "iplocate.mmdb").await.contains(&"198.51.100.9 CZ".to_owned()));
    }

    async fn dbip_says_zz_for_unknown(deployment: Deployment) {
        assert_eq!(countries(&deployment, "dbip-zz.mmdb").await, [""; 0]);
    }
}
