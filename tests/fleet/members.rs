//! The processes of a fleet, and what their logs tell.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt as _;
use serde_json::Value;
use sview_jobs::machine_now;
use sview_testing::{Deployment, http, sview};

use crate::{NOW, SVIEW};

/// One process of the fleet; started again under the same command, address and environment.
pub(crate) struct Member {
    args: Vec<String>,
    environment: Vec<(&'static str, String)>,
    directory: PathBuf,
    child: Child,
    /// The log of each life, and when it was killed.
    lives: Vec<(PathBuf, Option<DateTime<Utc>>)>,
}

/// Returns a port that nobody has, for a process that is to come back on it. It is outside the range from which systems give ports to
/// programs that ask for any. Otherwise another program could have it by then.
pub(crate) fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = rand::rng().random_range(20_000..32_000);
        if TAKEN.lock().unwrap().insert(port) && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Member {
    /// Starts a process. More of the environment may be set.
    pub(crate) fn start(deployment: &Deployment, args: &[&str], environment: &[(&'static str, String)]) -> Self {
        let mut environment: Vec<_> = deployment.environment().into_iter().chain(environment.iter().cloned()).collect();
        environment.push(("SVIEW_NOW", NOW.to_owned()));
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        let directory = deployment.data_dir.clone();
        let mut lives = Vec::new();
        let child = begin(deployment, &args, &environment, &directory, &mut lives);
        Self { args, environment, directory, child, lives }
    }

    /// Kills it by SIGKILL and starts it again at once.
    pub(crate) fn kill_and_restart(&mut self, deployment: &Deployment) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lives.last_mut().unwrap().1 = Some(machine_now());
        self.child = begin(deployment, &self.args, &self.environment, &self.directory, &mut self.lives);
    }

    /// Waits until it answers on the port; one that ends by itself before has failed.
    pub(crate) fn wait_for(&mut self, port: u16) {
        while http::try_get(&format!("http://127.0.0.1:{port}/healthz")).is_none() {
            assert!(self.runs(), "it ended: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether it still runs; one that ended by itself has failed.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Sends it a signal by its name: `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success(), "{sent}");
    }

    /// The lines of its last log.
    pub(crate) fn log(&self) -> String {
        self.lives.last().map(|(path, _)| std::fs::read_to_string(path).unwrap_or_default()).unwrap_or_default()
    }

    /// Every attempt at a job in any of its lives: the job's id, when it began, and when it ended or was killed.
    pub(crate) fn attempts(&self) -> Vec<(String, DateTime<Utc>, DateTime<Utc>)> {
        let mut attempts = Vec::new();
        for (path, killed) in &self.lives {
            let mut begun: HashMap<String, DateTime<Utc>> = HashMap::new();
            // A line that was being written when the process was killed is cut off.
            for line in
                std::fs::read_to_string(path).unwrap().lines().filter_map(|l| serde_json::from_str::<Value>(l).ok())
            {
                let (Some(message), Some(id)) = (line["message"].as_str(), line["id"].as_str()) else { continue };
                let at: DateTime<Utc> = line["timestamp"].as_str().unwrap().parse().unwrap();
                if message == "job started" {
                    begun.insert(id.to_owned(), at);
                } else if message.starts_with("job ")
                    && let Some(from) = begun.remove(id)
                {
                    attempts.push((id.to_owned(), from, at));
                }
            }
            attempts.extend(begun.into_iter().map(|(id, from)| (id, from, killed.unwrap_or_else(machine_now))));
        }
        attempts
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn begin(
    deployment: &Deployment,
    args: &[String],
    environment: &[(&'static str, String)],
    directory: &std::path::Path,
    lives: &mut Vec<(PathBuf, Option<DateTime<Utc>>)>,
) -> Child {
    let log = directory.join(format!("log-{}", ulid()));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let child = sview(SVIEW, deployment, &args)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .env("SVIEW_LOG", "info,sview_jobs=debug")
        .env("SVIEW_LOG_FORMAT", "json")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log).unwrap())
        .spawn()
        .unwrap();
    lives.push((log, None));
    child
}

fn ulid() -> String {
    sview_jobs::JobId::generate().to_string()
}

/// No job was at two workers at the same time.
pub(crate) fn assert_none_ran_twice_at_once(members: &[Member]) -> usize {
    let mut attempts: Vec<_> = members.iter().flat_map(Member::attempts).collect();
    attempts.sort();
    for pair in attempts.windows(2) {
        let ((id, from, to), (other, again, _)) = (&pair[0], &pair[1]);
        assert!(id != other || to <= again, "{id} ran from {from} to {to}, and again from {again}");
    }
    attempts.len()
}
