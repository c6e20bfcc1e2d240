//! JSON Schemas, judged by a program that is not ours.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::python;

/// The first complaint about each value against a schema, or null where it fits. The schema must be one of JSON Schema 2020-12.
#[must_use]
pub fn complaints(schema: &Value, values: &[Value]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../clients/fits_schema.py");
    let mut command = Command::new(python());
    let mut judge = command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Python starts");
    let task = json!({ "schema": schema, "values": values }).to_string();
    let told = judge.stdin.take().expect("it listens").write_all(task.as_bytes());
    told.expect("it listens");
    let said = judge.wait_with_output().expect("it ends");
    assert!(said.status.success(), "that is no schema: {schema}");
    serde_json::from_slice(&said.stdout).expect("it answers in JSON")
}
