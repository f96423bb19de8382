//! Which Python runs a script.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::error::{CliError, ExitStatus};

/// A program file: executable, and no folder.
pub fn is_program(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

/// The program of this name on `PATH`.
pub fn on_path(name: &OsStr) -> Option<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        return None;
    }
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

/// The Python for scripts and modules: the one of the virtual environment that this sondage is
/// installed in, else of the active one (`VIRTUAL_ENV`), else `python3` on `PATH`.
pub fn for_scripts() -> Result<OsString, CliError> {
    let own = std::env::current_exe()
        .ok()
        .and_then(|exe| Some(exe.parent()?.to_owned()))
        .filter(|folder| folder.join("../pyvenv.cfg").is_file())
        .map(|folder| folder.join("python3"));
    let active = std::env::var_os("VIRTUAL_ENV")
        .filter(|folder| !folder.is_empty())
        .map(|folder| Path::new(&folder).join("bin/python3"));
    own.into_iter()
        .chain(active)
        .find(|path| is_program(path))
        .map(PathBuf::into_os_string)
        .or_else(|| {
            ["python3", "python"]
                .into_iter()
                .map(OsString::from)
                .find(|name| on_path(name).is_some())
        })
        .ok_or_else(|| {
            CliError::new("no Python was found on PATH")
                .hint("name one with `--python PATH`, or activate a virtual environment")
                .with_status(ExitStatus::NOT_FOUND)
        })
}
