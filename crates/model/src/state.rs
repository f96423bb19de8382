//! What a thread was doing when it was sampled.

/// What the scheduler says of a thread, with waiting for the GIL told apart.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(u8)]
pub enum StateKind {
    /// Running on a CPU.
    #[default]
    OnCpu = 0,
    /// Ready to run, waiting for a CPU.
    Runnable = 1,
    /// Asleep until another thread gives up the GIL.
    GilWait = 2,
    /// Asleep: a lock, a timer, a socket, a pipe.
    Blocked = 3,
    /// In an uninterruptible sleep, as a rule disk I/O.
    Disk = 4,
    /// Nothing is known: an imported sample, or the state could not be read.
    Unknown = 5,
}

impl StateKind {
    /// Every kind, in the order of its code.
    pub const ALL: [StateKind; 6] = [
        StateKind::OnCpu,
        StateKind::Runnable,
        StateKind::GilWait,
        StateKind::Blocked,
        StateKind::Disk,
        StateKind::Unknown,
    ];
    /// How many kinds there are; arrays of figures by state have this length.
    pub const COUNT: usize = Self::ALL.len();

    /// Position in arrays of figures by state, and the code stored in recordings.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }

    /// The kind with this code; codes of later versions become [`StateKind::Unknown`].
    #[must_use]
    pub fn from_code(code: u8) -> StateKind {
        Self::ALL
            .get(usize::from(code))
            .copied()
            .unwrap_or(StateKind::Unknown)
    }

    /// The word used in JSON, URLs and command lines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            StateKind::OnCpu => "cpu",
            StateKind::Runnable => "runnable",
            StateKind::GilWait => "gil-wait",
            StateKind::Blocked => "blocked",
            StateKind::Disk => "disk",
            StateKind::Unknown => "unknown",
        }
    }

    /// The words shown to a person.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            StateKind::OnCpu => "on CPU",
            StateKind::Runnable => "waiting for a CPU",
            StateKind::GilWait => "waiting for the GIL",
            StateKind::Blocked => "asleep",
            StateKind::Disk => "disk wait",
            StateKind::Unknown => "unknown",
        }
    }

    /// The kind with this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<StateKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether a thread in this state wants to make progress: on a CPU, or kept from it by
    /// another thread. Sleeping is not active.
    #[must_use]
    pub fn is_active(self) -> bool {
        !matches!(self, StateKind::Blocked)
    }
}

/// A [`StateKind`] and whether the thread held the GIL: bits 0–3 the kind, bit 4 the GIL.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct State(u8);

impl State {
    const GIL: u8 = 1 << 4;

    /// The state of these two parts.
    #[must_use]
    pub fn new(kind: StateKind, holds_gil: bool) -> State {
        State(kind as u8 | if holds_gil { Self::GIL } else { 0 })
    }

    /// The state with this code; see [`State::code`].
    #[must_use]
    pub fn from_code(code: u8) -> State {
        State(code)
    }

    /// The byte stored in recordings.
    #[must_use]
    pub fn code(self) -> u8 {
        self.0
    }

    /// What the scheduler said.
    #[must_use]
    pub fn kind(self) -> StateKind {
        StateKind::from_code(self.0 & 0x0f)
    }

    /// Whether the thread held the GIL of its interpreter.
    #[must_use]
    pub fn holds_gil(self) -> bool {
        self.0 & Self::GIL != 0
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}{}",
            self.kind().name(),
            if self.holds_gil() { "+gil" } else { "" }
        )
    }
}
