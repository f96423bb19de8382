//! Records running programs: starts or attaches, follows children, samples, writes the recording.
mod batch;
pub mod clock;
pub mod launch;
pub mod machine;
mod metrics;
pub mod procfs;
mod scheduler;
mod source_text;
