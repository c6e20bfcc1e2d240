//! A server over a few reports, under a frozen clock.

use std::fmt::Write as _;

use sview_testing::{Deployment, Server, run, sview};

pub(crate) const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
pub(crate) const NOW: &str = "2026-03-15T12:34:56Z";

/// A password whose base64 has a slash and a plus in the standard alphabet.
pub(crate) const ODD_PASSWORD: &str = "?>>?~~";
/// A text that an attacker would like a spreadsheet to run.
pub(crate) const FORMULA: &str = "=cmd|' /C calc'!A0";
pub(crate) const SCRIPT: &str = "<script>alert(\"1\")</script>";
pub(crate) const ATTACKER: &str = "198.51.100.7";

/// The token of a device: sixty-four times the same character.
pub(crate) fn token(character: char) -> String {
    character.to_string().repeat(64)
}

/// Reports the same few incidents, passwords and ports; the devices of `a` and `b` saw 3 and 5 incidents in the last hour.
pub(crate) fn ingest(deployment: &Deployment) {
    let write = |name: &str, text: String| {
        let path = deployment.data_dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mut incidents = "time,raw_count,device_token,trap,action,ip,country\n".to_owned();
    for (device, count, country) in [('a', 3, "CZ"), ('b', 5, "DE")] {
        let token = token(device);
        let _ =
            writeln!(incidents, "2026-03-15T12:10:00.000Z,{count},{token},minipot_telnet,login,{ATTACKER},{country}");
        let _ = writeln!(incidents, "2026-03-14T12:10:00.000Z,1,{token},fwlogs,small_port_scan,2001:db8::7,");
    }
    let mut passwords = csv::Writer::from_writer(Vec::new());
    passwords.write_record(["time", "raw_count", "username", "password"]).unwrap();
    for (count, password) in [("4", ODD_PASSWORD), ("3", FORMULA), ("2", SCRIPT), ("1", "a\"b,c\nd")] {
        passwords.write_record(["2026-03-15T12:11:00.000Z", count, "root", password]).unwrap();
    }
    let ports = "time,raw_count,port,protocol\n2026-03-15T12:12:00.000Z,9,23,TCP\n".to_owned();
    let files = [
        write("incidents.csv", incidents),
        write("passwords.csv", String::from_utf8(passwords.into_inner().unwrap()).unwrap()),
        write("ports.csv", ports),
    ];
    let mut args = vec!["ingest"];
    args.extend(files.iter().map(String::as_str));
    run(sview(SVIEW, deployment, &args).env("SVIEW_NOW", NOW));
}

/// A server with everything computed, and workers for the rest. More of the environment may be set.
pub(crate) fn full(deployment: &Deployment, environment: &[(&str, &str)]) -> Server {
    ingest(deployment);
    run(sview(SVIEW, deployment, &["refresh", "--wait"]).env("SVIEW_NOW", NOW));
    start(deployment, "up", environment)
}

/// A server of this deployment.
pub(crate) fn start(deployment: &Deployment, command: &str, environment: &[(&str, &str)]) -> Server {
    let mut command = sview(SVIEW, deployment, &[command]);
    Server::start(command.env("SVIEW_NOW", NOW).envs(environment.iter().copied()))
}

/// The sum of a series.
pub(crate) fn total(series: &serde_json::Value) -> u64 {
    series.as_array().unwrap().iter().map(|point| point["count"].as_u64().unwrap()).sum()
}
