//! Who may ask: the token, the `Host`, the method, and the headers that bind the browser.
//!
//! Other programs of this user can read its files anyway. The guard is against the two others: web
//! pages in the user's browser (which can send requests to loopback ports, and by DNS rebinding
//! even read the answers), and other users of the machine (who can connect to its ports).

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use subtle::ConstantTimeEq;

/// Longest request target that is looked at, in bytes.
pub(crate) const MAX_TARGET_BYTES: usize = 16 * 1024;

const TOKEN_BYTES: usize = 16;

/// Scripts, styles, pictures and requests only from this server; nothing may frame the page.
/// Style attributes are allowed: they can load nothing, as every source is this server.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src-attr 'unsafe-inline'; \
     img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// The rules of one server.
#[derive(Clone)]
pub(crate) struct Guard {
    token: String,
    hosts: Vec<String>,
}

impl Guard {
    /// Rules for the server at `port`, with a new token.
    pub(crate) fn new(port: u16) -> Result<Guard, getrandom::Error> {
        let mut bytes = [0_u8; TOKEN_BYTES];
        getrandom::fill(&mut bytes)?;
        let token = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Guard::with_token(port, token))
    }

    fn with_token(port: u16, token: String) -> Guard {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            hosts.extend(names.map(String::from));
        }
        Guard { token, hosts }
    }

    /// The first segment of every path.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Whether this request may go on; else the status to answer with.
    ///
    /// The order matters: without the right host and token nobody learns more than that.
    pub(crate) fn check<B>(&self, request: &Request<B>) -> Result<(), StatusCode> {
        if !self.is_our_host(request.headers(), request.uri()) {
            return Err(StatusCode::FORBIDDEN);
        }
        if request.uri().path().len() + request.uri().query().map_or(0, str::len) > MAX_TARGET_BYTES
        {
            return Err(StatusCode::URI_TOO_LONG);
        }
        if !self.has_token(request.uri().path()) {
            return Err(StatusCode::NOT_FOUND);
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        Ok(())
    }

    /// A page of another site whose name was made to point to us still sends that name.
    fn is_our_host(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let known = |host: &str| {
            self.hosts
                .iter()
                .any(|ours| ours.eq_ignore_ascii_case(host))
        };
        let mut hosts = headers.get_all(header::HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else {
            return false;
        };
        host.to_str().is_ok_and(known)
            && uri
                .authority()
                .is_none_or(|authority| known(authority.as_str()))
    }

    fn has_token(&self, path: &str) -> bool {
        let first = path.split('/').nth(1).unwrap_or("");
        first.as_bytes().ct_eq(self.token.as_bytes()).into()
    }
}

/// Adds what every answer carries.
pub(crate) fn add_headers(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for name in ["cross-origin-opener-policy", "cross-origin-resource-policy"] {
        headers.insert(name, HeaderValue::from_static("same-origin"));
    }
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let tokens: Vec<String> = (0..64)
            .map(|_| Guard::new(1).expect("randomness").token().to_owned())
            .collect();
        for (at, token) in tokens.iter().enumerate() {
            assert_eq!(token.len(), 32, "128 bits in hex");
            assert!(!tokens[..at].contains(token));
        }
    }

    #[test]
    fn the_host_and_then_the_token_decide() {
        let guard = Guard::with_token(8000, "a".repeat(32));
        let good = format!("/{}/", "a".repeat(32));
        let cases = [
            ("GET", good.as_str(), vec!["127.0.0.1:8000"], Ok(())),
            ("HEAD", &good, vec!["localhost:8000"], Ok(())),
            ("GET", &good, vec!["LocalHost:8000"], Ok(())),
            ("GET", &good, vec!["[::1]:8000"], Ok(())),
            ("GET", &good, vec![], Err(StatusCode::FORBIDDEN)),
            (
                "GET",
                &good,
                vec!["evil.example:8000"],
                Err(StatusCode::FORBIDDEN),
            ),
            ("GET", &good, vec!["127.0.0.1"], Err(StatusCode::FORBIDDEN)),
            (
                "GET",
                &good,
                vec!["127.0.0.1:80"],
                Err(StatusCode::FORBIDDEN),
            ),
            (
                "GET",
                &good,
                vec!["127.0.0.1:8000.evil.example"],
                Err(StatusCode::FORBIDDEN),
            ),
            (
                "GET",
                &good,
                vec!["127.0.0.1:8000", "evil.example"],
                Err(StatusCode::FORBIDDEN),
            ),
            (
                "GET",
                "/b/",
                vec!["evil.example"],
                Err(StatusCode::FORBIDDEN),
            ),
            (
                "GET",
                "/",
                vec!["127.0.0.1:8000"],
                Err(StatusCode::NOT_FOUND),
            ),
            (
                "POST",
                "/",
                vec!["127.0.0.1:8000"],
                Err(StatusCode::NOT_FOUND),
            ),
            (
                "GET",
                "/aaaa/",
                vec!["127.0.0.1:8000"],
                Err(StatusCode::NOT_FOUND),
            ),
            (
                "GET",
                "//",
                vec!["127.0.0.1:8000"],
                Err(StatusCode::NOT_FOUND),
            ),
            (
                "POST",
                &good,
                vec!["127.0.0.1:8000"],
                Err(StatusCode::METHOD_NOT_ALLOWED),
            ),
            (
                "OPTIONS",
                &good,
                vec!["127.0.0.1:8000"],
                Err(StatusCode::METHOD_NOT_ALLOWED),
            ),
        ];
        for (method, uri, hosts, expected) in cases {
            let mut request = Request::builder().method(method).uri(uri);
            for host in &hosts {
                request = request.header(header::HOST, *host);
            }
            let request = request.body(()).expect("a request");
            assert_eq!(guard.check(&request), expected, "{method} {uri} {hosts:?}");
        }
    }

    #[test]
    fn a_target_that_names_another_server_is_refused() {
        let guard = Guard::with_token(8000, "a".repeat(32));
        let request = Request::get(format!("http://evil.example/{}/", "a".repeat(32)))
            .header(header::HOST, "127.0.0.1:8000")
            .body(())
            .expect("a request");
        assert_eq!(guard.check(&request), Err(StatusCode::FORBIDDEN));
    }
}
