//! The `sondage` program.

fn main() {}
