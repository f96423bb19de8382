//! What must happen before `main`.

use std::sync::OnceLock;

use sondage_collect::launch::Inherited;

static INHERITED: OnceLock<Inherited> = OnceLock::new();

extern "C" fn look_around() {
    // Only the first call counts, and there is only one.
    let _ = INHERITED.set(Inherited::capture());
}

/// The loader calls this before the Rust runtime changes SIGPIPE and opens closed streams.
#[used]
// SAFETY: the section holds pointers to functions that take no arguments we use.
#[unsafe(link_section = ".init_array")]
static LOOK_AROUND: extern "C" fn() = look_around;

/// Signal handling and standard streams as this process got them.
pub fn inherited() -> Inherited {
    *INHERITED.get_or_init(Inherited::capture)
}
