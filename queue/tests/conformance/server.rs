//! A Redis of its own for a test.
#![allow(dead_code)] // each suite that includes this file uses some of it

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to start: long, for machines that are busy.
const PATIENCE: Duration = Duration::from_secs(600);

/// A private Redis, gone when dropped.
pub(crate) struct Server {
    child: Child,
    directory: PathBuf,
}

impl Server {
    /// Starts a server that keeps nothing on disk, and waits until it listens.
    pub(crate) fn start(directory: PathBuf) -> Self {
        let child = Self::spawn(&directory);
        let server = Self { child, directory };
        server.wait();
        server
    }

    fn spawn(directory: &PathBuf) -> Child {
        Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket", "redis.sock", "--dir"])
            .arg(directory)
            .current_dir(directory)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server must be installed to run these tests")
    }

    fn wait(&self) {
        let socket = self.directory.join("redis.sock");
        let begun = Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(begun.elapsed() < PATIENCE, "redis-server did not start");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.directory.join("redis.sock").display())
    }

    /// A connection that waits for a busy server as long as tests do; by default it would be half a second.
    pub(crate) async fn connect(&self) -> redis::aio::MultiplexedConnection {
        let config = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(self.url()).unwrap();
        client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// `STOP` or `CONT`: freezes the server, or lets it go on.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
    }

    pub(crate) fn restart(&mut self) {
        self.child = Self::spawn(&self.directory);
        self.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
