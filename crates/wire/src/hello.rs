//! How the two sides meet: what they say over a unix socket of type `SOCK_SEQPACKET`.
//!
//! The program connects, sends a [`Hello`] with the arena's file descriptor beside it (`SCM_RIGHTS`)
//! and waits for a [`Welcome`]. Nothing else is ever said; the socket stays open so that each side
//! sees the other go. Both sides look at the other's user (`SO_PEERCRED`) before they trust it.
//!
//! An address is a name in the abstract namespace, written with an `@` before it, or a path.

/// Environment variable that tells a program where its collector listens; child processes inherit
/// it.
pub const ADDRESS_VARIABLE: &str = "SONDAGE_COLLECTOR";

/// Name of an arena's memory, as `/proc/PID/fd` shows it: a collector that was not called finds it
/// there.
pub const MEMORY_NAME: &str = "sondage-arena";

const HELLO: [u8; 8] = *b"SONDAGEH";
const WELCOME: [u8; 8] = *b"SONDAGEY";
const VERSION: u32 = 1;

/// Where a collector of this user listens that was not started by the program.
#[must_use]
pub fn default_address(uid: u32) -> String {
    format!("@sondage-{uid}")
}

/// What the program says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Length of the arena.
    pub bytes: u64,
}

impl Hello {
    /// Bytes of the message.
    pub const LEN: usize = 24;

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..8].copy_from_slice(&HELLO);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[16..].copy_from_slice(&self.bytes.to_le_bytes());
        out
    }

    /// From bytes; `None` when they are something else, or of another version.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Hello> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().ok()?;
        let (head, length) = bytes.split_at(16);
        let is_ours = head[..8] == HELLO && head[8..12] == VERSION.to_le_bytes();
        is_ours.then(|| Hello {
            bytes: u64::from_le_bytes(length.try_into().unwrap_or_default()),
        })
    }
}

/// What the collector answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Welcome {
    /// Whether it collects the arena.
    pub accepted: bool,
}

impl Welcome {
    /// Bytes of the message.
    pub const LEN: usize = 16;

    /// As bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        out[..8].copy_from_slice(&WELCOME);
        out[8..12].copy_from_slice(&VERSION.to_le_bytes());
        out[12] = u8::from(self.accepted);
        out
    }

    /// From bytes; `None` when they are something else, or of another version.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Welcome> {
        let bytes: &[u8; Self::LEN] = bytes.try_into().ok()?;
        let is_ours = bytes[..8] == WELCOME && bytes[8..12] == VERSION.to_le_bytes();
        is_ours.then_some(Welcome {
            accepted: bytes[12] == 1,
        })
    }
}
