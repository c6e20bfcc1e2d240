//! The API of ranges, as checkers of leaked passwords expect it.

use std::collections::BTreeSet;

use sview_model::HashKind;
use sview_testing::{both, http};

use crate::site::{import, known, serve, sha1};

both! {
    async fn a_range_is_the_rest_of_every_hash_and_its_count(deployment: Deployment) {
        known(&deployment).await;
        let server = serve(&deployment, &[]);
        let get = |path: &str| http::get(&format!("{}{path}", server.url));
        let hash = sha1("password").to_uppercase();
        for path in ["/range/5baa6", "/range/5BAA6", "/range/5Baa6?mode=sha1"] {
            let answer = get(path);
            assert_eq!((answer.status, answer.body.as_str()), (200, format!("{}:54\r\n", &hash[5..]).as_str()), "{path}");
            assert!(answer.header("content-type").starts_with("text/plain"));
            assert_eq!(answer.header("access-control-allow-origin"), "*");
            assert!(answer.header("cache-control").contains("public") && answer.header("cache-control").contains("max-age="));
            assert!(answer.header("vary").contains("add-padding"));
        }
        // NTLM: a list, and what was reported.
        let ntlm = HashKind::Ntlm.of("password").to_hex(HashKind::Ntlm).to_uppercase();
        assert_eq!(get(&format!("/range/{}?mode=ntlm", &ntlm[..5])).body, format!("{}:82\r\n", &ntlm[5..]));
        assert_eq!(get(&format!("/range/{}", &ntlm[..5])).body, "", "no SHA-1 begins so");
        assert_eq!(get("/range/00000").status, 200);
        for path in ["/range/5baa", "/range/5baa61", "/range/5baag", "/range/%20baa6", "/range/5ba%C3%A9", "/range/%ff%ff%ff%ff%ff", "/range/+baa6", "/range/５５５５５"] {
            let answer = get(path);
            assert_eq!((answer.status, answer.body.as_str()), (400, "The hash prefix was not in a valid format"), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), "*");
        }
        for path in ["/range/5baa6?mode=md5", "/range/5baa6?mode=", "/range/5baa6?mode=ntlm&mode=ntlm", "/range/5baa6?more=1"] {
            let answer = get(path);
            assert!(answer.status == 400 && answer.body.contains("mode"), "{path}: {}", answer.body);
            assert_eq!((answer.header("content-type"), answer.header("access-control-allow-origin")), ("text/plain; charset=utf-8", "*"));
        }
        let answer = http::post_body(&format!("{}/range/5baa6", server.url), "text/plain", "", &[]);
        assert_eq!(answer.status, 405);

        // Kept by its tag; compressed for who reads that; the head alone.
        let tag = get("/range/5baa6").header("etag").to_owned();
        let again = http::get_with(&format!("{}/range/5baa6", server.url), &[("if-none-match", &tag)]);
        assert_eq!((again.status, again.body.as_str(), again.header("access-control-allow-origin")), (304, "", "*"));
        assert_ne!(get("/range/00000").header("etag"), tag);
        let head = std::process::Command::new("curl").args(["-sI", &format!("{}/range/5baa6", server.url)]).output().unwrap();
        let head = String::from_utf8(head.stdout).unwrap();
        assert!(head.starts_with("HTTP/1.1 200") && head.contains(&tag) && head.contains("content-length: 40"), "{head}");
        let asked = ["-s", "-i", "-X", "OPTIONS", "-H", "origin: https://example.com", "-H", "access-control-request-headers: add-padding"];
        let preflight = std::process::Command::new("curl").args(asked).arg(format!("{}/range/5baa6", server.url)).output().unwrap();
        let preflight = String::from_utf8(preflight.stdout).unwrap().to_lowercase();
        assert!(preflight.starts_with("http/1.1 204") && preflight.contains("access-control-allow-headers: add-padding"), "{preflight}");
    }

    async fn a_padded_answer_does_not_tell_how_much_there_is(deployment: Deployment) {
        let prefix = &sha1("password")[..5];
        let lines: String = (0..1100).map(|n| format!("{prefix}{n:035x}:{}\n", n + 1)).collect();
        import(&deployment, &[], &(lines + &format!("00000{:035x}:7\n", 1)));
        let server = serve(&deployment, &[]);
        let padded = |prefix: &str, mode: &str| http::get_with(&format!("{}/range/{prefix}{mode}", server.url), &[("add-padding", "true")]);
        let mut lengths = BTreeSet::new();
        for (prefix, mode, digits, real) in [("00000", "", 35, 1), ("00001", "", 35, 0), ("00001", "?mode=ntlm", 27, 0)] {
            for _ in 0..10 {
                let answer = padded(prefix, mode);
                assert_eq!(answer.header("etag"), "", "nothing that is the same for the same passwords");
                assert!(answer.header("cache-control").starts_with("private"));
                let lines: Vec<&str> = answer.body.split_terminator("\r\n").collect();
                assert!((800..=1000).contains(&lines.len()), "{}", lines.len());
                assert!(lines.is_sorted() && lines.iter().collect::<BTreeSet<_>>().len() == lines.len());
                for line in &lines {
                    let (suffix, count) = line.split_once(':').unwrap();
                    assert!(suffix.len() == digits && suffix.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_lowercase()));
                    assert!(count == "0" || count == "7", "{line}");
                }
                assert_eq!(lines.iter().filter(|line| !line.ends_with(":0")).count(), real);
                lengths.insert(lines.len());
            }
        }
        assert!(lengths.len() > 10, "by chance: {lengths:?}");
        let many = padded(prefix, "");
        assert_eq!(many.body.lines().filter(|line| !line.trim_end_matches('0').ends_with(':')).count(), 1100, "what there is stays");
        assert!(many.body.len() % 39 == 0 && (1320..=1480).contains(&(many.body.len() / 39)), "{}", many.body.len());
        let gzip = http::get_with(&format!("{}/range/{prefix}", server.url), &[("accept-encoding", "gzip")]);
        assert!(gzip.header("content-encoding") == "gzip" && gzip.bytes.len() < 30_000, "{}", gzip.bytes.len());
    }

    async fn no_size_tells_whether_something_is_known(deployment: Deployment) {
        // Counts of many lengths, by which lines differ.
        let lines: String = (0..60_u64).map(|n| format!("00000{n:035x}:{}\n", 7 * 10_u64.pow((n % 9) as u32))).collect();
        import(&deployment, &[], &lines);
        let server = serve(&deployment, &[]);
        for gzip in [false, true] {
            let encoding: &[(&str, &str)] = if gzip { &[("accept-encoding", "gzip")] } else { &[] };
            let headers = [&[("add-padding", "true")], encoding].concat();
            let range = |prefix: &str| http::get_with(&format!("{}/range/{prefix}", server.url), &headers);
            for _ in 0..10 {
                for prefix in ["00000", "00001"] {
                    let answer = range(prefix);
                    assert_eq!(answer.header("content-encoding") == "gzip", gzip);
                    // The form of gzip adds 18 bytes, and 5 for each of its blocks of 32 KiB.
                    let length = if gzip { plain(&answer.bytes).len() } else { answer.bytes.len() };
                    assert!(length % 39 == 0 && (840..=1000).contains(&(length / 39)), "{prefix}: {length}");
                    assert!(!gzip || (18..=200).contains(&(answer.bytes.len() - length)), "{prefix}: {length}");
                }
            }
            let post = |path: &str, body: String| http::post_body(&format!("{}{path}", server.url), "application/json", &body, encoding);
            let seen = |prefix: &str| post("/passcheck/apiv1/seen", format!(r#"{{"prefix":"{prefix}"}}"#));
            let leaked = |hash: &str| post("/api/leaked", format!(r#"{{"msg_type":"request","hash":"{hash}"}}"#));
            for (known, unknown) in [(seen("00000"), seen("00001")), (leaked("000000"), leaked("000010"))] {
                assert_eq!((known.status, unknown.status), (200, 200));
                assert_eq!((known.header("content-encoding") == "gzip", known.bytes.len()), (gzip, unknown.bytes.len()));
                let names = |answer: &http::Answer| answer.headers.keys().map(ToString::to_string).collect::<BTreeSet<_>>();
                assert_eq!(names(&known), names(&unknown));
                let text = |answer: &http::Answer| if gzip { plain(&answer.bytes) } else { answer.bytes.clone() };
                assert_eq!((text(&known).len() % 16384, text(&unknown).len() % 16384), (0, 0));
                assert_ne!(serde_json::from_slice::<serde_json::Value>(&text(&known)).unwrap(), serde_json::from_slice::<serde_json::Value>(&text(&unknown)).unwrap());
            }
        }
    }

    async fn the_database_is_asked_whether_or_not_it_knows_something(deployment: Deployment) {
        known(&deployment).await;
        let server = serve(&deployment, &[]);
        let range = |prefix: &str, padding: &str| http::get_with(&format!("{}/range/{prefix}", server.url), &[("add-padding", padding)]).status;
        for _ in 0..50 {
            assert_eq!((range("00001", "false"), range("00001", "true")), (200, 200));
        }
        for table in ["sview_password", "passwords_pwned"] {
            deployment.sql(&format!("ALTER TABLE {table} RENAME TO away_{table}")).await;
        }
        // Answered without the database, the second would tell by its time that nothing is known under it.
        assert_eq!((range("5baa6", "true"), range("00001", "true")), (503, 503));
        let seen = |prefix: &str| http::post_body(&format!("{}/passcheck/apiv1/seen", server.url), "application/json", &format!(r#"{{"prefix":"{prefix}"}}"#), &[]);
        assert_eq!((seen("5baa6").status, seen("00001").status), (503, 503));
    }

    async fn a_small_range_is_compressed_for_who_asks(deployment: Deployment) {
        known(&deployment).await;
        let server = serve(&deployment, &[]);
        for prefix in ["5baa6", "00001"] {
            let get = |headers: &[(&str, &str)]| http::get_with(&format!("{}/range/{prefix}", server.url), headers);
            let (gzip, text) = (get(&[("accept-encoding", "gzip")]), get(&[]));
            assert_eq!((gzip.header("content-encoding"), text.header("content-encoding")), ("gzip", ""));
            assert_eq!(plain(&gzip.bytes), text.bytes);
        }
    }
}

/// Returns the compressed text.
fn plain(gzip: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(gzip), &mut plain).unwrap();
    plain
}
