//! What functions and files are called, and whose code they are.

use sondage_model::{Dictionary, FileId, FunctionId, FunctionKind};

use crate::Search;

/// Whose code a file is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Origin {
    /// The program's own.
    Own,
    /// Installed: in `site-packages`, `dist-packages`, a wheel or an egg.
    Installed,
    /// The standard library, frozen modules included.
    Standard,
    /// Made while the program ran: `<string>`, `<attrs generated init …>`.
    Generated,
    /// Unknown, because there is no file.
    Unknown,
}

/// A file as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileName {
    /// Path to show: relative to where it is installed or to the program's own directory.
    pub short: String,
    /// Dotted name of the module: `json.decoder`.
    pub module: String,
    /// Top-level package or module: `json`. What colours go by.
    pub package: String,
    /// Whose code it is.
    pub origin: Origin,
}

/// A function, or a line of one, as it is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FrameName {
    /// The function.
    pub function: FunctionId,
    /// What to write on it.
    pub label: String,
    /// Qualified name as Python has it.
    pub qualified: String,
    /// Full path of its file.
    pub file: String,
    /// [`FileName::short`].
    pub short: String,
    /// First line of the function, or the line run where frames are told apart by line.
    pub line: u32,
    /// What kind of code it is.
    pub kind: FunctionKind,
    /// [`FileName::package`].
    pub package: String,
    /// Whether it is the program's own code.
    pub own: bool,
}

/// The names of a recording's files and functions.
#[derive(Clone, Debug)]
pub struct Names {
    files: Vec<FileName>,
    ranks: Vec<u32>,
}

impl Names {
    /// Names everything there is in the dictionary.
    #[must_use]
    pub fn new(dict: &Dictionary) -> Names {
        let paths: Vec<&str> = dict.files().iter().map(|&path| dict.text(path)).collect();
        let mut names = Names {
            files: name_files(&paths),
            ranks: Vec::new(),
        };
        let functions = 0..dict.functions().len() as u32;
        let mut order: Vec<(String, &str, u32, u32)> = functions
            .map(|id| {
                let row = &dict.functions()[id as usize];
                let label = names.label(dict, FunctionId(id));
                (label, dict.file_path(row.file), row.first_line, id)
            })
            .collect();
        order.sort_unstable();
        names.ranks = vec![0; order.len()];
        for (rank, (_, _, _, id)) in order.iter().enumerate() {
            names.ranks[*id as usize] = rank as u32;
        }
        names
    }

    /// How a file is shown.
    ///
    /// # Panics
    /// When the file is not of this recording.
    #[must_use]
    pub fn file(&self, file: FileId) -> &FileName {
        &self.files[file.index()]
    }

    /// Place of a function in the order of labels, then files and lines: what decides between
    /// equals.
    ///
    /// # Panics
    /// When the function is not of this recording.
    #[must_use]
    pub fn rank(&self, function: FunctionId) -> u32 {
        self.ranks[function.index()]
    }

    /// What is written on a function.
    ///
    /// # Panics
    /// When the function is not of this recording.
    #[must_use]
    pub fn label(&self, dict: &Dictionary, function: FunctionId) -> String {
        let row = &dict.functions()[function.index()];
        let qualified = dict.text(row.qualified_name);
        match (qualified, self.files.get(row.file.index())) {
            // A recording has many of these; the bare word tells none from another.
            ("<module>", Some(file)) if !file.module.is_empty() => {
                format!("<module {}>", file.module)
            }
            _ => qualified.replace(".<locals>", ""),
        }
    }

    /// Whether a function is the program's own code.
    #[must_use]
    pub fn is_own(&self, dict: &Dictionary, function: FunctionId) -> bool {
        let row = &dict.functions()[function.index()];
        row.kind == FunctionKind::Python
            && self
                .files
                .get(row.file.index())
                .is_some_and(|file| file.origin == Origin::Own)
    }

    /// A function as it is shown; with a `line`, that line of it.
    ///
    /// # Panics
    /// When the function is not of this recording.
    #[must_use]
    pub fn frame(&self, dict: &Dictionary, function: FunctionId, line: Option<u32>) -> FrameName {
        let row = &dict.functions()[function.index()];
        let file = self.files.get(row.file.index());
        let label = self.label(dict, function);
        FrameName {
            function,
            label: match line {
                Some(line) if line > 0 => format!("{label}:{line}"),
                _ => label,
            },
            qualified: dict.text(row.qualified_name).to_owned(),
            file: dict.file_path(row.file).to_owned(),
            short: file.map_or(String::new(), |file| file.short.clone()),
            line: line.unwrap_or(row.first_line),
            kind: row.kind,
            package: match row.kind {
                FunctionKind::Kernel => "kernel".to_owned(),
                FunctionKind::Meta => "sondage".to_owned(),
                _ => file.map_or(String::new(), |file| file.package.clone()),
            },
            own: self.is_own(dict, function),
        }
    }

    /// For each function whether `name (file)` matches, the name being the label or the qualified
    /// name.
    #[must_use]
    pub fn matching(&self, dict: &Dictionary, search: &Search) -> Vec<bool> {
        (0..dict.functions().len() as u32)
            .map(|id| {
                let row = &dict.functions()[id as usize];
                let path = dict.file_path(row.file);
                let label = self.label(dict, FunctionId(id));
                let qualified = dict.text(row.qualified_name);
                search.matches(&format!("{label} ({path})"))
                    || (label != qualified && search.matches(&format!("{qualified} ({path})")))
            })
            .collect()
    }
}

/// Where code of one origin begins in a path: the part after it is relative.
struct Place<'a> {
    origin: Origin,
    rest: &'a str,
}

fn place(path: &str) -> Place<'_> {
    let of = |origin, rest| Place { origin, rest };
    if path.is_empty() {
        return of(Origin::Unknown, "");
    }
    if let Some(inner) = path.strip_prefix('<') {
        let inner = inner.strip_suffix('>').unwrap_or(inner);
        if let Some(module) = inner.strip_prefix("frozen ") {
            return of(Origin::Standard, module);
        }
        let typed = inner == "stdin" || inner.starts_with("ipython-input");
        let origin = if typed {
            Origin::Own
        } else {
            Origin::Generated
        };
        return of(origin, path);
    }
    for marker in ["/site-packages/", "/dist-packages/"] {
        if let Some(at) = path.rfind(marker) {
            return of(Origin::Installed, &path[at + marker.len()..]);
        }
    }
    if let Some(library) = shared_library(path) {
        return of(Origin::Installed, library);
    }
    for marker in [".whl/", ".egg/"] {
        if let Some(at) = path.rfind(marker) {
            return of(Origin::Installed, &path[at + marker.len()..]);
        }
    }
    if let Some(rest) = after_standard_library(path) {
        return of(Origin::Standard, rest);
    }
    for marker in [".pyz/", ".pyzw/", ".zip/", ".pex/"] {
        if let Some(at) = path.rfind(marker) {
            return of(Origin::Own, &path[at + marker.len()..]);
        }
    }
    of(Origin::Own, path)
}

/// The file's own name, if it is a shared library that no Python package brought.
fn shared_library(path: &str) -> Option<&str> {
    let name = path.rsplit('/').next()?;
    let library = name.ends_with(".so") || name.contains(".so.");
    (library && after_standard_library(path).is_none()).then_some(name)
}

/// The part of a path below `lib/python3.12/`, `lib64/pypy3.10/` or `lib/python312.zip/`.
fn after_standard_library(path: &str) -> Option<&str> {
    for (at, _) in path.match_indices("/lib") {
        let rest = &path[at + "/lib".len()..];
        let rest = rest.strip_prefix("64").unwrap_or(rest);
        let Some((directory, rest)) = rest.strip_prefix('/').and_then(|r| r.split_once('/')) else {
            continue;
        };
        let version = directory
            .strip_prefix("python")
            .or_else(|| directory.strip_prefix("pypy"));
        let is_version = |text: &str| {
            text.starts_with('3') && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        };
        if let Some(version) = version {
            // `3.13t` is the free-threaded build, `3.13d` the debug one.
            let version = version.trim_end_matches(['t', 'd']);
            if is_version(version.strip_suffix(".zip").unwrap_or(version)) {
                return Some(rest.strip_prefix("lib-dynload/").unwrap_or(rest));
            }
        }
    }
    None
}

fn name_files(paths: &[&str]) -> Vec<FileName> {
    let own_on_disk = |path: &&&str| {
        let place = place(path);
        place.origin == Origin::Own && place.rest.len() == path.len() && path.starts_with('/')
    };
    let base = common_directory(paths.iter().filter(own_on_disk).copied());
    paths
        .iter()
        .map(|path| {
            let Place { origin, rest } = place(path);
            let rest = rest.strip_prefix(base).unwrap_or(rest);
            let rest = rest.trim_start_matches('/');
            let module = if path.starts_with("<frozen ") {
                rest.to_owned()
            } else if rest.starts_with('<') {
                String::new()
            } else {
                module_of(rest)
            };
            FileName {
                short: if path.starts_with('<') {
                    (*path).to_owned()
                } else {
                    shorten(rest)
                },
                package: if module.is_empty() {
                    rest.to_owned()
                } else {
                    package_of(&module)
                },
                module,
                origin,
            }
        })
        .collect()
}

/// The deepest directory that all these files are in, with its slash.
fn common_directory<'a>(paths: impl Iterator<Item = &'a str>) -> &'a str {
    fn directory(path: &str) -> &str {
        &path[..path.rfind('/').map_or(0, |at| at + 1)]
    }
    paths
        .map(directory)
        .reduce(|a, b| {
            let same = a.bytes().zip(b.bytes()).take_while(|(x, y)| x == y).count();
            // Bytes may part inside a character, but never right after a slash.
            let slash = a.as_bytes()[..same].iter().rposition(|&b| b == b'/');
            &a[..slash.map_or(0, |at| at + 1)]
        })
        .unwrap_or("")
}

/// The last parts of a path that is still long.
fn shorten(path: &str) -> String {
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).collect();
    match slashes.len() {
        0..=3 => path.to_owned(),
        n => format!("…{}", &path[slashes[n - 3]..]),
    }
}

/// `json/decoder.py` → `json.decoder`, `json/__init__.py` → `json`.
fn module_of(path: &str) -> String {
    let (directory, file) = match path.rfind('/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => ("", path),
    };
    // `_json.cpython-312-x86_64-linux-gnu.so`, `libc.so.6`, `app.py`
    let stem = file.split('.').next().unwrap_or(file);
    let module = match (directory, stem) {
        ("", stem) => stem.to_owned(),
        (directory, "__init__") => directory.to_owned(),
        (directory, stem) => format!("{directory}/{stem}"),
    };
    module.replace('/', ".")
}

/// The top-level package of a module; directories that only hold sources are passed over.
fn package_of(module: &str) -> String {
    let mut parts = module.split('.').filter(|part| !part.is_empty());
    let first = parts.next().unwrap_or("");
    let holds_sources = matches!(first, "src" | "lib" | "python");
    let chosen = if holds_sources { parts.next() } else { None };
    chosen.unwrap_or(first).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_every_kind_of_installation() {
        let paths = [
            "/home/me/shop/main.py",
            "/home/me/shop/src/cart/__init__.py",
            "/home/me/shop/src/cart/deep/er/still/price.py",
            "/home/me/shop/.venv/lib/python3.12/site-packages/numpy/linalg/_linalg.py",
            "/usr/lib/python3/dist-packages/six.py",
            "/home/me/.pyenv/versions/3.11.7/lib/python3.11/json/decoder.py",
            "/usr/lib/python3.13/asyncio/__init__.py",
            "/opt/py/lib/python3.13t/threading.py",
            "/usr/lib64/python3.12/lib-dynload/_json.cpython-312-x86_64-linux-gnu.so",
            "/usr/lib/python312.zip/os.py",
            "/srv/tool.pyz/tool/cli.py",
            "/srv/.pex/wheels/rich-13.0-py3-none-any.whl/rich/text.py",
            "/home/me/lib/python/mine.py",
            "<frozen importlib._bootstrap>",
            "<string>",
            "<stdin>",
            "/usr/lib/x86_64-linux-gnu/libc.so.6",
            "",
        ];
        let shown: Vec<String> = paths
            .iter()
            .zip(name_files(&paths))
            .map(|(path, f)| {
                format!(
                    "{path}\n    {:?} {} | {} | {}",
                    f.origin, f.short, f.module, f.package
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn the_common_directory_ends_at_a_slash() {
        for (paths, expected) in [
            (vec!["/a/bc/x.py", "/a/bd/y.py"], "/a/"),
            (vec!["/a/b/x.py"], "/a/b/"),
            (vec!["/a/é/x.py", "/a/è/y.py"], "/a/"),
            (vec!["/x.py", "/a/y.py"], "/"),
            (vec!["x.py"], ""),
            (vec![], ""),
        ] {
            assert_eq!(common_directory(paths.into_iter()), expected);
        }
    }
}
