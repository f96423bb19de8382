//! Checks and generators of the project: `cargo xtask tidy`.

fn main() {}
