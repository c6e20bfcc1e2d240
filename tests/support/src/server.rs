//! Processes of sview under test.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use crate::{Deployment, Patience, limit};

/// The log level of commands.
const QUIET: &str = "warn";

/// A command of sview in a deployment, with nothing of this process' own settings. Logs warnings only.
#[must_use]
pub fn sview(binary: &str, deployment: &Deployment, args: &[&str]) -> Command {
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SVIEW_")) {
        command.env_remove(name);
    }
    command.args(args).envs(deployment.environment()).env("SVIEW_LOG", QUIET).env("SVIEW_LISTEN", "127.0.0.1:0");
    command.env("SVIEW_ADMIN_LISTEN", "off");
    command
}

/// Runs a command to its end; its standard output. Fails the test when the command fails.
pub fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the command starts");
    assert!(output.status.success(), "{command:?} failed: {}", told(&output));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// Returns the text of a command on both outputs.
#[must_use]
pub fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A running server; killed when dropped.
#[derive(Debug)]
pub struct Server {
    /// The address that it listens on: `http://127.0.0.1:PORT`.
    pub url: String,
    child: Child,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts `sview up`, `serve` or `demo` and waits until it listens. Logs at the level info, unless the test has asked for another.
    pub fn start(command: &mut Command) -> Self {
        let quiet = command.get_envs().all(|(name, value)| name != "SVIEW_LOG" || value == Some(QUIET.as_ref()));
        if quiet {
            command.env("SVIEW_LOG", "info,apalis=warn,apalis_core=warn");
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let stderr = child.stderr.take().expect("its standard error is piped");
        let (found, listening) = mpsc::channel();
        let log = Arc::new(Mutex::new(String::new()));
        let copy = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                if let Some((_, url)) = line.split_once("listening on ") {
                    let _ = found.send(url.trim_end_matches('/').to_owned());
                }
                let mut log = copy.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let Ok(url) = listening.recv_timeout(limit(Duration::from_secs(60))) else {
            let _ = child.kill();
            panic!("the server does not listen: {}", log.lock().unwrap_or_else(PoisonError::into_inner));
        };
        Self { url, child, log }
    }

    /// Returns the address of operators' pages: `http://127.0.0.1:PORT`. Waits until the server has logged it.
    #[must_use]
    pub fn admin_url(&self) -> String {
        let patience = Patience::default();
        loop {
            let log = self.log();
            if let Some((_, rest)) = log.split_once("operators' pages on ") {
                return rest.lines().next().unwrap_or_default().trim_end_matches('/').to_owned();
            }
            patience.look_again_blocking(|| format!("no operators' pages: {log}"));
        }
    }

    /// Returns the server's log.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has logged a text.
    ///
    /// # Panics
    /// When that takes too long.
    pub fn logs(&self, text: &str) {
        let patience = Patience::default();
        while !self.log().contains(text) {
            patience.look_again_blocking(|| format!("not logged: {text}: {}", self.log()));
        }
    }

    /// The process' number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to stop by SIGTERM, and waits; whether it ended well within the time that an idle machine takes.
    pub fn terminate(&mut self, within: Duration) -> bool {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let patience = Patience::of(within);
        while !patience.is_over() {
            if let Ok(Some(status)) = self.child.try_wait() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a program can be found; for messages that say what to install.
#[must_use]
pub fn is_there(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| Path::new(&dir).join(program).exists()))
}
