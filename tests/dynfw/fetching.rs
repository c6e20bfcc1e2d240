//! The publisher's key over TLS, from a site that an operator trusts; and from one that answers anything else.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sview_testing::{Backend, Deployment, Feed, Server, python, script, sview, temporary, told};

use crate::viewer::{SVIEW, Viewer, fed, known};

/// A site over TLS (see `https.py`); ends when dropped.
struct Site {
    directory: tempfile::TempDir,
    url: String,
    child: Child,
}

impl Site {
    fn start(feed: &Feed) -> Self {
        let directory = temporary();
        std::fs::write(directory.path().join("answer"), "key").unwrap();
        let mut command = Command::new(python());
        command.arg(script("https.py")).arg(directory.path()).arg(feed.certificate()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        assert!(!port.is_empty(), "the site does not start: is openssl there?");
        Self { directory, url: format!("https://127.0.0.1:{}/server.key", port.trim()), child }
    }

    fn answers(&self, word: &str) {
        std::fs::write(self.directory.path().join("answer"), word).unwrap();
    }

    /// A command of sview that fetches the key from here; it trusts nobody but the site's authority.
    fn fetched(&self, deployment: &Deployment, feed: &Feed, command: &str) -> Command {
        let mut command = sview(SVIEW, deployment, &[command]);
        command
            .env("SVIEW_DYNFW_SERVER", "127.0.0.1")
            .env("SVIEW_DYNFW_PORT", feed.port.to_string())
            .env("SVIEW_DYNFW_CERT_URL", &self.url)
            .env("SSL_CERT_FILE", self.directory.path().join("authority.pem"))
            .env_remove("SSL_CERT_DIR");
        command
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn kept(deployment: &Deployment) -> PathBuf {
    deployment.data_dir.join("dynfw_server.key")
}

/// Follows the feed: list, delta and event arrive.
async fn follows(server: &Server, feed: &mut Feed) {
    fed(server, feed, 20).await;
    let mut viewer = Viewer::open(server).await;
    assert_eq!(viewer.until("dynfw list").await["list"].as_array().unwrap().len(), 20);
    feed.tell("delta 2 positive 192.0.2.9");
    assert_eq!(viewer.until("dynfw delta").await["ip"], "192.0.2.9");
    feed.tell("event telnet_login 192.0.2.9");
    assert_eq!(viewer.until("dynfw event").await["event"], "telnet_login");
    feed.tell("every 0"); // who comes next begins with a list of its own
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_that_is_fetched_over_tls_the_feed_is_followed() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let site = Site::start(&feed);
    let server = Server::start(&mut site.fetched(&deployment, &feed, "dynfw-backend"));
    follows(&server, &mut feed).await;
    let text = std::fs::read_to_string(kept(&deployment)).unwrap();
    assert!(text.contains(&site.url), "{text}");
    drop(server);

    // As a flag, and within `serve`.
    let mut flag = site.fetched(&deployment, &feed, "dynfw-backend");
    let server = Server::start(flag.env_remove("SVIEW_DYNFW_CERT_URL").args(["--download-cert", &site.url]));
    follows(&server, &mut feed).await;
    drop(server);
    let server = Server::start(&mut site.fetched(&deployment, &feed, "serve"));
    follows(&server, &mut feed).await;
    drop(server);

    // A kept key stays, and is used, whatever the site answers later.
    for (answer, said) in [("page", "no line public-key"), ("big", "more than 64 KiB"), ("redirect", "/elsewhere.key")]
    {
        site.answers(answer);
        let server = Server::start(&mut site.fetched(&deployment, &feed, "dynfw-backend"));
        known(&server, "connected", |state| state["connected"] == true).await;
        assert!(
            server.log().contains(said) && server.log().contains("could not download the publisher's key"),
            "{}",
            server.log()
        );
        assert_eq!(std::fs::read_to_string(kept(&deployment)).unwrap(), text, "{answer}");
    }
    // Another address is another publisher's: what was fetched from here says nothing of it.
    let mut other = site.fetched(&deployment, &feed, "dynfw-backend");
    let out = other.env("SVIEW_DYNFW_CERT_URL", site.url.replace("server.key", "other.key")).output().unwrap();
    assert!(out.status.code() == Some(1), "{}", told(&out));

    // The publisher has new keys: they replace the old ones.
    site.answers("key");
    let mut anew = Feed::start();
    std::fs::copy(anew.certificate(), feed.certificate()).unwrap();
    let server = Server::start(&mut site.fetched(&deployment, &anew, "dynfw-backend"));
    follows(&server, &mut anew).await;
    assert!(server.log().contains("has changed its key"), "{}", server.log());
    assert_ne!(std::fs::read_to_string(kept(&deployment)).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_fetched_serves_where_it_cannot_be_kept() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let site = Site::start(&feed);
    // No file can be read here, and none can take its place.
    std::fs::create_dir(kept(&deployment)).unwrap();
    let server = Server::start(&mut site.fetched(&deployment, &feed, "serve"));
    follows(&server, &mut feed).await;
    let log = server.log();
    assert!(
        log.contains("could not read the publisher's key") && log.contains("could not save the publisher's key"),
        "{log}"
    );
    let left: Vec<_> = std::fs::read_dir(&deployment.data_dir).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "nothing unfinished is left: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_refused_and_nothing_is_kept() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let feed = Feed::start();
    let site = Site::start(&feed);
    let refused = |command: &mut Command, expected: &[&str]| {
        let out = command.output().unwrap();
        assert_eq!(out.status.code(), Some(1), "{}", told(&out));
        for expected in expected {
            assert!(told(&out).contains(expected), "{expected} is not in {}", told(&out));
        }
        for secret in ["hunter2", "aHVudGVyMg"] {
            assert!(!told(&out).contains(secret), "{secret} is in {}", told(&out));
        }
        let files: Vec<_> =
            std::fs::read_dir(&deployment.data_dir).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert!(!files.iter().any(|name| name.to_string_lossy().contains("server")), "{files:?}");
    };
    for (answer, said) in [
        ("redirect", "leads to /elsewhere.key"),
        ("page", "no line public-key"),
        ("big", "more than 64 KiB"),
        ("missing", "answers 404"),
        ("hang", "did not answer within 10 s"),
    ] {
        site.answers(answer);
        let mut command = site.fetched(&deployment, &feed, "dynfw-backend");
        refused(&mut command, &["SVIEW_DYNFW_CERT_URL", &site.url, said]);
        // The user and the query are in no message and no log, however much is logged.
        command.env("SVIEW_DYNFW_CERT_URL", site.url.replace("://", "://hunter2@") + "?token=hunter2");
        refused(command.env("SVIEW_LOG", "trace"), &["SVIEW_DYNFW_CERT_URL", &site.url, said]);
    }
    // Whoever does not trust the authority trusts nothing that the site says.
    site.answers("key");
    let trusting = |file: &Path, expected: &[&str]| {
        refused(site.fetched(&deployment, &feed, "dynfw-backend").env("SSL_CERT_FILE", file), expected);
    };
    let strangers = std::env::var("SVIEW_TEST_CA").expect("run the tests by tests/run.sh");
    trusting(Path::new(&strangers), &["invalid peer certificate", "SSL_CERT_FILE"]);
    // Nobody is trusted where no authority is known: neither is there a certificate that is built in.
    let nobodys = site.directory.path().join("empty.pem");
    std::fs::write(&nobodys, "").unwrap();
    trusting(&nobodys, &["ca-certificates", "SSL_CERT_FILE"]);
    trusting(Path::new("/nonexistent.pem"), &["ca-certificates", "SSL_CERT_FILE", "/nonexistent.pem"]);
}
