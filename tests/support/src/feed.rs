//! A publisher of the dynamic firewall that is not ours: pyzmq, in the virtual environment that `tests/run.sh` makes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// Python with what tests/requirements.txt names. Fails the test where `tests/run.sh` did not make it.
#[must_use]
pub fn python() -> PathBuf {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/test-tools/venv/bin/python"));
    assert!(path.exists(), "{} is missing: run the tests by tests/run.sh", path.display());
    path
}

/// The path of a script beside the tests.
#[must_use]
pub fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dynfw").join(name)
}

/// A running publisher that obeys commands (see `tests/dynfw/publisher.py`); ends when dropped.
#[derive(Debug)]
pub struct Feed {
    /// The port on 127.0.0.1 that it is bound to.
    pub port: u16,
    keys: TempDir,
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Feed {
    /// Starts one with keys of its own.
    #[must_use]
    pub fn start() -> Self {
        Self::with(tempfile::tempdir().expect("a temporary directory"), 0)
    }

    fn with(keys: TempDir, port: u16) -> Self {
        let mut child = Command::new(python())
            .arg(script("publisher.py"))
            .arg(keys.path())
            .arg(port.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the publisher starts");
        let commands = child.stdin.take().expect("its standard input is piped");
        let mut answers = BufReader::new(child.stdout.take().expect("its standard output is piped"));
        let port = line(&mut answers).parse().expect("it tells its port");
        Self { port, keys, child, commands, answers }
    }

    /// Ends it and starts it again on the same port with the same keys, its list empty.
    #[must_use]
    pub fn restarted(mut self) -> Self {
        self.end();
        let Self { port, keys, .. } = &mut self;
        let keys = std::mem::replace(keys, tempfile::tempdir().expect("a temporary directory"));
        Self::with(keys, *port)
    }

    /// Ends the process.
    pub fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The file of its public key.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.keys.path().join("server.key")
    }

    /// Gives a command and waits until it is done. Returns the answer after `ok`.
    pub fn tell(&mut self, command: &str) -> String {
        writeln!(self.commands, "{command}").expect("the publisher listens");
        let answer = line(&mut self.answers);
        answer.strip_prefix("ok").unwrap_or_else(|| panic!("{command}: {answer}")).trim().to_owned()
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.end();
    }
}

fn line(answers: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    answers.read_line(&mut line).expect("the publisher answers");
    line.trim().to_owned()
}
