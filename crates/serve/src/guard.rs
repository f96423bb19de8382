//! Who may ask: the token, the `Host`, the method, and the headers that bind the browser.
//!
//! Other programs of this user can read its files anyway. The guard is against the two others: web
//! pages in the user's browser (which can send requests to loopback ports, and by DNS rebinding
//! even read the answers), and other users of the machine (who can connect to its ports).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use subtle::ConstantTimeEq;

/// Longest request target that is looked at, in bytes.
pub(crate) const MAX_TARGET_BYTES: usize = 16 * 1024;

/// Where [`Guard::new_launch_key`] is taken; the key follows.
pub(crate) const LAUNCH_PATH: &str = "/open/";

const TOKEN_BYTES: usize = 16;

/// Scripts, styles, pictures and requests only from this server; nothing may frame the page.
/// Style attributes are allowed: they can load nothing, as every source is this server.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; style-src-attr 'unsafe-inline'; \
     img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; \
     frame-ancestors 'none'";

/// How long the browser may take to start.
const LAUNCH_TIME: Duration = Duration::from_secs(60);

/// The rules of one server.
pub(crate) struct Guard {
    token: String,
    hosts: Vec<String>,
    launch: Mutex<Option<Launch>>,
}

/// A key that opens the page once.
///
/// A program's arguments can be read by every user of the machine, so that the browser must not be
/// started with the token. It gets a key that is worth nothing once it was used.
struct Launch {
    key: String,
    made: Instant,
}

impl Guard {
    /// Rules for the server at `port`, with a new token.
    pub(crate) fn new(port: u16) -> Result<Guard, getrandom::Error> {
        Ok(Guard::with_token(port, random_key()?))
    }

    fn with_token(port: u16, token: String) -> Guard {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if port == 80 {
            hosts.extend(names.map(String::from));
        }
        Guard {
            token,
            hosts,
            launch: Mutex::new(None),
        }
    }

    /// A new key that opens the page once, within a minute, instead of the one before.
    pub(crate) fn new_launch_key(&self) -> Result<String, getrandom::Error> {
        let key = random_key()?;
        *self.launch.lock().unwrap_or_else(PoisonError::into_inner) = Some(Launch {
            key: key.clone(),
            made: Instant::now(),
        });
        Ok(key)
    }

    /// Whether this request holds the key that opens the page at `now`; afterwards it does not.
    pub(crate) fn take_launch_key<B>(&self, request: &Request<B>, now: Instant) -> bool {
        let key = request.uri().path().strip_prefix(LAUNCH_PATH);
        let (Some(key), &Method::GET) = (key, request.method()) else {
            return false;
        };
        if !self.is_our_host(request.headers(), request.uri()) {
            return false;
        }
        let mut launch = self.launch.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = launch.as_ref().is_some_and(|launch| {
            now.saturating_duration_since(launch.made) < LAUNCH_TIME
                && bool::from(launch.key.as_bytes().ct_eq(key.as_bytes()))
        });
        if fits {
            *launch = None;
        }
        fits
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
        if !self.has_token(request.uri().path()) {
            return Err(StatusCode::NOT_FOUND);
        }
        if request.uri().path().len() + request.uri().query().map_or(0, str::len) > MAX_TARGET_BYTES
        {
            return Err(StatusCode::URI_TOO_LONG);
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

fn random_key() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
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
    fn a_launch_key_opens_once_and_not_for_long() {
        let guard = Guard::new(8000).expect("randomness");
        let now = Instant::now();
        let take = |host: &str, path: &str, now: Instant| {
            let request = Request::get(path).header(header::HOST, host).body(());
            guard.take_launch_key(&request.expect("a request"), now)
        };
        let ours = "127.0.0.1:8000";
        assert!(!take(ours, LAUNCH_PATH, now));
        let path = format!(
            "{LAUNCH_PATH}{}",
            guard.new_launch_key().expect("randomness")
        );
        assert!(!take(ours, LAUNCH_PATH, now));
        assert!(!take(ours, &format!("{path}/"), now));
        assert!(!take(ours, &format!("{LAUNCH_PATH}{}", guard.token()), now));
        assert!(!take("evil.example", &path, now));
        assert!(take(ours, &path, now));
        assert!(!take(ours, &path, now));
        let path = format!(
            "{LAUNCH_PATH}{}",
            guard.new_launch_key().expect("randomness")
        );
        assert!(!take(ours, &path, Instant::now() + LAUNCH_TIME));
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
