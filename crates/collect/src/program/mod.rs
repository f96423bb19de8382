//! What programs say of themselves: from their shared memory to rows.
//!
//! A program writes events into an [`Arena`](sondage_wire::Arena). A thread of ours
//! ([`drain`]) takes calls at a socket ([`listen`]) and looks for arenas whose programs did not call
//! ([`find`]), maps them ([`mapping`]) and empties them fifty times a second. Per process, a
//! [`feed::Program`] turns events into rows: ticks into time ([`clock`]), begins and ends into
//! zones ([`pair`], [`lanes`], [`arguments`]), and what needs all threads in order into the rest
//! ([`timed`]). The rows go to the sampler, whose dictionary gives them their ids ([`rows`]), and
//! with its own rows to the writer.

mod arguments;
mod clock;
mod drain;
mod feed;
mod find;
pub mod flight;
mod lanes;
mod listen;
mod mapping;
mod names;
mod pair;
mod rows;
mod timed;

pub use drain::{Drain, DrainShared, Scope};
pub use listen::{ListenError, Listener};
pub use rows::{IdMap, Known, ProgramBatch, ResolvedBatch, Resolver};
