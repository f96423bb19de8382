//! The page's files, embedded when the crate was compiled. Nothing is read from disk.

use std::borrow::Cow;

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

const INDEX: &str = "index.html";
const MISSING_PAGE: &str = include_str!("missing.html");

/// A file of the page.
pub(crate) struct Asset {
    /// Its bytes.
    pub(crate) bytes: Cow<'static, [u8]>,
    /// Its media type.
    pub(crate) content_type: &'static str,
    /// Whether its name changes with its content, so that a browser may keep it for ever.
    pub(crate) immutable: bool,
}

/// Whether the viewer's page is in this build.
#[must_use]
pub fn page_is_embedded() -> bool {
    Dist::get(INDEX).is_some()
}

/// The file with exactly this path, as `assets/index-1a2b3c4d.js`; the empty path is the page.
pub(crate) fn get(path: &str) -> Option<Asset> {
    let path = if path.is_empty() { INDEX } else { path };
    let bytes = match Dist::get(path) {
        Some(file) => file.data,
        None if path == INDEX => Cow::Borrowed(MISSING_PAGE.as_bytes()),
        None => return None,
    };
    Some(Asset {
        bytes,
        content_type: content_type(path),
        immutable: has_content_hash(path),
    })
}

fn content_type(path: &str) -> &'static str {
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Vite puts what it names by content into `assets/`, as `name-HASH.ext` with 8 characters of hash.
fn has_content_hash(path: &str) -> bool {
    let Some(name) = path.strip_prefix("assets/") else {
        return false;
    };
    let stem = name.split('.').next().unwrap_or("");
    stem.len() > 8
        && stem.is_char_boundary(stem.len() - 8)
        && stem[..stem.len() - 8].ends_with('-')
        && stem[stem.len() - 8..]
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_with_a_hash_are_kept_for_ever() {
        for (path, expected) in [
            ("assets/index-1a2B_c4d.js", true),
            ("assets/index-abcd1234.js.map", true),
            ("assets/a-b-Cd345678.css", true),
            ("assets/index.js", false),
            ("assets/12345678.js", false),
            ("index-1a2b3c4d.js", false),
            ("assets/grün-ünd.js", false),
            ("index.html", false),
            ("", false),
        ] {
            assert_eq!(has_content_hash(path), expected, "{path}");
        }
    }

    #[test]
    fn there_is_always_a_page() {
        let page = get("").expect("a page");
        assert_eq!(page.content_type, "text/html; charset=utf-8");
        assert!(!page.immutable);
        assert!(get("../Cargo.toml").is_none());
        assert!(get("/etc/passwd").is_none());
    }
}
