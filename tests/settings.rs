//! Settings: flags before environment before file before default; a wrong one is a clear error that names it.
#![allow(clippy::unwrap_used)] // a panic here is the report of a failed test

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Command;

use sview_testing::{Backend, Deployment, Patience, Server, http, run, sview, told};

const SVIEW: &str = env!("CARGO_BIN_EXE_sview");

fn embedded() -> Deployment {
    tokio::runtime::Runtime::new().unwrap().block_on(Deployment::new(Backend::Embedded))
}

#[test]
fn a_wrong_value_is_an_error_that_names_the_setting() {
    let deployment = embedded();
    for (variable, value) in [
        ("SVIEW_LISTEN", "nowhere"),
        ("SVIEW_NOW", "yesterday"),
        ("SVIEW_PUBLIC_URL", "view.example.org"),
        ("SVIEW_PUBLIC_URL", "https://view.example.org/a path"),
        ("SVIEW_PUBLIC_URL", "https://$(reboot)"),
        ("SVIEW_DATABASE_URL", "mysql://x"),
        ("SVIEW_REDIS_URL", "http://x"),
        ("SVIEW_REDIS_URL", "redis://one,,two"),
        ("SVIEW_REDIS_URL", "redis+sentinel://one,two"),
        ("SVIEW_SECRET", "short"),
        ("SVIEW_LOG_FORMAT", "xml"),
        ("SVIEW_LOG", "a=b=c"),
        ("SVIEW_CONCURRENCY", "0"),
        ("SVIEW_DATABASE_CONNECTIONS", "1"),
        ("SVIEW_KEEP_JOBS", "0"),
        ("SVIEW_KEEP_REPORTS_DAYS", "-1"),
        ("SVIEW_RLIMIT_MAX_HITS", "-1"),
        ("SVIEW_RLIMIT_ALL_HITS", "-1"),
        ("SVIEW_RLIMIT_BAN_TIME", "0"),
        ("SVIEW_CACHE_DETAILS", "0"),
        ("SVIEW_TRUSTED_PROXIES", "proxy.example"),
    ] {
        let out = sview(SVIEW, &deployment, &["migrate"]).env(variable, value).output().unwrap();
        let text = told(&out);
        assert!(!out.status.success() && text.contains(&format!("for '{variable}'")), "{variable}={value}: {text}");
        assert!(!text.contains("for '--"), "it was not given as a flag: {text}");
        let flag = format!("--{}", variable.trim_start_matches("SVIEW_").to_lowercase().replace('_', "-"));
        let given = format!("{flag}={value}");
        let text = told(&sview(SVIEW, &deployment, &["migrate", &given]).env(variable, value).output().unwrap());
        assert!(text.contains(&format!("for '{flag} ")), "{given}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
}

#[test]
fn a_secret_is_in_no_error_and_in_no_help() {
    let deployment = embedded();
    for (variable, wrong, right) in [
        ("SVIEW_DATABASE_URL", "mysql://sview:hunter2@db/", "postgres://sview:hunter2@db/sentinel"),
        ("SVIEW_REDIS_URL", "http://:hunter2@cache/", "redis://:hunter2@cache/"),
        ("SVIEW_REDIS_URL", "redis+sentinel://:hunter2@one,two", "redis+sentinel://:hunter2@one,two/main"),
        ("SVIEW_SECRET", "hunter2", "hunter2 hunter2 hunter2 hunter2 hunter2"),
        ("SVIEW_ADMIN_TOKEN", "hunter2", "hunter2-hunter2-hunter2"),
        ("SVIEW_ADMIN_READ_TOKEN", "hunter2", "hunter2-hunter2-hunter2"),
        ("SVIEW_DYNFW_CERT_URL", "http://sview:hunter2@site/", "https://sview:hunter2@site/server.key"),
    ] {
        let flag = format!("--{}", variable.trim_start_matches("SVIEW_").to_lowercase().replace('_', "-"));
        let out = sview(SVIEW, &deployment, &["migrate"]).env(variable, wrong).output().unwrap();
        assert!(told(&out).contains(variable) && !told(&out).contains("hunter2"), "{variable}: {}", told(&out));
        let out = sview(SVIEW, &deployment, &["migrate", &flag, wrong]).output().unwrap();
        assert!(told(&out).contains(&flag) && !told(&out).contains("hunter2"), "{flag}: {}", told(&out));
        let file = deployment.data_dir.join("sview.toml");
        let key = flag.trim_start_matches("--").replace('-', "_");
        std::fs::write(&file, format!("{key} = \"{right}\"\n")).unwrap();
        // A quotation mark is missing, a comma is too many, a secret has no quotation marks.
        for malformed in [
            format!("# settings\n{key} = \"{right}\n"),
            format!("\n{key} = \"{right}\",\n"),
            format!("\n{key} = {right} {right}\n"),
        ] {
            std::fs::write(&file, malformed).unwrap();
            let out = sview(SVIEW, &deployment, &["migrate", "--config", file.to_str().unwrap()]).output().unwrap();
            assert!(told(&out).contains("line 2") && !told(&out).contains("hunter2"), "{variable}: {}", told(&out));
        }
        std::fs::write(&file, format!("{key} = \"{right}\"\n")).unwrap();
        let mut help = sview(SVIEW, &deployment, &["--config", file.to_str().unwrap(), "help", "settings"]);
        let shown = run(help.env_remove(variable));
        assert!(shown.contains(&flag) && !shown.contains("hunter2"), "{variable} in the file: {shown}");
        let shown = run(sview(SVIEW, &deployment, &["help", "settings", "--json"]).env(variable, right));
        assert!(shown.contains(&flag) && !shown.contains("hunter2"), "{variable}: {shown}");
    }
    let out =
        sview(SVIEW, &deployment, &["dynfw-backend", "--download-cert", "http://hunter2@site/"]).output().unwrap();
    assert!(told(&out).contains("--download-cert") && !told(&out).contains("hunter2"), "{}", told(&out));
}

#[test]
fn flags_precede_the_environment_which_precedes_the_file() {
    let deployment = embedded();
    let file = deployment.data_dir.join("sview.toml");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "redis_prefix = \"from file\"\n").unwrap();
    let migrate = |extra: &[&str]| {
        let mut command = sview(SVIEW, &deployment, &["migrate", "--config", path]);
        command.env_remove("SVIEW_REDIS_PREFIX").args(extra);
        command
    };
    // The file's value is looked at: this one is refused.
    let out = told(&migrate(&[]).output().unwrap());
    assert!(out.contains("from file") && out.contains(&format!("redis_prefix in {path}")), "{out}");
    run(migrate(&[]).env("SVIEW_REDIS_PREFIX", "good"));
    let out = told(&migrate(&["--redis-prefix", "from flag"]).env("SVIEW_REDIS_PREFIX", "good").output().unwrap());
    assert!(out.contains("from flag"), "{out}");
}

#[test]
fn a_file_with_an_unknown_key_is_refused_with_the_keys_there_are() {
    let deployment = embedded();
    let file = deployment.data_dir.join("sview.toml");
    std::fs::write(&file, "listne = \"127.0.0.1:1\"\n").unwrap();
    let out = told(&sview(SVIEW, &deployment, &["migrate", "--config", file.to_str().unwrap()]).output().unwrap());
    assert!(out.contains("\"listne\" is no setting; is listen meant?"), "{out}");
    std::fs::write(&file, "colour = \"blue\"\n").unwrap();
    let out = told(&sview(SVIEW, &deployment, &["migrate", "--config", file.to_str().unwrap()]).output().unwrap());
    assert!(out.contains("colour") && out.contains("data_dir, ") && out.contains(", log_format"), "{out}");
    let out = told(&sview(SVIEW, &deployment, &["--config", "/nowhere.toml", "migrate"]).output().unwrap());
    assert!(out.contains("/nowhere.toml"), "{out}");
}

#[test]
fn settings_that_need_each_other_are_named_as_they_are_typed() {
    let deployment = embedded();
    for (name, value) in
        [("SVIEW_SECURITY_CONTACT", "mailto:a@example.org"), ("SVIEW_SECURITY_EXPIRES", "2027-01-01T00:00:00Z")]
    {
        let out = sview(SVIEW, &deployment, &["migrate"]).env(name, value).output().unwrap();
        let text = told(&out);
        assert!(
            out.status.code() == Some(1) && text.contains("SVIEW_SECURITY_CONTACT and SVIEW_SECURITY_EXPIRES"),
            "{text}"
        );
    }
}

/// The settings as `sview help settings --json` tells them.
fn settings_told(arguments: &[&str]) -> Vec<serde_json::Value> {
    let text = run(Command::new(SVIEW).args(["help", "settings", "--json"]).args(arguments));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn help_settings_lists_every_setting_in_groups() {
    let text = run(Command::new(SVIEW).args(["help", "settings"]));
    let all = settings_told(&[]);
    assert!(all.len() >= 50, "{}", all.len());
    for setting in &all {
        let [flag, variable, key, group, help] =
            ["flag", "variable", "key", "group", "help"].map(|field| setting[field].as_str().unwrap());
        assert_eq!(variable, format!("SVIEW_{}", key.to_uppercase()));
        assert_eq!(flag, format!("--{}", key.replace('_', "-")));
        assert!(!help.is_empty() && !group.is_empty(), "{setting}");
        assert!(text.contains(&format!("{flag} ")) && text.contains(variable), "{flag}: {text}");
        assert!(text.contains(&format!("\n{group}:\n")), "{group}: {text}");
    }
    let named = |variable: &str| all.iter().find(|setting| setting["variable"] == variable).unwrap();
    assert_eq!(named("SVIEW_LISTEN")["default"], "127.0.0.1:8080");
    assert_eq!(named("SVIEW_LISTEN")["value"], "ADDRESS");
    assert!(named("SVIEW_SECRET")["default"].is_null());
}

#[test]
fn help_settings_looks_for_words() {
    let of_redis = settings_told(&["REDIS"]);
    assert!(of_redis.iter().any(|setting| setting["variable"] == "SVIEW_REDIS_URL"));
    assert!(!of_redis.iter().any(|setting| setting["variable"] == "SVIEW_LISTEN"));
    assert_eq!(settings_told(&["redis", "prefix"])[0]["variable"], "SVIEW_REDIS_PREFIX");
    let out = Command::new(SVIEW).args(["help", "settings", "no\u{1b}where"]).output().unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(
        told(&out).contains("no setting mentions no\\u{1b}where; `sview help settings` lists them all"),
        "{}",
        told(&out)
    );
}

#[test]
fn help_of_a_command_shows_its_own_options_and_an_example() {
    let help = run(Command::new(SVIEW).arg("--help"));
    for command in ["up", "demo", "serve", "worker", "scheduler", "migrate", "ingest", "refresh", "help"] {
        let text = run(Command::new(SVIEW).args([command, "--help"]));
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
        assert_eq!(text, run(Command::new(SVIEW).args(["help", command])));
        assert!(text.contains("Usage") && text.contains("Example"), "{command}: {text}");
        assert!(text.contains("sview help settings") && !text.contains("SVIEW_LISTEN"), "{command}: {text}");
        assert!(text.lines().count() <= 70, "{command} --help does not fit: {text}");
    }
    assert!(help.contains("sview help settings") && !help.contains("SVIEW_LISTEN"), "{help}");
    assert_eq!(help, run(Command::new(SVIEW).arg("help")));
    assert_eq!(
        run(Command::new(SVIEW).args(["rollup", "verify", "--help"])),
        run(Command::new(SVIEW).args(["help", "rollup", "verify"]))
    );
}

#[test]
fn help_is_given_whatever_is_wrong_with_the_settings() {
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(SVIEW);
        command.env("SVIEW_LISTEN", "nowhere").env("SVIEW_ADMIN_READ_TOKEN", "t".repeat(32)).args(arguments);
        run(&mut command)
    };
    assert!(ask(&["help", "settings", "listen"]).contains("--listen <ADDRESS>"));
    assert!(ask(&["help", "ingest"]).contains("sview ingest --format"));
    assert!(ask(&["ingest", "--help"]).contains("sview ingest --format"));
    for config in ["--config=/nowhere.toml", "--config=/"] {
        assert!(ask(&[config, "help", "settings", "listen"]).contains("--listen <ADDRESS>"), "{config}");
        assert!(ask(&[config, "ingest", "--help"]).contains("sview ingest --format"), "{config}");
        assert!(ask(&[config, "--version"]).starts_with("sview "), "{config}");
    }
}

#[test]
fn help_of_an_unknown_command_names_the_nearest() {
    for (topic, told_as) in [
        (&["ingets"][..], "sview has no command ingets; is ingest meant?"),
        (&["setting"], "sview has no command setting; is settings meant?"),
        (&["rollup", "reverify"], "sview rollup has no command reverify; is verify meant?"),
        (&["weather"], "sview has no command weather; `sview --help` lists the commands"),
        (&["ingest", "--json"], "--json is for settings: sview help settings --json"),
    ] {
        let out = Command::new(SVIEW).arg("help").args(topic).output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{topic:?}");
        assert!(told(&out).contains(told_as), "{topic:?}: {}", told(&out));
    }
}

#[test]
fn the_secret_is_made_once_and_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let deployment = embedded();
    let path = deployment.data_dir.join("secret");
    drop(sview_testing::Server::start(&mut sview(SVIEW, &deployment, &["serve"])));
    let first = std::fs::read(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    drop(sview_testing::Server::start(&mut sview(SVIEW, &deployment, &["serve"])));
    assert_eq!(std::fs::read(&path).unwrap(), first);
}

/// Every path below a directory that other users may read or enter, the directory itself included.
fn open_to_others(directory: &Path) -> Vec<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut open = Vec::new();
    let mut paths = vec![directory.to_owned()];
    while let Some(path) = paths.pop() {
        // A file beside a database may go while this looks.
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            paths.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            open.push(path);
        }
    }
    open.sort();
    open
}

/// A command of sview on the embedded default in this directory, under a umask that hides nothing.
fn unmasked(deployment: &Deployment, directory: &Path, args: &str) -> Command {
    let script = format!("umask 000; exec {SVIEW} {args}");
    let mut command = sview("sh", deployment, &["-c", &script]);
    command.env_remove("SVIEW_DATABASE_URL").env_remove("SVIEW_REDIS_URL").env("SVIEW_DATA_DIR", directory);
    command
}

fn chmod(mode: &str, path: &Path) {
    assert!(Command::new("chmod").args(["-R", mode]).arg(path).status().unwrap().success());
}

#[test]
fn what_sview_keeps_is_its_users_alone_and_so_becomes_what_it_kept_before() {
    let deployment = embedded();
    let directory = deployment.data_dir.join("new");
    let hashes = deployment.data_dir.join("hashes.txt");
    std::fs::write(&hashes, "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3\nbad\n").unwrap();
    let rejects = directory.join("rejects");
    let up = || drop(Server::start(&mut unmasked(&deployment, &directory, "up")));
    let import = format!("import-passwords --replace --rejects {} {}", rejects.display(), hashes.display());
    up(); // killed: the files beside the databases stay
    unmasked(&deployment, &directory, &import).output().unwrap();
    for name in ["reports.sqlite", "reports.sqlite-wal", "cache.sqlite", "jobs.sqlite", "jobs.sqlite-wal", "secret"] {
        assert!(directory.join(name).exists(), "{name}");
    }
    assert!(directory.join("passwords/sha1.pwd").exists() && rejects.exists());
    let open = open_to_others(&directory);
    assert!(open.is_empty(), "{open:?}");

    // An earlier version left them open.
    chmod("a+rX", &directory);
    up();
    let open = open_to_others(&directory);
    // Nobody else can enter the directory, whatever the modes of what sview does not write again.
    let harmless = |path: &PathBuf| path.starts_with(directory.join("passwords")) || *path == rejects;
    assert!(open.iter().all(|path| harmless(path) && *path != directory.join("passwords")), "{open:?}");
}

#[test]
fn a_data_directory_that_others_use_too_stays_open_and_its_files_do_not() {
    let deployment = embedded();
    let directory = deployment.data_dir.join("shared");
    for name in ["others", "passwords"] {
        std::fs::create_dir_all(directory.join(name)).unwrap();
        chmod("0755", &directory.join(name));
    }
    chmod("0755", &directory);
    let server = Server::start(&mut unmasked(&deployment, &directory, "up"));
    assert_eq!(open_to_others(&directory), [directory.clone(), directory.join("others")]);
    assert!(server.log().contains("holds another directory too"), "{}", server.log());
}

#[test]
fn logs_are_json_where_asked() {
    let deployment = embedded();
    let server = sview_testing::Server::start(sview(SVIEW, &deployment, &["serve"]).env("SVIEW_LOG_FORMAT", "text"));
    assert_eq!(http::get(&format!("{}/healthz", server.url)).status, 200);
    let mut child = sview(SVIEW, &deployment, &["scheduler"])
        .env("SVIEW_LOG_FORMAT", "json")
        .env("SVIEW_LOG", "info")
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    // It handles signals by the time that it logs.
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    for line in std::iter::once(first).chain(lines) {
        serde_json::from_str::<serde_json::Value>(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
    }
    assert!(child.wait().unwrap().success());
}

/// Opens a database in a process of its own and lets nobody else in.
const HOLDER: &str = "
import sqlite3, sys
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute('BEGIN EXCLUSIVE')
print('held', flush=True)
sys.stdin.read()
";

/// Whether a process handles SIGTERM itself.
fn handles_sigterm(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim();
    u64::from_str_radix(caught, 16).unwrap() & (1 << (15 - 1)) != 0
}

#[test]
fn a_process_that_waits_for_a_lock_at_its_start_stops_when_told() {
    for command in [
        &["scheduler"][..],
        &["worker", "aggregation"],
        &["serve"],
        &["up"],
        &["dynfw-publish", "--bind", "127.0.0.1:0"],
    ] {
        let deployment = embedded();
        let mut holder = Command::new("python3")
            .args(["-c", HOLDER, deployment.data_dir.join("reports.sqlite").to_str().unwrap()])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        let mut child = sview(SVIEW, &deployment, command).spawn().unwrap();
        let patience = Patience::default();
        while !handles_sigterm(child.id()) {
            patience.look_again_blocking(|| format!("{command:?} handles SIGTERM"));
        }
        Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        let ended = child.wait().unwrap();
        assert!(ended.success(), "{command:?}: {ended}");
        holder.kill().unwrap();
        holder.wait().unwrap();
    }
}
