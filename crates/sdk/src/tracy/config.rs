//! What Tracy is asked for, and why it did not start.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Environment variable that asks for Tracy: `1` for the usual address, a port, an address, or
/// `address:port`; `0` or nothing does not.
pub const VARIABLE: &str = "SONDAGE_TRACY";

/// The port that a profiler tries when it is not told one.
pub const DEFAULT_PORT: u16 = 8086;

/// Where Tracy listens, and how it calls the process.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// 127.0.0.1 unless told otherwise. Tracy can do `::1`, `0.0.0.0` and `::` (all of them) too.
    /// Whoever can connect can read the program's memory: leave it at that in a net that others
    /// use.
    pub address: IpAddr,
    /// [`DEFAULT_PORT`] unless told otherwise; 0 for any that is free.
    pub port: u16,
    /// What the process is called, at most 63 bytes. Without, as
    /// [`process_name`](crate::process_name) said, or as the program is.
    pub process_name: Option<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            address: Ipv4Addr::LOCALHOST.into(),
            port: DEFAULT_PORT,
            process_name: None,
        }
    }
}

impl Config {
    /// As the environment says, with the usual where it says nothing. What it says is used even
    /// where it does not ask for Tracy by itself ([`is_asked_for`]).
    ///
    /// # Errors
    /// When the variable holds neither address nor port.
    pub fn from_env() -> Result<Config, StartError> {
        Config::parse(&std::env::var(VARIABLE).unwrap_or_default())
    }

    /// As `text` says, in the words of [`VARIABLE`].
    ///
    /// # Errors
    /// When it is neither address nor port.
    pub fn parse(text: &str) -> Result<Config, StartError> {
        let usual = Config::default();
        let text = text.trim();
        if word(text).is_some() {
            return Ok(usual);
        }
        let told = |address, port| Config {
            address,
            port,
            process_name: None,
        };
        if let Ok(port) = text.parse() {
            return Ok(told(usual.address, port));
        }
        if let Ok(both) = text.parse::<SocketAddr>() {
            return Ok(told(both.ip(), both.port()));
        }
        if let Ok(address) = text.trim_matches(['[', ']']).parse() {
            return Ok(told(address, usual.port));
        }
        match text.strip_prefix("localhost:").map(str::parse) {
            Some(Ok(port)) => Ok(told(usual.address, port)),
            _ if text == "localhost" => Ok(usual),
            _ => Err(StartError::Words(text.to_owned())),
        }
    }
}

/// What a word says that is no address.
fn word(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "" | "0" | "off" | "no" | "false" => Some(false),
        "1" | "on" | "yes" | "true" => Some(true),
        _ => None,
    }
}

/// Whether the environment asks for Tracy.
#[must_use]
pub fn is_asked_for() -> bool {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    word(text.trim()).unwrap_or(true)
}

/// Why Tracy did not start. The program goes on without.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// Neither address nor port.
    Words(String),
    /// Tracy listens on loopback or on all addresses, and on no single other one.
    Address(IpAddr),
    /// The port is not to be had.
    Port {
        /// Where.
        address: SocketAddr,
        /// Why.
        error: std::io::Error,
    },
    /// No thread could be made.
    Thread(std::io::Error),
    /// Tracy runs, but another program was faster to take its port.
    Deaf,
    /// This process was forked from one in which Tracy runs. Its threads are not here.
    Forked,
    /// The probes are compiled out.
    Off,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tracy is not started: ")?;
        match self {
            StartError::Words(text) => write!(
                f,
                "{VARIABLE}={text} is neither address nor port; hint: {VARIABLE}=127.0.0.1:8086"
            ),
            StartError::Address(address) => write!(
                f,
                "it listens on loopback or on all addresses, not on {address} alone; \
                 hint: {} or {}",
                Ipv4Addr::LOCALHOST,
                Ipv6Addr::UNSPECIFIED
            ),
            StartError::Port { address, error } => write!(
                f,
                "it cannot listen on {address}: {error}; hint: another port, as {VARIABLE}={}",
                address.port().saturating_add(1)
            ),
            StartError::Thread(error) => write!(f, "no thread for it: {error}"),
            StartError::Deaf => f.write_str("another program took its port meanwhile"),
            StartError::Forked => {
                f.write_str("it runs in the process that this one was forked from")
            }
            StartError::Off => f.write_str("this program was built without probes"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            StartError::Port { error, .. } | StartError::Thread(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_in_many_words() {
        let cases = [
            ("", "127.0.0.1:8086"),
            ("1", "127.0.0.1:8086"),
            (" On ", "127.0.0.1:8086"),
            ("0", "127.0.0.1:8086"),
            ("9000", "127.0.0.1:9000"),
            ("localhost", "127.0.0.1:8086"),
            ("localhost:9000", "127.0.0.1:9000"),
            ("0.0.0.0", "0.0.0.0:8086"),
            ("0.0.0.0:9000", "0.0.0.0:9000"),
            ("::", "[::]:8086"),
            ("[::1]", "[::1]:8086"),
            ("[::1]:9000", "[::1]:9000"),
        ];
        for (text, address) in cases {
            let config = Config::parse(text).unwrap();
            let told = SocketAddr::from((config.address, config.port));
            assert_eq!(told.to_string(), address, "{text:?}");
        }
        for text in ["here", "70000", "-1", "127.0.0.1:", "localhost:here"] {
            assert!(
                matches!(Config::parse(text), Err(StartError::Words(_))),
                "{text:?}"
            );
        }
    }
}
