//! Connections: who sends nothing, half a request or too much of one; who has too many; who does not read.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use sview_testing::{Backend, Deployment, Server, http, limit, patiently, sview};

use crate::site::{SVIEW, start};

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(server.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(limit(Duration::from_secs(120)))).unwrap();
    stream
}

fn sending(server: &Server, text: &str) -> TcpStream {
    let mut stream = connect(server);
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// All that comes until the server closes the connection; fails where it does not.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("it is still open: {error}"),
        _ => String::from_utf8_lossy(&bytes).into_owned(),
    }
}

async fn deployment() -> Deployment {
    Deployment::new(Backend::Embedded).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_and_silent_connections_are_closed() {
    let server = start(&deployment().await, "serve", &[]);
    let silent: Vec<_> = (0..40).map(|_| connect(&server)).collect();
    let half: Vec<_> = (0..40).map(|_| sending(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ")).collect();
    let idle: Vec<_> = (0..10).map(|_| sending(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")).collect();
    assert_eq!(http::get(&format!("{}/healthz", server.url)).status, 200, "others are served meanwhile");
    // A byte now and then gives nobody more time.
    let mut dripping = sending(&server, "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    let drips = std::thread::spawn(move || {
        for _ in 0..240 {
            std::thread::sleep(Duration::from_millis(500));
            if dripping.write_all(b"a").is_err() {
                return true;
            }
        }
        false
    });
    for stream in silent.into_iter().chain(half) {
        assert_eq!(rest(stream), "", "nobody asked for anything");
    }
    for stream in idle {
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok\n"), "{answer}");
    }
    assert!(drips.join().unwrap(), "it may go on as long as it likes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_of_a_request_has_16_kb_at_most() {
    let server = start(&deployment().await, "serve", &[]);
    let head = |bytes: usize| {
        format!("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Long: {}\r\n\r\n", "x".repeat(bytes))
    };
    assert!(rest(sending(&server, &head(12_000))).starts_with("HTTP/1.1 200 "));
    let mut stream = connect(&server);
    let _ = stream.write_all(head(400_000).as_bytes()); // it may be closed before all is sent
    let answer = rest(stream);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(rest(sending(&server, &head(16 * 1024))).starts_with("HTTP/1.1 431 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_names_one_host() {
    let server = start(&deployment().await, "serve", &[]);
    for (head, status) in [
        ("HTTP/1.1\r\nHost: x", "200"),
        ("HTTP/1.1\r\nHost: some_host:8080", "200"),
        ("HTTP/1.0\r\nHost: x", "200"),
        ("HTTP/1.0", "200"),
        ("HTTP/1.1", "400"),
        ("HTTP/1.1\r\nHost: x\r\nHost: x", "400"),
        ("HTTP/1.0\r\nHost: x\r\nHost: y", "400"),
        ("HTTP/1.1\r\nHost:", "400"),
        ("HTTP/1.1\r\nHost: \u{e9}", "400"),
    ] {
        let answer = rest(sending(&server, &format!("GET /healthz {head}\r\nConnection: close\r\n\r\n")));
        assert_eq!(answer.split(' ').nth(1), Some(status), "{head}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_has_so_many_connections_and_no_more() {
    let bound = [("SVIEW_MAX_CONNECTIONS_PER_CLIENT", "5")];
    let server = start(&deployment().await, "serve", &bound);
    let ask = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut held: Vec<_> = (0..5).map(|_| sending(&server, ask)).collect();
    for stream in &mut held {
        stream.read_exact(&mut [0; 12]).unwrap();
    }
    let refused: Vec<_> = (0..20).map(|_| connect(&server)).collect();
    for refused in refused.into_iter().map(rest) {
        assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("Retry-After: 10"), "{refused}");
    }
    server.logs("refused connections");
    drop(held);
    patiently(|| http::get(&format!("{}/healthz", server.url)), |answer| answer.status == 200);
}

/// More connections than a limit of 1,024 open files could hold, from a proxy that has no bound of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_connect_the_operators_are_served() {
    let deployment = deployment().await;
    let script = format!("ulimit -n 1024 && exec {SVIEW} serve");
    let mut command = sview("sh", &deployment, &["-c", &script]);
    command.env("SVIEW_TRUSTED_PROXIES", "127.0.0.1").env("SVIEW_ADMIN_LISTEN", "127.0.0.1:0");
    let server = Server::start(&mut command);
    let admin = server.admin_url();
    let held: Vec<_> = (0..1100).map(|_| connect(&server)).collect();
    for path in ["/", "/metrics", "/api/jobs/counts"] {
        assert_eq!(http::get(&format!("{admin}{path}")).status, 200, "{path}");
    }
    patiently(
        || http::get(&format!("{admin}/metrics")),
        |answer| {
            let refused = "sview_http_refused_connections_total{server=\"public\",reason=\"all\"} ";
            answer
                .body
                .lines()
                .filter_map(|line| line.strip_prefix(refused))
                .any(|count| count.parse::<u64>().unwrap() > 0)
        },
    );
    server.logs("refused connections");
    drop(held);
    patiently(|| http::get(&format!("{}/healthz", server.url)), |answer| answer.status == 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_the_answers_is_let_go() {
    let server = start(&deployment().await, "serve", &[("SVIEW_ADMIN_LISTEN", "127.0.0.1:0")]);
    let admin = server.admin_url();
    let mut greedy = connect(&server);
    greedy.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    // Until neither side's buffers take any more.
    while greedy.write_all(b"GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n").is_ok() {}
    patiently(
        || http::get(&format!("{admin}/metrics")),
        |answer| answer.body.lines().any(|line| line == "sview_http_connections{server=\"public\"} 0"),
    );
    drop(greedy);
}
