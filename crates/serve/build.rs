//! Sees to it that the viewer's page can be embedded, and says so when it is not there.
//!
//! The page is built by Vite into `web/dist` and is not committed. Without it the crate still
//! compiles; `sondage view` then serves a page that says what is missing.

use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let dist = Path::new("../../web/dist");
    // The folder must exist: cargo takes a missing `rerun-if-changed` path for changed and would
    // build this crate anew each time.
    if !dist.is_dir() && std::fs::create_dir_all(dist).is_err() {
        println!("cargo:warning=web/dist cannot be made; this crate will be built each time");
    }
    println!("cargo:rerun-if-changed=../../web/dist");
    if !dist.join("index.html").is_file() {
        println!(
            "cargo:warning=web/dist/index.html is missing: `sondage view` will only say so. Run `make web` (needs Node) and build again."
        );
    }
}
