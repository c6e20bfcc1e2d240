//! Hashes of passwords as people keep them.

use std::process::Command;

use sview_testing::{Backend, Deployment, run, sview};

use crate::{SVIEW, input};

#[tokio::test(flavor = "multi_thread")]
async fn a_range_named_by_its_prefix_is_imported() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let path = input("5BAA6").display().to_string();
    let import = |more: &[&str]| -> Command {
        sview(SVIEW, &deployment, &[&["import-passwords", "--json", &path], more].concat())
    };
    let made: serde_json::Value = serde_json::from_str(&run(&mut import(&[]))).unwrap();
    assert_eq!((&made["hashes"], &made["sum"], &made["rejected"]), (&2.into(), &4.into(), &0.into()));
}
