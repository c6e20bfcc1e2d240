//! A primary PostgreSQL server and its streaming replica, of a test's own.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, Row as _};
use tempfile::TempDir;

use crate::Patience;

/// A server of PostgreSQL; stopped when dropped.
#[derive(Debug)]
pub struct Postgres {
    /// The address, without the name of a database: `postgres://sview@127.0.0.1:PORT`.
    pub url: String,
    data: PathBuf,
    port: u16,
}

/// A primary server, and a replica that follows it.
#[derive(Debug)]
pub struct Pair {
    /// The one that takes writes at first.
    pub primary: Postgres,
    /// The other one.
    pub replica: Postgres,
    _directory: TempDir,
}

/// A program of PostgreSQL's server, which refuses to run as root.
fn program(name: &str) -> Command {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed.max_by_key(|entry| entry.file_name().to_string_lossy().parse::<u32>().unwrap_or(0));
    let path = newest.map_or_else(|| PathBuf::from(name), |entry| entry.path().join("bin").join(name));
    let root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let mut command = if root {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(path);
        command
    } else {
        Command::new(path)
    };
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn run(command: &mut Command) {
    let output = command.output().expect("PostgreSQL's programs are installed");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Postgres {
    fn in_directory(directory: &Path, name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        Self { url: format!("postgres://sview@127.0.0.1:{port}"), data: directory.join(name), port }
    }

    /// Starts it, and waits until it answers.
    pub fn start(&self) {
        let directory = self.data.parent().unwrap_or(Path::new("/tmp")).display();
        let options = format!(
            "-p {} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off -c shared_buffers=32MB -c wal_keep_size=256MB",
            self.port
        );
        let log = self.data.with_extension("log");
        let mut command = program("pg_ctl");
        // It would wait for the end of a pipe that the server holds.
        let command = command.stderr(Stdio::null()).arg("-D").arg(&self.data).arg("-l").arg(log);
        let started = command.args(["-w", "-t", "600", "start", "-o", &options]).status().expect("it starts");
        assert!(started.success(), "{command:?}");
    }

    /// Ends it at once, as a crash does: nothing is written any more, and connections are cut.
    pub fn kill(&self) {
        run(program("pg_ctl").arg("-D").arg(&self.data).args(["-m", "immediate", "-t", "600", "-w", "stop"]));
    }

    /// Has a replica become a primary server, and waits until it is.
    pub fn promote(&self) {
        run(program("pg_ctl").arg("-D").arg(&self.data).args(["-t", "600", "-w", "promote"]));
    }

    /// Runs statements one by one, as an operator does.
    pub async fn sql(&self, statements: &[&str]) {
        let mut connection = self.connect().await;
        for sql in statements {
            connection.execute(AssertSqlSafe((*sql).to_owned())).await.expect("the statement is carried out");
        }
    }

    /// The text that a query gives.
    pub async fn text(&self, sql: &str) -> String {
        let mut connection = self.connect().await;
        let row = connection.fetch_one(AssertSqlSafe(sql.to_owned())).await.expect("the query is answered");
        row.get::<Option<String>, _>(0).unwrap_or_default()
    }

    async fn connect(&self) -> PgConnection {
        PgConnection::connect(&format!("{}/postgres?sslmode=disable", self.url)).await.expect("PostgreSQL answers")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = program("pg_ctl").arg("-D").arg(&self.data).args(["-m", "immediate", "stop"]).output();
    }
}

impl Pair {
    /// Starts both on free ports. Commits do not wait for the replica, which may be behind.
    #[must_use]
    pub fn start() -> Self {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("sview-pair").permissions(Permissions::from_mode(0o755));
        let directory = builder.tempdir().expect("a temporary directory");
        let servers = directory.path().join("servers");
        std::fs::create_dir(&servers).expect("a directory");
        // Fails for a user other than root, and then the directory has the right owner already.
        let _ = Command::new("chown").arg("postgres").arg(&servers).stderr(Stdio::null()).status();
        let primary = Postgres::in_directory(&servers, "one");
        let replica = Postgres::in_directory(&servers, "two");
        run(program("initdb")
            .args(["-U", "sview", "--auth=trust", "--encoding=UTF8", "--locale=C", "-N", "-D"])
            .arg(&primary.data));
        primary.start();
        let from = ["-h", "127.0.0.1", "-p", &primary.port.to_string(), "-U", "sview"];
        run(program("pg_basebackup").args(from).args(["-R", "-c", "fast", "-D"]).arg(&replica.data));
        replica.start();
        Self { primary, replica, _directory: directory }
    }

    /// Waits until the replica has all that the primary server committed before.
    pub async fn catch_up(&self) {
        let to = self.primary.text("SELECT pg_current_wal_flush_lsn()::text").await;
        let patience = Patience::default();
        let sql = format!("SELECT (pg_last_wal_replay_lsn() >= '{to}')::text");
        while self.replica.text(&sql).await != "true" {
            patience.look_again(|| format!("the replica never came to {to}")).await;
        }
    }

    /// Stops the replica from following: later commits are lost with the primary server.
    pub async fn part(&self) {
        self.replica.sql(&["ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"]).await;
        let patience = Patience::default();
        while self.replica.text("SELECT count(*)::text FROM pg_stat_wal_receiver").await != "0" {
            patience.look_again(|| "the replica goes on following".to_owned()).await;
        }
    }
}
