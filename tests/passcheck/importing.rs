//! `sview import-passwords` and `verify-passwords`, as an operator meets them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use sview_testing::{Backend, Deployment, Patience, Server, http, told};

use crate::site::{call, command, list, serve, sha1};

fn json(deployment: &Deployment, args: &[&str], code: i32) -> Value {
    let out = call(deployment, &[args, &["--json"]].concat());
    assert_eq!(out.status.code(), Some(code), "{args:?}: {}", told(&out));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn count(server: &Server, password: &str) -> Option<u64> {
    let hash = sha1(password).to_uppercase();
    let body = http::get(&format!("{}/range/{}", server.url, &hash[..5])).body;
    body.lines().find_map(|line| line.strip_prefix(&hash[5..])?.strip_prefix(':')?.trim().parse().ok())
}

/// Waits until the server has noticed the new file.
fn becomes(server: &Server, password: &str, expected: u64) {
    let patience = Patience::default();
    while count(server, password) != Some(expected) {
        patience.look_again_blocking(|| format!("{:?}", count(server, password)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_imported_merged_and_replaced() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut text = String::new();
    for n in 0..5000 {
        writeln!(text, "{}:{}", sha1(&n.to_string()).to_uppercase(), n + 1).unwrap();
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).unwrap();
    let path = deployment.data_dir.join("list.txt.gz");
    std::fs::write(&path, gzip.finish().unwrap()).unwrap();
    let path = path.to_str().unwrap();
    let made = json(&deployment, &["import-passwords", path], 0);
    assert_eq!(
        [&made["kind"], &made["hashes"], &made["sum"], &made["lines"], &made["rejected"]],
        [&Value::from("sha1"), &5000.into(), &12_502_500.into(), &5000.into(), &0.into()]
    );
    let server = serve(&deployment, &[]);
    assert_eq!((count(&server, "0"), count(&server, "4999"), count(&server, "5000")), (Some(1), Some(5000), None));

    // Nothing is replaced by a slip.
    let more = list(
        &deployment,
        "more.csv",
        &format!("hash,count,source\n{},10,telnet\n{},3,ftp\nnonsense\n", sha1("0"), sha1("new")),
    );
    let more = more.to_str().unwrap();
    let refused = call(&deployment, &["import-passwords", more]);
    assert!(
        refused.status.code() == Some(1) && told(&refused).contains("--replace") && told(&refused).contains("--merge")
    );
    let rejects = deployment.data_dir.join("rejects.txt");
    let merged = json(&deployment, &["import-passwords", "--merge", more, "--rejects", rejects.to_str().unwrap()], 3);
    assert_eq!([&merged["hashes"], &merged["rejected"]], [&Value::from(5001), &1.into()]);
    assert!(
        std::fs::read_to_string(&rejects)
            .unwrap()
            .contains("more.csv:4: it does not begin with a hash of 40 hex digits: nonsense")
    );
    becomes(&server, "0", 11);
    assert_eq!(count(&server, "new"), Some(3));
    let told_ = told(&call(&deployment, &["import-passwords", "--replace", more]));
    assert!(told_.contains("more.csv:4: it does not begin"), "{told_}");
    becomes(&server, "0", 10);
    assert_eq!(count(&server, "1"), None);

    // Unreadable lists change nothing.
    for (args, hint) in [
        (vec!["import-passwords", "--replace", "/nowhere.txt", more], "/nowhere.txt"),
        (vec!["import-passwords", "--replace", rejects.to_str().unwrap()], "nothing was imported"),
        (vec!["import-passwords", "--replace", "--ntlm", more], "nothing was imported"),
    ] {
        let out = call(&deployment, &args);
        assert!(out.status.code() == Some(1) && told(&out).contains(hint), "{args:?}: {}", told(&out));
    }
    let out = call(&deployment, &["import-passwords", "--replace", "--merge", more]);
    assert_eq!(out.status.code(), Some(2));
    assert_eq!(json(&deployment, &["verify-passwords"], 0)["files"][0]["hashes"], 2);

    // Damage is found, and told.
    let file = deployment.data_dir.join("passwords/sha1.pwd");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[130] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let damaged = json(&deployment, &["verify-passwords"], 1);
    assert!(
        damaged["files"][0]["whole"] == false
            && damaged["files"][0]["error"].as_str().unwrap().contains("import the lists again")
    );
    let merge = call(&deployment, &["import-passwords", "--merge", more]);
    assert!(
        merge.status.code() == Some(1) && told(&merge).contains("damaged"),
        "nothing is built on damage: {}",
        told(&merge)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_loses_nothing_and_the_next_one_begins_clean() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let old = list(&deployment, "old.txt", &format!("{}:7\n", sha1("old")));
    assert!(call(&deployment, &["import-passwords", old.to_str().unwrap()]).status.success());
    let server = serve(&deployment, &[]);
    let directory = deployment.data_dir.join("passwords");
    let leftovers = || {
        let names = std::fs::read_dir(&directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".import-")).count()
    };
    let rows = |n: u32| -> String { (0..n).map(|n| format!("{}:1\n", sha1(&n.to_string()))).collect() };
    for round in 0..3 {
        // It reads a pipe that never ends: it is in the middle whenever it is killed.
        let mut child = command(&deployment, &["import-passwords", "--replace", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(rows(50_000).as_bytes()).unwrap();
        while leftovers() == 0 {
            std::thread::sleep(Duration::from_millis(20));
        }
        if round == 0 {
            let busy = call(&deployment, &["import-passwords", "--replace", old.to_str().unwrap()]);
            assert!(busy.status.code() == Some(1) && told(&busy).contains("under way"), "{}", told(&busy));
        }
        child.kill().unwrap(); // SIGKILL
        child.wait().unwrap();
        drop(pipe);
        assert_eq!(count(&server, "old"), Some(7), "the old file is in use");
        assert_eq!(leftovers(), 1, "of all that were killed, at most the last one's");
    }
    let new = list(&deployment, "new.txt", &rows(1000));
    assert!(call(&deployment, &["import-passwords", "--merge", new.to_str().unwrap()]).status.success());
    assert_eq!(leftovers(), 0);
    becomes(&server, "999", 1);
    assert_eq!(count(&server, "old"), Some(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_of_one_file_per_prefix_is_read() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mirror = deployment.data_dir.join("mirror");
    // Padding as the public service writes it, and as our own server does.
    let range = |password: &str, count: u32| {
        let padding = ["0", "000"].map(|zeros| format!("\r\n{}:{zeros}", "0".repeat(35))).concat();
        format!("{}:{count}{padding}", &sha1(password)[5..].to_uppercase())
    };
    let gzip = |text: &str| {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    };
    std::fs::create_dir_all(mirror.join("deep/er")).unwrap();
    for (name, bytes) in [
        (sha1("password")[..5].to_uppercase(), range("password", 3).into_bytes()),
        (format!("{}.txt", &sha1("123456")[..5]), range("123456", 5).into_bytes()),
        (format!("deep/er/{}.gz", sha1("qwerty")[..5].to_uppercase()), gzip(&range("qwerty", 7))),
        ("README".to_owned(), b"no list".to_vec()),
        (format!("{}.json", &sha1("letmein")[..5]), range("letmein", 9).into_bytes()),
    ] {
        std::fs::write(mirror.join(name), bytes).unwrap();
    }
    // A link to where it is would be a circle.
    std::os::unix::fs::symlink(&mirror, mirror.join("deep/again")).unwrap();
    let made = json(&deployment, &["import-passwords", mirror.to_str().unwrap()], 0);
    assert_eq!([&made["hashes"], &made["sum"], &made["rejected"]], [&Value::from(3), &15.into(), &0.into()]);
    let server = serve(&deployment, &[]);
    let counts = ["password", "123456", "qwerty", "letmein"].map(|password| count(&server, password));
    assert_eq!(counts, [Some(3), Some(5), Some(7), None]);

    let one = mirror.join(sha1("password")[..5].to_uppercase());
    let made = json(&deployment, &["import-passwords", "--replace", one.to_str().unwrap()], 0);
    assert_eq!(made["hashes"], 1);
    let nothing =
        call(&deployment, &["import-passwords", "--replace", mirror.join("deep/er/..").join("none").to_str().unwrap()]);
    assert_eq!(nothing.status.code(), Some(1));
    std::fs::create_dir(mirror.join("none")).unwrap();
    let nothing = call(&deployment, &["import-passwords", "--replace", mirror.join("none").to_str().unwrap()]);
    assert!(nothing.status.code() == Some(1) && told(&nothing).contains("like 5BAA6"), "{}", told(&nothing));
}
