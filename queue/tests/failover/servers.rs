//! Servers of Redis, their replicas and sentinels, and a proxy before them.
#![allow(dead_code)] // each suite that includes this file uses some of it

use std::collections::HashSet;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use rand::RngExt as _;
use redis::aio::MultiplexedConnection;

/// How long anything may take: long, for machines that are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// The name by which sentinels know the master.
pub(crate) const NAME: &str = "main";

/// A server or sentinel, gone when dropped.
pub(crate) struct Redis {
    child: Child,
    pub(crate) port: u16,
    _directory: tempfile::TempDir,
}

/// A port that nobody has. It is none of those that systems give to programs that ask for any.
fn free_port() -> u16 {
    loop {
        let port = rand::rng().random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Redis {
    /// Starts a server that keeps nothing on disk.
    pub(crate) fn start(more: &[&str]) -> Self {
        let mut args = vec!["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"];
        args.extend(more);
        Self::spawn(tempfile::tempdir().unwrap(), &args, None)
    }

    /// Starts a replica of a server, and waits until it has what the server has.
    pub(crate) async fn replica_of(master: &Self) -> Self {
        let replica = Self::start(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
        replica.until_info("master_link_status:up").await;
        replica
    }

    /// Starts a sentinel over a master; so many must agree that it is down.
    pub(crate) fn sentinel(master: &Self, quorum: u16) -> Self {
        Self::sentinel_with(master, quorum, "")
    }

    /// The same with more settings.
    pub(crate) fn sentinel_with(master: &Self, quorum: u16, more: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("sentinel.conf");
        let text = format!(
            "sentinel monitor {NAME} 127.0.0.1 {} {quorum}\nsentinel down-after-milliseconds {NAME} 1000\n\
             sentinel failover-timeout {NAME} 5000\n{more}",
            master.port
        );
        std::fs::write(&file, text).unwrap();
        Self::spawn(directory, &["--sentinel"], Some(file))
    }

    /// Starts a server at a free port, and at another one if somebody else took that meanwhile: the server ends then.
    fn spawn(directory: tempfile::TempDir, args: &[&str], file: Option<PathBuf>) -> Self {
        let begun = Instant::now();
        loop {
            let port = free_port();
            let mut command = Command::new("redis-server");
            command.args(&file).args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]);
            command.arg(directory.path()).args(args).current_dir(directory.path()).stdout(Stdio::null());
            if args.contains(&"--cluster-enabled") {
                // Else it is the port plus 10,000, which may belong to a connection of somebody else.
                command.args(["--cluster-port", &free_port().to_string()]);
            }
            let mut child = command.spawn().expect("redis-server must be installed to run these tests");
            while child.try_wait().unwrap().is_none() {
                if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    return Self { child, port, _directory: directory };
                }
                assert!(begun.elapsed() < PATIENCE, "redis-server did not start");
                std::thread::sleep(Duration::from_millis(20));
            }
            assert!(begun.elapsed() < PATIENCE, "redis-server ends at its start");
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection that waits for a busy server as long as tests do; by default it would be half a second.
    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let (client, begun) = (redis::Client::open(self.url()).unwrap(), Instant::now());
        loop {
            // Sentinels cut all connections of a server that they promote, also one that is being made.
            match client.get_multiplexed_async_connection_with_config(&config).await {
                Ok(connection) => return connection,
                Err(error) => assert!(begun.elapsed() < PATIENCE, "{}: {error}", self.port),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs a command that is written in words.
    pub(crate) async fn run(&self, command: &str) {
        let mut words = command.split(' ');
        let mut cmd = redis::cmd(words.next().unwrap());
        cmd.arg(words.collect::<Vec<_>>()).query_async::<redis::Value>(&mut self.connect().await).await.unwrap();
    }

    /// Runs a command again and again until the server does it. A failover is refused until the replica has said that it is online.
    pub(crate) async fn run_at_last(&self, command: &str) {
        let (words, begun): (Vec<_>, _) = (command.split(' ').collect(), Instant::now());
        while let Err(error) =
            redis::cmd(words[0]).arg(&words[1..]).query_async::<redis::Value>(&mut self.connect().await).await
        {
            assert!(begun.elapsed() < PATIENCE, "{command}: {error}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Returns the ids of the connections that commands came by, and not that of this test.
    pub(crate) async fn clients(&self) -> HashSet<u64> {
        let mut connection = self.connect().await;
        let own: u64 = redis::cmd("CLIENT").arg("ID").query_async(&mut connection).await.unwrap();
        let mut list = redis::cmd("CLIENT");
        let all: String = list.arg("LIST").arg("TYPE").arg("normal").query_async(&mut connection).await.unwrap();
        let ids = all.lines().map(|line| line["id=".len()..].split(' ').next().unwrap().parse().unwrap());
        ids.filter(|id| *id != own).collect()
    }

    /// Waits until nobody is connected but replicas, the master, and this test.
    pub(crate) async fn until_left(&self) {
        let (mut connection, begun) = (self.connect().await, Instant::now());
        loop {
            let mut clients = String::new();
            for kind in ["normal", "pubsub"] {
                let mut list = redis::cmd("CLIENT");
                list.arg("LIST").arg("TYPE").arg(kind);
                clients += &list.query_async::<String>(&mut connection).await.unwrap();
            }
            if clients.lines().count() == 1 {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "still connected: {clients}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the server says this of itself.
    pub(crate) async fn until_info(&self, line: &str) {
        let begun = Instant::now();
        loop {
            // Sentinels cut all connections of a server that they promote.
            let info = redis::cmd("INFO").query_async::<String>(&mut self.connect().await).await.unwrap_or_default();
            if info.lines().any(|one| one.trim() == line) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "no {line} in {info}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until the sentinel knows of a replica and of another sentinel.
    pub(crate) async fn until_complete(&self) {
        self.until_info(&format!("master0:name={NAME},status=ok,address={},slaves=1,sentinels=2", self.master().await))
            .await;
    }

    /// Returns the master's address, as the sentinel has it.
    async fn master(&self) -> String {
        let mut cmd = redis::cmd("SENTINEL");
        cmd.arg("GET-MASTER-ADDR-BY-NAME").arg(NAME);
        let (host, port): (String, String) = cmd.query_async(&mut self.connect().await).await.unwrap();
        format!("{host}:{port}")
    }

    /// Waits until all that the server has written is at its replica.
    pub(crate) async fn until_replicated(&self) {
        let mut connection = self.connect().await;
        redis::cmd("SET").arg("last").arg("").query_async::<()>(&mut connection).await.unwrap();
        let count: i64 = redis::cmd("WAIT").arg(1).arg(0).query_async(&mut connection).await.unwrap();
        assert_eq!(count, 1);
    }

    /// Kills it by SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address of one server after another: new connections go to another server, and those that are there stay where they are.
pub(crate) struct Proxy {
    pub(crate) url: String,
    target: Arc<AtomicU16>,
    task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn before(server: &Redis) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let target = Arc::new(AtomicU16::new(server.port));
        let to = Arc::clone(&target);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let port = to.load(Ordering::Relaxed);
                connections.spawn(async move {
                    if let Ok(mut far) = tokio::net::TcpStream::connect(("127.0.0.1", port)).await {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { url, target, task }
    }

    pub(crate) fn lead_to(&self, server: &Redis) {
        self.target.store(server.port, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}
