//! Who gets an answer, and what the answers allow a browser to do. All over real connections.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{Running, small_recording};

fn running() -> Running {
    Running::new(vec![small_recording()])
}

#[test]
fn it_listens_on_loopback_only() {
    let server = running();
    assert!(server.address.ip().is_loopback());
    assert_ne!(server.address.port(), 0);
}

#[test]
fn a_wrong_token_is_as_good_as_none() {
    let server = running();
    let token = &server.token;
    let almost = format!("{}x", &token[..token.len() - 1]);
    for target in [
        "/".to_owned(),
        "/api/meta".to_owned(),
        "//".to_owned(),
        format!("/{almost}/api/meta"),
        format!("/{almost}/"),
        format!("/{}/api/meta", &token[..16]),
        format!("/{token}{token}/api/meta"),
        format!("/{}/api/meta", token.to_uppercase() + "A"),
        format!("/x/{token}/api/meta"),
        format!("/?token={token}"),
        format!("/%2e%2e/{token}/"),
    ] {
        let answer = server.send("GET", &target);
        assert_eq!(answer.status, 404, "{target}");
        assert!(answer.body.is_empty(), "{target}");
    }
    assert_eq!(server.get("api/meta").status, 200);
}

#[test]
fn a_rebound_name_is_refused_even_with_the_token() {
    let server = running();
    let port = server.address.port();
    let target = format!("/{}/api/meta", server.token);
    for (host, status) in [
        (format!("127.0.0.1:{port}"), 200),
        (format!("localhost:{port}"), 200),
        (format!("[::1]:{port}"), 200),
        (format!("evil.example:{port}"), 403),
        ("127.0.0.1".to_owned(), 403),
        (format!("127.0.0.1:{}", port ^ 1), 403),
        (format!("0.0.0.0:{port}"), 403),
        (format!("127.0.0.1:{port}@evil.example"), 403),
        (String::new(), 403),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(server.raw(request.as_bytes()).status, status, "{host}");
    }
    let without = format!("GET {target} HTTP/1.0\r\n\r\n");
    assert_eq!(server.raw(without.as_bytes()).status, 403);
    let absolute = format!(
        "GET http://evil.example{target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(server.raw(absolute.as_bytes()).status, 403);
}

#[test]
fn only_reading_methods_are_answered() {
    let server = running();
    let target = format!("/{}/api/meta", server.token);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let answer = server.send(method, &target);
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"), "{method}");
    }
    let full = server.send("GET", &target);
    let head = server.send("HEAD", &target);
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), full.header("content-length"));
}

#[test]
fn every_answer_binds_the_browser() {
    let server = running();
    for (path, cache) in [
        ("", "no-cache"),
        ("api/meta", "no-store"),
        ("api/nothing", "no-store"),
        ("nothing.js", "no-store"),
    ] {
        let answer = server.get(path);
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'self';"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("http"), "{policy}");
        assert!(!policy.contains("unsafe-eval"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cache-control", cache),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
        let cors = |(name, _): &&(String, String)| name.starts_with("access-control");
        assert_eq!(answer.headers.iter().find(cors), None, "{path}");
    }
    let refused = server.send("GET", "/");
    assert_eq!(refused.header("referrer-policy"), Some("no-referrer"));
}

#[test]
fn another_sites_preflight_gets_no_permission() {
    let server = running();
    let request = format!(
        "OPTIONS /{}/api/meta HTTP/1.1\r\nHost: {}\r\nOrigin: https://evil.example\r\n\
         Access-Control-Request-Method: GET\r\nConnection: close\r\n\r\n",
        server.token, server.address
    );
    let answer = server.raw(request.as_bytes());
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[test]
fn the_page_comes_with_and_without_its_slash() {
    let server = running();
    let page = server.get("");
    assert_eq!(page.status, 200);
    assert_eq!(
        page.header("content-type"),
        Some("text/html; charset=utf-8")
    );
    assert!(page.text().to_lowercase().contains("<!doctype html>"));
    let redirect = server.send("GET", &format!("/{}", server.token));
    assert_eq!(redirect.status, 308);
    let expected = format!("/{}/", server.token);
    assert_eq!(redirect.header("location"), Some(expected.as_str()));
}

#[test]
fn no_path_leads_out_of_the_page() {
    let server = running();
    for path in [
        "../Cargo.toml",
        "..%2f..%2fCargo.toml",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "....//....//etc/passwd",
        "%2fetc%2fpasswd",
        "/etc/passwd",
        "..\\..\\Cargo.toml",
        "assets/../../../Cargo.toml",
        "index.html%00.js",
        "index.html/",
        "api",
        "api/",
        "api/meta/",
        "api/../api/meta",
        "api/%2e%2e/meta",
        "%ff%fe",
    ] {
        let answer = server.get(path);
        assert!(
            matches!(answer.status, 400 | 404),
            "{path}: {}",
            answer.status
        );
        assert!(!answer.text().contains("root:"), "{path}");
        assert!(!answer.text().contains("[package]"), "{path}");
    }
}

#[test]
fn floods_are_refused_and_the_server_lives() {
    let server = running();
    let long = format!("/{}/api/meta?search={}", server.token, "a".repeat(20_000));
    assert_eq!(server.send("GET", &long).status, 414);
    // Who does not know the token does not learn how long is too long.
    let unknown = format!("/{}/{}", "0".repeat(32), "a".repeat(20_000));
    assert_eq!(server.send("GET", &unknown).status, 404);
    let longer = format!("/{}/api/meta?search={}", server.token, "a".repeat(500_000));
    assert!(matches!(server.send("GET", &longer).status, 414 | 431));
    let many = format!(
        "GET /{}/api/meta HTTP/1.1\r\nHost: {}\r\n{}\r\n",
        server.token,
        server.address,
        "X-A: b\r\n".repeat(5000)
    );
    assert_eq!(server.raw(many.as_bytes()).status, 431);
    let body = format!(
        "GET /{}/api/meta HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: 99999999999\r\n\r\nx",
        server.token, server.address
    );
    assert_eq!(server.raw(body.as_bytes()).status, 200);
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut stream = TcpStream::connect(server.address).expect("it listens");
        stream.write_all(garbage).expect("it reads");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.windows(6).any(|part| part == b" 200 O"));
    }
    assert_eq!(server.get("api/meta").status, 200);
}

#[test]
fn it_stops_when_told_even_with_idle_connections() {
    let server = running();
    let address = server.address;
    let _idle = TcpStream::connect(address).expect("it listens");
    drop(server);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn the_browsers_first_address_works_once() {
    let server = running();
    let launch = server.launch_path.as_str();
    for wrong in [
        "/open/",
        "/open",
        "/open/x",
        "/open/api/meta",
        "/open/../api/meta",
        "/open//",
    ] {
        assert_eq!(server.send("GET", wrong).status, 404, "{wrong}");
    }
    assert_eq!(server.send("HEAD", launch).status, 404);
    let rebound =
        format!("GET {launch} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert_eq!(server.raw(rebound.as_bytes()).status, 403);
    let first = server.send("GET", launch);
    assert_eq!(first.status, 303);
    let page = format!("/{}/", server.token);
    assert_eq!(first.header("location"), Some(page.as_str()));
    assert_eq!(server.send("GET", launch).status, 404);
}
