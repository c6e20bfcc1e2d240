//! A server that knows some passwords.

use std::path::PathBuf;
use std::process::{Command, Output};

use sview_model::HashKind;
use sview_testing::{Deployment, Server, run, sview};

pub(crate) const SVIEW: &str = env!("CARGO_BIN_EXE_sview");
pub(crate) const NOW: &str = "2026-03-15T12:34:56Z";

/// The SHA-1 of a password, in lower case.
pub(crate) fn sha1(password: &str) -> String {
    HashKind::Sha1.of(password).to_hex(HashKind::Sha1)
}

/// Writes a list into the deployment's directory.
pub(crate) fn list(deployment: &Deployment, name: &str, text: &str) -> PathBuf {
    let path = deployment.data_dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Returns a command of the deployment, under a frozen clock.
pub(crate) fn command(deployment: &Deployment, args: &[&str]) -> Command {
    let mut command = sview(SVIEW, deployment, args);
    command.env("SVIEW_NOW", NOW);
    command
}

pub(crate) fn call(deployment: &Deployment, args: &[&str]) -> Output {
    command(deployment, args).output().unwrap()
}

/// Imports a list.
pub(crate) fn import(deployment: &Deployment, args: &[&str], text: &str) {
    let path = list(deployment, "list.txt", text);
    run(&mut command(deployment, &[&["import-passwords"], args, &[path.to_str().unwrap()]].concat()));
}

/// Puts a row into the table of a running deployment.
pub(crate) async fn pwned(deployment: &Deployment, hash: &str, count: u64, source: &str) {
    run(&mut command(deployment, &["migrate"]));
    deployment.sql(&format!("INSERT INTO passwords_pwned (password_hash, password_count, password_source) VALUES ('{hash}', {count}, '{source}')")).await;
}

/// Ingests reports of passwords: time, count, password.
pub(crate) fn ingest(deployment: &Deployment, rows: &[(&str, u32, &str)]) {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(["time", "raw_count", "username", "password"]).unwrap();
    for (i, (time, count, password)) in rows.iter().enumerate() {
        csv.write_record([*time, &count.to_string(), &format!("user{}", i % 3), *password]).unwrap();
    }
    let text = String::from_utf8(csv.into_inner().unwrap()).unwrap();
    let path = list(deployment, "passwords.csv", &text);
    run(&mut command(deployment, &["ingest", path.to_str().unwrap()]));
}

/// Works everything off.
pub(crate) fn refresh(deployment: &Deployment) {
    run(&mut command(deployment, &["refresh", "--wait"]));
}

/// A server; more of the environment may be set.
pub(crate) fn serve(deployment: &Deployment, environment: &[(&str, &str)]) -> Server {
    Server::start(command(deployment, &["serve"]).envs(environment.iter().copied()))
}

/// Sets up a deployment with two known passwords. "password" is known from a list (42 times), from `passwords_pwned` (3 and 4 times) and
/// from reports (5 times on two days). "letmein" is known from reports only.
pub(crate) async fn known(deployment: &Deployment) {
    let hash = sha1("password");
    import(deployment, &[], &format!("{}:42\n{}:1\n", hash.to_uppercase(), sha1("elsewhere")));
    import(deployment, &["--ntlm"], &format!("{}:77\n", HashKind::Ntlm.of("password").to_hex(HashKind::Ntlm)));
    pwned(deployment, &hash, 3, "telnet").await;
    pwned(deployment, &hash.to_uppercase(), 4, "haas").await;
    ingest(
        deployment,
        &[
            ("2026-03-10T10:00:00Z", 2, "password"),
            ("2026-03-12T10:00:00Z", 3, "password"),
            ("2026-03-12T11:00:00Z", 6, "letmein"),
        ],
    );
    refresh(deployment);
}

/// Returns the path of a tool that tests/run.sh installs.
pub(crate) fn tool(path: &str) -> String {
    let path = format!("{}/target/test-tools/{path}", env!("CARGO_MANIFEST_DIR"));
    assert!(std::path::Path::new(&path).exists(), "{path} is missing: run the tests by tests/run.sh");
    path
}
