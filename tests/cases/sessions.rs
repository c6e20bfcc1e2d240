//! Sessions of a Cowrie log that go on in the next file: only the line of the connection says that they are Telnet.

use std::path::Path;
use std::process::Stdio;

use sview_testing::{Deployment, both};

use crate::stored::Stored;
use crate::{ended, ingest, input, read};

const DAYS: [&str; 2] = ["midnight.json.2025-03-01", "midnight.json.2025-03-02"];

async fn is_all_telnet(deployment: &Deployment) {
    let stored = Stored::of(deployment).await;
    assert_eq!(
        stored.incidents,
        [
            "2025-03-01T23:59:58Z 1 minipot_telnet connect 198.51.100.7 -",
            "2025-03-02T00:00:01Z 1 minipot_telnet login 198.51.100.7 -",
            "2025-03-02T00:00:03Z 1 minipot_telnet message 198.51.100.7 -",
        ]
    );
    assert_eq!(stored.passwords, ["2025-03-02T00:00:01Z 1 root/权限管理"]);
}

/// A line of a session.
fn line(event: &str, session: &str, rest: &str) -> String {
    format!(
        "{{\"eventid\":\"cowrie.{event}\",\"session\":\"{session}\",\"src_ip\":\"198.51.100.7\",\"sensor\":\"s\",\
         \"timestamp\":\"2025-03-01T12:00:00Z\"{rest}}}\n"
    )
}

/// How many incidents are of each trap.
async fn traps(deployment: &Deployment) -> [usize; 2] {
    let incidents = Stored::of(deployment).await.incidents;
    ["minipot_telnet", "haas"].map(|trap| incidents.iter().filter(|row| row.contains(trap)).count())
}

both! {
    async fn a_session_over_midnight_keeps_its_trap_within_a_command(deployment: Deployment) {
        read(&deployment, &[], &DAYS, 0);
        is_all_telnet(&deployment).await;
    }

    async fn a_session_over_midnight_keeps_its_trap_across_commands(deployment: Deployment) {
        for day in DAYS {
            read(&deployment, &[], &[day], 0);
        }
        is_all_telnet(&deployment).await;
    }

    async fn a_session_over_midnight_keeps_its_trap_through_pipes(deployment: Deployment) {
        for day in DAYS {
            let file = std::fs::File::open(input(day)).unwrap();
            let mut command = ingest(&deployment, &[], &[Path::new("-")]);
            ended(&command.stdin(Stdio::from(file)).output().unwrap(), 0);
        }
        is_all_telnet(&deployment).await;
    }

    async fn a_session_is_known_as_the_next_file_grows_and_when_it_is_read_again(deployment: Deployment) {
        let connect = line("session.connect", "a", ",\"protocol\":\"telnet\"");
        let (login, message) = (line("login.failed", "a", ""), line("command.input", "a", ""));
        let closed = line("session.closed", "a", "");
        let path = |name: &str| deployment.data_dir.join(name);
        let read = |name: &str, args: &[&str], text: &str| {
            std::fs::write(path(name), text).unwrap();
            ended(&ingest(&deployment, args, &[&path(name)]).output().unwrap(), 0)
        };
        read("first", &[], &connect);
        read("second", &[], &login);
        read("second", &[], &(login.clone() + &message));
        read("second", &[], &(login.clone() + &message + &message + &closed));
        assert_eq!(traps(&deployment).await, [4, 0]);
        read("second", &["--again"], &(login.clone() + &message + &message + &closed));
        assert_eq!(traps(&deployment).await, [7, 0]);
        // A session that was closed in its own file is not carried on; its name may come again.
        read("third", &[], &(line("session.connect", "b", ",\"protocol\":\"telnet\"") + &line("session.closed", "b", "")));
        read("fourth", &[], &line("login.failed", "b", ""));
        assert_eq!(traps(&deployment).await, [8, 1]);
    }
}
