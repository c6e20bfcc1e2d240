//! Clients that others wrote, pointed at this server.

use std::process::Command;

use serde_json::{Value, json};
use sview_testing::both;

use crate::site::{known, serve, tool};

fn script(name: &str) -> String {
    format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn counts(command: &mut Command) -> Value {
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

both! {
    async fn hibp_of_npm_and_pwned_passwords_django_find_what_is_known(deployment: Deployment) {
        known(&deployment).await;
        let server = serve(&deployment, &[]);
        let passwords = ["password", "letmein", "elsewhere", "never seen 密码"];
        let node = counts(Command::new("node").args([&script("hibp.js"), &server.url, &tool("node_modules")]).args(passwords));
        assert_eq!(node, json!([54, 54, 6, 6, 1, 1, 0, 0]), "without and with padding");
        let python = counts(Command::new(tool("venv/bin/python")).args([&script("pwned_django.py"), &server.url]).args(passwords));
        assert_eq!(python, json!([[54, 6, 1, 0], [54, 6, 1, 0]]), "with and without padding");
    }
}
