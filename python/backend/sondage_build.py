"""Builds one wheel with two native parts: the program and the extension module.

maturin builds a program or a module, not both, so this PEP 517 backend builds the program with
cargo, lays it where maturin takes a wheel's data from, and leaves the rest to maturin. The program
so lands on the PATH as it is: no Python entry point starts an interpreter first.

The viewer's page is embedded in the program; when ``web/dist`` is missing it is built with npm.
"""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path
from typing import Any

import maturin

ROOT = Path(__file__).resolve().parents[2]
WHEEL_DATA = ROOT / "target" / "wheel-data"
PAGE = ROOT / "web" / "dist" / "index.html"

Settings = dict[str, Any] | None


def get_requires_for_build_wheel(_settings: Settings = None) -> list[str]:
    """Nothing beyond ``build-system.requires``: cargo has to be there already."""
    return []


get_requires_for_build_editable = get_requires_for_build_wheel


def get_requires_for_build_sdist(_settings: Settings = None) -> list[str]:
    """Nothing beyond ``build-system.requires``."""
    return []


def prepare_metadata_for_build_wheel(directory: str, settings: Settings = None) -> str:
    """Write the wheel's metadata; builds nothing, but says now what is missing to build."""
    _check_gil()
    _cargo()
    _compiler()
    if not PAGE.is_file():
        _npm()
    WHEEL_DATA.mkdir(parents=True, exist_ok=True)
    return str(maturin.prepare_metadata_for_build_wheel(directory, settings))


def build_wheel(directory: str, settings: Settings = None, metadata: str | None = None) -> str:
    """Build page, program and module, and pack them."""
    _check_gil()
    _build_page()
    _build_program()
    _link_cxx()
    return str(maturin.build_wheel(directory, settings, metadata))


def build_editable(directory: str, settings: Settings = None, metadata: str | None = None) -> str:
    """Like `build_wheel`, with the Python files linked instead of copied."""
    _check_gil()
    _build_page()
    _build_program()
    _link_cxx()
    return str(maturin.build_editable(directory, settings, metadata))


def build_sdist(directory: str, _settings: Settings = None) -> str:
    """Pack every file of the project, and the built page so that Node is not needed again."""
    _build_page()
    version = _version()
    stem = f"sondage-{version}"
    archive = Path(directory) / f"{stem}.tar.gz"
    with tarfile.open(archive, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for path in _project_files():
            tar.add(ROOT / path, arcname=f"{stem}/{path}", recursive=False)
        info = tarfile.TarInfo(f"{stem}/PKG-INFO")
        data = _metadata(Path(directory)).encode()
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return archive.name


def _check_gil() -> None:
    # The module reads the heads of objects, which are others there; it would build and crash.
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        sys.exit(
            "sondage: this Python is a free-threaded build; the module is for those with a GIL\n"
            "hint: install into a Python with a GIL; `python3.13`, not `python3.13t`"
        )


def _npm() -> str:
    return _tool(
        "npm",
        "the viewer's page is not built (web/dist is missing) and npm is not on the PATH",
        "install Node 20 or later, or build from a source archive, which holds the built page",
    )


def _cargo() -> str:
    return _tool(
        "cargo",
        "cargo is not on the PATH, and sondage is written in Rust",
        "install Rust 1.95 or later, then run pip again",
    )


def _compiler() -> None:
    told = os.environ.get("CXX")
    _tool(
        told.split()[0] if told else "c++",
        "there is no C++ compiler on the PATH, and Tracy's client is written in C++",
        "install g++ (Debian: apt-get install g++), then run pip again",
    )


def _link_cxx() -> None:
    """Let the module bring what it needs of the C++ library, where the archive of it is there.

    PERF: without another library to load, `import sondage._native` takes 0.64 ms instead of
    1.26 ms, and 0.61 ms without Tracy (least of 40 by `-X importtime`, 2-core VM, CPython 3.11). A
    system without that library imports it too.
    """
    compiler = (os.environ.get("CXX") or "c++").split()
    command = [*compiler, "-print-file-name=libstdc++.a"]
    asked = subprocess.run(command, capture_output=True, check=False, text=True)
    if Path(asked.stdout.strip()).is_absolute():
        os.environ.setdefault("CXXSTDLIB", "static:-bundle=stdc++")


def _tool(name: str, otherwise: str, hint: str) -> str:
    path = shutil.which(name)
    if path is None:
        sys.exit(f"sondage: {otherwise}\nhint: {hint}")
    return path


def _build_page() -> None:
    if PAGE.is_file():
        return
    npm = _npm()
    _run([npm, "ci"], ROOT / "web")
    _run([npm, "run", "build"], ROOT / "web")


def _build_program() -> None:
    _run([_cargo(), "build", "--release", "--locked", "--package", "sondage-cli"], ROOT)
    target = Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    program = ROOT / target / "release" / "sondage"
    scripts = WHEEL_DATA / "scripts"
    shutil.rmtree(WHEEL_DATA, ignore_errors=True)
    scripts.mkdir(parents=True)
    installed = scripts / "sondage"
    # Line tables serve to profile sondage itself; without them it is a seventh of the size.
    strip = shutil.which("strip")
    if strip is None:
        shutil.copy2(program, installed)
    else:
        _run([strip, "--strip-debug", "-o", str(installed), str(program)], ROOT)
    installed.chmod(0o755)


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True)
    except subprocess.CalledProcessError as error:
        sys.exit(
            f"sondage: `{' '.join(command)}` failed in {folder} with status {error.returncode}"
        )


def _version() -> str:
    for line in (ROOT / "Cargo.toml").read_text(encoding="utf-8").splitlines():
        key, _, value = line.partition("=")
        if key.strip() == "version":
            return value.strip().strip('"')
    raise SystemExit("sondage: Cargo.toml has no version")


def _project_files() -> list[str]:
    page = [str(path.relative_to(ROOT)) for path in PAGE.parent.rglob("*") if path.is_file()]
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if listed.returncode == 0 and (ROOT / ".git").exists():
        tracked = [path for path in listed.stdout.split("\0") if (ROOT / path).is_file()]
    else:
        # Unpacked from a source archive: everything here came with it, but for what was built.
        built = ("target/", "web/node_modules/", "web/dist/", ".venv/", "PKG-INFO")
        every = (path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*") if path.is_file())
        tracked = [path for path in every if not path.startswith(built)]
    return sorted({*tracked, *page})


def _metadata(scratch: Path) -> str:
    folder = scratch / ".metadata"
    folder.mkdir(exist_ok=True)
    try:
        name = prepare_metadata_for_build_wheel(str(folder))
        return (folder / name / "METADATA").read_text(encoding="utf-8")
    finally:
        shutil.rmtree(folder)
