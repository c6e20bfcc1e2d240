//! The greylist as firewalls and scripts of others take it.

use std::process::{Command, Stdio};

use sview_testing::{Deployment, Server, both, http, run, sview, told};

use crate::{SVIEW, input};

/// The moment of these cases.
const NOW: &str = "2026-03-01T12:00:00Z";

fn command(deployment: &Deployment, args: &[&str]) -> Command {
    let mut command = sview(SVIEW, deployment, args);
    command.env("SVIEW_NOW", NOW).stdin(Stdio::null());
    command
}

/// The list that an input makes, in a form.
fn list(deployment: &Deployment, form: &str, settings: &[(&str, &str)]) -> String {
    run(command(deployment, &["greylist", "--make", "--format", form]).envs(settings.iter().copied()))
}

fn ingested(deployment: &Deployment, name: &str) {
    run(&mut command(deployment, &["ingest", &input(name).display().to_string()]));
}

both! {
    async fn well_known_resolvers_are_not_listed(deployment: Deployment) {
        ingested(&deployment, "resolvers.csv");
        assert_eq!(list(&deployment, "txt", &[]), "");
        // Their scans alone weigh nothing either.
        assert_eq!(list(&deployment, "txt", &[("SVIEW_GREYLIST_WELL_KNOWN", "false")]), "");
        let server = Server::start(&mut command(&deployment, &["serve"]));
        for (ip, name) in [("8.8.8.8", "Google Public DNS"), ("1.1.1.1", "Cloudflare DNS"), ("9.9.9.9", "Quad9"), ("2001:4860:4860::8888", "Google Public DNS")] {
            let page = http::get(&format!("{}/attackers/details/ip/{ip}?period=1w", server.url)).body;
            assert!(page.contains(&format!("it is a well-known service ({name})")), "{page}");
            let why = command(&deployment, &["greylist", "--why", ip]).output().unwrap();
            assert!(why.status.code() == Some(1) && told(&why).contains(name), "{}", told(&why));
        }
    }

    async fn a_resolver_that_logs_in_is_listed_only_where_it_may_be(deployment: Deployment) {
        let text = std::fs::read_to_string(input("resolvers.csv")).unwrap().replace("fwlogs,small_port_scan", "minipot_telnet,login");
        let path = deployment.data_dir.join("logins.csv");
        std::fs::write(&path, text).unwrap();
        run(&mut command(&deployment, &["ingest", &path.display().to_string()]));
        assert_eq!(list(&deployment, "txt", &[]), "");
        let admitted = list(&deployment, "txt", &[("SVIEW_GREYLIST_WELL_KNOWN", "false")]);
        assert_eq!(admitted, "1.1.1.1\n8.8.8.8\n9.9.9.9\n2001:4860:4860::8888\n");
        let allowed = [("SVIEW_GREYLIST_WELL_KNOWN", "false"), ("SVIEW_GREYLIST_ALLOW", "8.0.0.0/7,2001:4860::/32")];
        assert_eq!(list(&deployment, "txt", &allowed), "1.1.1.1\n");
    }

    async fn each_address_family_has_a_list(deployment: Deployment) {
        ingested(&deployment, "families.csv");
        assert_eq!(list(&deployment, "ipv4", &[]), "45.83.64.1\n");
        assert_eq!(list(&deployment, "ipv6", &[]), "2a02:c207::1\n");
        let csv = list(&deployment, "csv", &[]);
        assert_eq!(csv, "# For the terms of use see /greylist-data/LICENSE.txt\nAddress,Tags\n45.83.64.1,telnet\n2a02:c207::1,telnet\n");
        let server = Server::start(&mut command(&deployment, &["serve"]));
        let get = |file: &str| http::get(&format!("{}/greylist-data/{file}", server.url));
        assert_eq!((get("LICENSE.txt").status, get("greylist-latest.csv").body), (200, csv));
        assert_eq!(get("greylist-latest-ipv4.txt").body, "45.83.64.1\n");
        if std::env::var_os("SVIEW_TEST_NO_NETFILTER").is_none() {
            let path = deployment.data_dir.join("greylist-latest.ipset");
            std::fs::write(&path, get("greylist-latest.ipset").body).unwrap();
            let script = format!(
                "ipset create sview-greylist4 hash:ip maxelem 65536 && ipset restore < {} && ipset test sview-greylist4 45.83.64.1 && ipset test sview-greylist6 2a02:c207::1 && ipset list sview-greylist | grep -c '^sview-greylist[46]$'",
                path.display()
            );
            let loaded = Command::new("unshare").args(["--map-root-user", "--net", "sh", "-c", &script]).output().unwrap();
            assert!(loaded.status.success(), "{}", told(&loaded));
        }
    }
}
