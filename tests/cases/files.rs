//! Files as logs leave them: rotated, compressed, grown.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flate2::{Compression, write::GzEncoder};
use sview_testing::{Deployment, Patience, both, sview};

use crate::stored::Stored;
use crate::{SVIEW, ended, ingest, input, read};

/// Lines `from` to `to` of a log of 30 port scans.
fn scans(from: usize, to: usize) -> String {
    let line = |i| format!("{{\"time\":\"2025-03-01T10:{i:02}:00Z\",\"port\":{i},\"protocol\":\"TCP\"}}\n");
    (from..to).map(line).collect()
}

fn gzip(text: &str, level: u32) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn write(deployment: &Deployment, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = deployment.data_dir.join(name);
    std::fs::write(&path, content).unwrap();
    path
}

/// Waits until the database holds so many rows of incidents, passwords and ports.
async fn rows_are(deployment: &Deployment, counts: [usize; 3]) {
    let patience = Patience::default();
    loop {
        let stored = Stored::of(deployment).await;
        if stored.counts() == counts {
            return;
        }
        patience.look_again(|| format!("{stored:?}")).await;
    }
}

/// Makes the tables, so that a test can look at them while a command begins.
fn migrate(deployment: &Deployment) {
    ended(&sview(SVIEW, deployment, &["migrate"]).output().unwrap(), 0);
}

/// Sends SIGTERM.
fn terminate(id: u32) {
    assert!(Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap().success());
}

both! {
    async fn a_cowrie_log_gives_its_rows(deployment: Deployment) {
        read(&deployment, &[], &["rotated.json"], 0);
        let stored = Stored::of(&deployment).await;
        assert_eq!(stored.counts(), [3, 1, 0]);
        assert_eq!(stored.incidents[1], "2025-03-01T10:00:01Z 1 haas login 198.51.100.9 -");
        assert_eq!(stored.passwords, ["2025-03-01T10:00:01Z 1 root/root"]);
    }

    async fn a_rotated_and_compressed_log_counts_once(deployment: Deployment) {
        let said = read(&deployment, &[], &["rotated.json", "rotated.json.1.gz"], 0);
        assert!(said.contains("rotated.json.1.gz: read before, as "), "{said}");
        assert_eq!(Stored::of(&deployment).await.counts(), [3, 1, 0]);
    }

    async fn a_log_compressed_after_it_grew_goes_on_where_it_ended(deployment: Deployment) {
        read(&deployment, &[], &["rotated.json"], 0);
        let said = read(&deployment, &[], &["rotated-grown.json.1.gz"], 0);
        assert!(said.contains("goes on after line 3"), "{said}");
        assert_eq!(Stored::of(&deployment).await.incidents.len(), 4);
    }

    async fn three_generations_of_a_log_count_once(deployment: Deployment) {
        // A log in use is read; it grows, is compressed, grows no more; the next one begins, grows and is compressed in another way.
        let steps: [&[(&str, Vec<u8>)]; 4] = [
            &[("log", scans(0, 5).into())],
            &[("log", scans(10, 14).into()), ("log.1", gzip(&scans(0, 10), 6))],
            &[("log", scans(20, 23).into()), ("log.1", scans(10, 20).into()), ("log.2.gz", gzip(&scans(0, 10), 1))],
            &[("log", scans(20, 30).into()), ("log.1.gz", gzip(&scans(10, 20), 9)), ("log.2.gz", gzip(&scans(0, 10), 1))],
        ];
        for files in steps {
            let paths: Vec<PathBuf> = files.iter().map(|(name, bytes)| write(&deployment, name, bytes)).collect();
            let paths: Vec<&Path> = paths.iter().map(PathBuf::as_path).collect();
            ended(&ingest(&deployment, &[], &paths).output().unwrap(), 0);
        }
        let ports: Vec<String> = (0..30).map(|i| format!("2025-03-01T10:{i:02}:00Z 1 TCP/{i}")).collect();
        assert_eq!(Stored::of(&deployment).await.ports, ports);
    }

    async fn a_compressed_log_that_was_not_whole_goes_on(deployment: Deployment) {
        let whole = gzip(&scans(0, 30), 6);
        let log = write(&deployment, "log.gz", &whole[..whole.len() / 2]);
        ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 1);
        let part = Stored::of(&deployment).await.ports.len();
        assert!(0 < part && part < 30, "{part}");
        let log = write(&deployment, "log.gz", whole);
        let said = ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0);
        assert!(said.contains(&format!("goes on after line {part}")), "{said}");
        assert_eq!(Stored::of(&deployment).await.ports.len(), 30);
    }

    async fn half_a_row_of_a_csv_log_in_use_waits_for_its_end(deployment: Deployment) {
        let row = |name: &str, password: &str| format!("2025-03-01T10:00:00Z,1,{name},{password}\n");
        let rows = format!("time,raw_count,username,password\n{}", row("a", "first"));
        let count = |n: usize| [0, n, 0];
        // `admin` is cut after `adm`, and the next time within a quoted password of two lines.
        let log = write(&deployment, "log.csv", format!("{rows}2025-03-01T10:00:00Z,1,root,adm"));
        let said = ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0);
        assert!(said.contains("its last record has no end"), "{said}");
        assert_eq!(Stored::of(&deployment).await.counts(), count(1));
        let rows = rows + &row("root", "admin");
        write(&deployment, "log.csv", format!("{rows}2025-03-01T10:00:00Z,1,b,\"two\n"));
        ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0);
        assert_eq!(Stored::of(&deployment).await.counts(), count(2));
        let rows = rows + &row("b", "\"two\nlines\"") + row("c", "last").trim_end();
        write(&deployment, "log.csv", &rows);
        for _ in 0..2 {
            ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0);
            assert_eq!(Stored::of(&deployment).await.counts(), count(3));
        }
        // At rest, the last line is a row although it has no end.
        let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        File::options().append(true).open(&log).unwrap().set_modified(hour_ago).unwrap();
        for _ in 0..2 {
            ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0);
            assert_eq!(Stored::of(&deployment).await.counts(), count(4));
        }
    }

    async fn files_read_by_an_earlier_version_are_known(deployment: Deployment) {
        // It knew them by their bytes on disk, and may be at work still.
        let log = write(&deployment, "log.gz", gzip(&scans(0, 30), 6));
        migrate(&deployment);
        let digest = Command::new("sha256sum").arg(&log).output().unwrap().stdout;
        let digest = String::from_utf8(digest).unwrap()[..64].to_owned();
        let finished = if deployment.redis_url.is_some() { "true" } else { "1" };
        deployment.sql(&format!(
            "INSERT INTO sview_ingested (digest, name, size, lines, finished) VALUES ('{digest}', 'log.1.gz', 99, 30, {finished})
             ON CONFLICT (digest) DO UPDATE SET lines = excluded.lines"
        )).await;
        let said = ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0);
        assert!(said.contains("read before, as log.1.gz"), "{said}");
        // One that was interrupted goes on.
        deployment.sql("UPDATE sview_ingested SET lines = 10, finished = (1 = 0)").await;
        ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0);
        assert_eq!(Stored::of(&deployment).await.ports.len(), 20);
        ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0);
        assert_eq!(Stored::of(&deployment).await.ports.len(), 20);
    }

    async fn a_pipe_is_stored_while_it_is_open(deployment: Deployment) {
        migrate(&deployment);
        let mut writer = Command::new("sh").arg(input("slow-pipe.sh")).stdout(Stdio::piped()).spawn().unwrap();
        let pipe = Stdio::from(writer.stdout.take().unwrap());
        let reader = ingest(&deployment, &[], &[Path::new("-")]).stdin(pipe).stdout(Stdio::piped()).spawn().unwrap();
        rows_are(&deployment, [5, 0, 0]).await;
        assert_eq!(writer.try_wait().unwrap(), None, "the pipe is open");
        terminate(reader.id());
        let said = ended(&reader.wait_with_output().unwrap(), 130);
        assert!(said.contains("stopped by a signal; what was read is kept: 5 rows"), "{said}");
        assert_eq!(Stored::of(&deployment).await.incidents.len(), 5);
        writer.kill().unwrap();
        writer.wait().unwrap();
    }

    async fn a_pipe_of_csv_is_stored_while_it_is_open(deployment: Deployment) {
        migrate(&deployment);
        let mut command = ingest(&deployment, &[], &[Path::new("-")]);
        let mut reader = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = GzEncoder::new(reader.stdin.take().unwrap(), Compression::default());
        let mut send = |text: &str| {
            pipe.write_all(text.as_bytes()).unwrap();
            pipe.flush().unwrap();
        };
        send("time,username,password\n2025-03-01T10:00:00Z,root,first\n2025-03-01T10:00:00Z,root,\"two\n");
        rows_are(&deployment, [0, 1, 0]).await;
        // The record that is open waits for its end, and no other waits for it.
        send("lines\"\n2025-03-01T10:00:01Z,root,last\n");
        rows_are(&deployment, [0, 3, 0]).await;
        drop(pipe.finish().unwrap());
        ended(&reader.wait_with_output().unwrap(), 0);
    }

    async fn a_signal_keeps_all_that_came_and_no_half_line(deployment: Deployment) {
        // The last line is cut within its port: 10 of 1023.
        let text = format!("time,port,protocol\n{}2025-03-01T11:00:00Z,10", "2025-03-01T10:00:00Z,23,TCP\n".repeat(120_000));
        let mut command = ingest(&deployment, &[], &[Path::new("-")]);
        let mut reader = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = reader.stdin.take().unwrap();
        pipe.write_all(text.as_bytes()).unwrap();
        terminate(reader.id());
        let said = ended(&reader.wait_with_output().unwrap(), 130);
        drop(pipe);
        let stored = Stored::of(&deployment).await.ports;
        // Lines that the command had not taken from the pipe are lost with it: 64 KiB at the most.
        assert!(stored.len() > 110_000 && stored.iter().all(|port| port.ends_with("TCP/23")), "{}: {said}", stored.len());
    }

    async fn a_named_pipe_is_read_as_a_pipe(deployment: Deployment) {
        let path = deployment.data_dir.join("pipe");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = ingest(&deployment, &[], &[&path]).stdout(Stdio::piped()).spawn().unwrap();
        let mut pipe = File::options().write(true).open(&path).unwrap();
        pipe.write_all(&std::fs::read(input("rotated.json")).unwrap()).unwrap();
        rows_are(&deployment, [3, 1, 0]).await;
        drop(pipe);
        ended(&reader.wait_with_output().unwrap(), 0);
    }

    async fn what_no_format_recognised_is_not_remembered(deployment: Deployment) {
        let said = read(&deployment, &["--format", "ndjson"], &["retry-format.ndjson"], 3);
        assert!(said.contains("no line was recognised as ndjson"), "{said}");
        read(&deployment, &["--format", "cowrie"], &["retry-format.ndjson"], 3); // its index lines are bad
        assert_eq!(Stored::of(&deployment).await.counts(), [3, 2, 0]);
        for args in [&["--format", "cowrie"][..], &[]] {
            assert!(read(&deployment, args, &["retry-format.ndjson"], 0).contains("read before"));
        }
    }

    async fn another_format_reads_a_file_again(deployment: Deployment) {
        let log = write(&deployment, "log", scans(0, 1) + &std::fs::read_to_string(input("rotated.json")).unwrap());
        for (format, code, counts) in [("ndjson", 3, [0, 0, 1]), ("cowrie", 3, [3, 1, 1]), ("ndjson", 0, [3, 1, 1])] {
            ended(&ingest(&deployment, &["--format", format], &[&log]).output().unwrap(), code);
            assert_eq!(Stored::of(&deployment).await.counts(), counts, "{format}");
        }
        // It goes on in the format that is asked for.
        let more = std::fs::read_to_string(&log).unwrap() + &scans(1, 2);
        std::fs::write(&log, more).unwrap();
        ended(&ingest(&deployment, &["--format", "ndjson"], &[&log]).output().unwrap(), 0);
        assert_eq!(Stored::of(&deployment).await.counts(), [3, 1, 2]);
    }

    async fn names_of_files_reach_the_terminal_escaped(deployment: Deployment) {
        let text = scans(0, 5) + "bad\n";
        let first = write(&deployment, "\u{1b}]0;x\u{7}.ndjson", &text);
        let second = write(&deployment, "\u{202e}\n2 rows.ndjson", &text);
        let third = write(&deployment, "\u{9b}31m", text.clone() + "{\"unknown\":1}\n");
        let missing = deployment.data_dir.join("\u{1b}[2J\n2 rows");
        let files = [first.as_path(), &second, &third, &missing];
        let said = ended(&ingest(&deployment, &[], &files).output().unwrap(), 1);
        let hostile = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!said.contains(hostile) && !said.contains("\n2 rows"), "{said:?}");
        assert!(said.contains("\\u001b]0;x\\u0007.ndjson:6:") && said.contains("read before, as "), "{said}");
    }
}

#[test]
fn a_log_without_a_known_event_ends_with_exit_code_3() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let deployment = runtime.block_on(Deployment::new(sview_testing::Backend::Embedded));
    let log = write(&deployment, "log", "{\"eventid\":\"honeypot.connect\",\"session\":\"a\"}\n\n");
    for _ in 0..2 {
        let said = ended(&ingest(&deployment, &["--format", "cowrie"], &[&log]).output().unwrap(), 3);
        assert!(said.contains("1 line unknown") && said.contains("no line was recognised as cowrie"), "{said}");
    }
    // An event that is known and not counted is recognised.
    let log = write(&deployment, "log", "{\"eventid\":\"cowrie.client.version\",\"session\":\"a\"}\n");
    ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0);
    assert!(ended(&ingest(&deployment, &[], &[&log]).output().unwrap(), 0).contains("read before"));
    let empty = write(&deployment, "empty", "");
    ended(&ingest(&deployment, &[], &[&empty]).output().unwrap(), 0);
}
