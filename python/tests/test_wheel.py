"""What is in the wheel and the source archive that the build backend makes."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both by pip's own way; after `make build` cargo has nothing left to compile."""
    folder = tmp_path_factory.mktemp("built")
    code = (
        "import sys; sys.path.insert(0, 'python/backend'); import sondage_build as b; "
        "b.build_wheel(sys.argv[1]); b.build_sdist(sys.argv[1])"
    )
    maturin = folder / "maturin"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--target",
        str(maturin),
        "maturin==1.16.0",
    ]
    subprocess.run(pip, check=True)
    environment = os.environ | {
        "PYTHONPATH": str(maturin),
        "PATH": f"{maturin / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    command = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_a_free_threaded_python_is_refused_before_anything_is_built() -> None:
    code = (
        "import sys, sysconfig, types; sys.path.insert(0, 'python/backend'); "
        "sys.modules['maturin'] = types.ModuleType('maturin'); "
        "sysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1; "
        "import sondage_build as b; getattr(b, sys.argv[1])('nowhere')"
    )
    for step in ("prepare_metadata_for_build_wheel", "build_wheel", "build_editable"):
        command = [sys.executable, "-c", code, step]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "free-threaded build" in done.stderr
        assert "hint: " in done.stderr


@pytest.fixture(scope="session")
def wheel(built: Path) -> zipfile.ZipFile:
    (path,) = built.glob("*.whl")
    assert "-cp311-abi3-" in path.name
    return zipfile.ZipFile(path)


def test_the_wheel_holds_exactly_the_package_and_the_program(wheel: zipfile.ZipFile) -> None:
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    (program,) = (name for name in names if name.endswith(".data/scripts/sondage"))
    package = {
        path.relative_to(ROOT / "python").as_posix()
        for path in (ROOT / "python/sondage").glob("*")
        if path.suffix in {".py", ".pyi", ".typed"}
    }
    assert "sondage/py.typed" in package
    assert names == {program, "sondage/_native.abi3.so", *package}


def test_the_program_can_be_run_and_is_not_a_debug_build(wheel: zipfile.ZipFile) -> None:
    (info,) = (item for item in wheel.infolist() if item.filename.endswith("/scripts/sondage"))
    assert stat.S_IMODE(info.external_attr >> 16) & 0o111 == 0o111
    data = wheel.read(info)
    assert data.startswith(b"\x7fELF")
    assert b".debug_info\0" not in data


def test_the_viewer_is_in_the_program(wheel: zipfile.ZipFile) -> None:
    page = ROOT / "web/dist/index.html"
    (name,) = (name for name in wheel.namelist() if name.endswith("/scripts/sondage"))
    script = next(path.name for path in (page.parent / "assets").glob("*.js"))
    embedded = script.encode() in wheel.read(name)
    assert embedded, f"{script} is not in the program"


def test_the_record_is_true(wheel: zipfile.ZipFile) -> None:
    (record,) = (name for name in wheel.namelist() if name.endswith("RECORD"))
    rows = list(csv.reader(io.StringIO(wheel.read(record).decode())))
    assert {row[0] for row in rows} == set(wheel.namelist())
    for name, digest, size in rows:
        if name != record:
            data = wheel.read(name)
            found = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert (digest, int(size)) == (f"sha256={found}", len(data)), name


def test_metadata_and_licences(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith("METADATA"))
    text = wheel.read(metadata).decode()
    for line in (
        "Name: sondage",
        "License-Expression: (MIT OR Apache-2.0) AND BSD-3-Clause",
        "Requires-Python: >=3.11",
    ):
        assert line in text.splitlines()
    assert "Requires-Dist" not in "\n".join(
        line for line in text.splitlines() if "extra ==" not in line
    )
    licences = {Path(name).name for name in wheel.namelist() if ".dist-info/licenses/" in name}
    assert licences == {"LICENSE-MIT", "LICENSE-APACHE", "tracy.txt"}


def test_the_source_archive_builds_without_node(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    stem = path.name.removesuffix(".tar.gz")
    with tarfile.open(path) as archive:
        names = {name.removeprefix(f"{stem}/") for name in archive.getnames()}
    needed = {
        "PKG-INFO", "pyproject.toml", "Cargo.toml", "Cargo.lock", "README.md", "LICENSE-MIT",
        "python/backend/sondage_build.py", "crates/cli/Cargo.toml", "crates/python/src/lib.rs",
        "web/dist/index.html", "web/package-lock.json",
    }  # fmt: skip
    assert needed <= names
    built_or_private = ("target/", ".git/", ".venv/", "web/node_modules/", "demo/")
    assert [name for name in names if name.startswith(built_or_private)] == []
