//! Processes that serve the pages: where they listen, how they end, and what open pages hear.

use std::process::{Command, Stdio};
use std::time::Duration;

use sview_model::Queue;
use sview_testing::http::{self, get};
use sview_testing::{Deployment, Patience, Server, both, limit, sview};

use crate::site::{SVIEW, new_job, push, queues, serve};

both! {
    async fn workers_and_schedulers_serve_the_pages_too_where_they_are_told_to(deployment: Deployment) {
        for args in [&["worker", "quick-cache"][..], &["scheduler"]] {
            let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let (url, listen) = (format!("http://127.0.0.1:{port}"), format!("127.0.0.1:{port}"));
            let mut command = sview(SVIEW, &deployment, args);
            let mut process = command.env("SVIEW_ADMIN_LISTEN", &listen).stderr(Stdio::null()).spawn().unwrap();
            let patience = Patience::default();
            while http::try_get(&format!("{url}/api/jobs/counts")).is_none() {
                patience.look_again_blocking(|| format!("{args:?} does not listen"));
            }
            for path in ["/", "/workers", "/schedule", "/metrics"] {
                assert_eq!(get(&format!("{url}{path}")).status, 200, "{args:?} {path}");
            }
            // It ends well when it is told to, open pages or not.
            assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
            assert!(process.wait().unwrap().success(), "{args:?}");
        }
    }
}

#[test]
fn a_taken_default_address_is_only_a_warning() {
    let deployment =
        tokio::runtime::Runtime::new().unwrap().block_on(Deployment::new(sview_testing::Backend::Embedded));
    // Whoever has it, now somebody does.
    let _taken = std::net::TcpListener::bind("127.0.0.1:8081");
    let mut command = sview(SVIEW, &deployment, &["serve"]);
    let server = Server::start(command.env_remove("SVIEW_ADMIN_LISTEN"));
    assert_eq!(get(&format!("{}/healthz", server.url)).status, 200);
    let patience = Patience::default();
    while !server.log().contains("could not serve operators' pages") {
        patience.look_again_blocking(|| server.log());
    }
}

#[test]
fn pages_hear_of_changes_as_events() {
    use std::io::{BufRead as _, BufReader, Write as _};
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let deployment = runtime.block_on(Deployment::new(sview_testing::Backend::Embedded));
    let (mut server, url) = serve(&deployment, &[]);
    let queues = runtime.block_on(queues(&deployment));
    let host = url.trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(limit(Duration::from_secs(60)))).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nhost: {host}\r\naccept-encoding: gzip\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map(|line| line.unwrap());
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains("200") && head.iter().any(|line| line.contains("text/event-stream")), "{head:?}");
    runtime.block_on(push(&queues, &new_job(Queue::SlowCache, "k")));
    assert!(lines.any(|line| line.contains("data: changed")));
    // An open stream does not keep the process.
    assert!(server.terminate(Duration::from_secs(30)), "{}", server.log());
}
