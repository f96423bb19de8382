"""The examples that use probes: run and recorded, the recording must agree with what they did."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, output, view

REQUESTS = 60


@pytest.fixture(scope="module")
def shop(
    program: Path, python: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, int]]:
    """Record the web shop under load; the recording, and how many pages of each kind were asked."""
    folder = tmp_path_factory.mktemp("shop")
    path = folder / "shop.sondage"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    app, load = (str(ROOT / "examples/fasthtml" / name) for name in ("app.py", "load.py"))
    command = [str(program), "run", "--quiet", "--output", str(path), "--", str(python), app]
    server = subprocess.Popen(
        [*command, "--port", port, "--until", str(REQUESTS)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
    )
    try:
        asked = output(python, load, "--port", port, "--requests", str(REQUESTS))
        said, _ = server.communicate(timeout=60)
    finally:
        server.kill()
        server.wait()
    assert server.returncode == 0
    assert said.strip() == f"{REQUESTS} requests"
    return path, json.loads(asked)


def spans(recording: dict[str, Any]) -> Counter[str]:
    return Counter({zone["label"]: zone["count"] for zone in recording["program"]["zonesByTotal"]})


def test_each_request_of_the_shop_is_a_trace(
    program: Path, shop: tuple[Path, dict[str, int]]
) -> None:
    path, asked = shop
    shelf, searches, orders = (asked[page] for page in ("/", "/search", "/order/{number}"))
    assert shelf + searches + orders == REQUESTS
    report = json.loads(output(program, "report", "--json", path))
    assert spans(report) == {
        "request": REQUESTS,
        "query": 2 * shelf,
        "score": searches,
        "order": orders,
        "mail": orders,
        "page": REQUESTS,
        # A component of the monitor's is a span too.
        "render": REQUESTS,
    }
    inside = {
        "/": Counter({"request": 1, "query": 2, "page": 1, "render": 1}),
        "/search": Counter({"request": 1, "score": 1, "page": 1, "render": 1}),
        "/order": Counter({"request": 1, "order": 1, "mail": 1, "page": 1, "render": 1}),
    }
    with view(program, path) as get:
        sites = get("zones")["sites"]
        # All are where the program makes them, none in sondage's own files.
        assert {site["path"] for site in sites} == {str(ROOT / "examples/fasthtml/app.py")}
        places = {site["label"]: site["site"] for site in sites}
        requests = get(f"instances?site={places['request']}&sort=start&desc=0")["zones"]
        threads = {row["id"]: row["name"] for row in get("meta")["recordings"][0]["threads"]}
        traces = set()
        for request in requests:
            card = get(f"zone?zone={request['zone']}")
            said = json.loads(card["arguments"])
            assert said["method"] == ("POST" if said["path"].startswith("/order") else "GET")
            assert card["task"]
            tree = get(f"trace?zone={request['zone']}")
            traces.add(tree["trace"])
            page = "/" + said["path"].split("/")[1]
            assert Counter(zone["label"] for zone in tree["zones"]) == inside[page]
            assert tree["zones"][0]["zone"] == request["zone"]
            where = {zone["label"]: threads[zone["thread"]] for zone in tree["zones"]}
            assert where["request"] == "MainThread"
            assert where.get("score", "search_0").startswith("search_")
            assert where.get("mail", "mailer") == "mailer"
        assert len(requests) == len(traces) == REQUESTS
        assert get("logs")["rows"] == orders + 1
        (lock,) = get("locks")["locks"]
        assert (lock["name"], lock["count"]) == ("stock", 2 * orders)
        names = {row["name"] for row in get("meta")["recordings"][0]["counters"]}
        assert "mails waiting" in names


def test_the_mill_says_what_it_did(program: Path, tmp_path: Path) -> None:
    """The Rust program: so many frames, sacks and counts as its source says."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "mill"
    manifest = ROOT / "examples/rust/Cargo.toml"
    subprocess.run(
        ["cargo", "build", "--quiet", "--release", "--locked", "--manifest-path", str(manifest)],
        env=os.environ | {"CARGO_TARGET_DIR": str(target)},
        check=True,
    )
    path = tmp_path / "mill.sondage"
    output(program, "run", "--quiet", "--output", path, "--", target / "release/mill")
    report = json.loads(output(program, "report", "--json", path))
    assert spans(report) == {"carry": 120, "grind": 720, "count": 4}
    with view(program, path) as get:
        meta = get("meta")["recordings"][0]
        assert meta["processes"][0]["name"] == "mill"
        names = sorted(row["name"] for row in meta["threads"])
        assert names == ["mill", "miller 1", "miller 2", "miller 3"]
        (frames,) = get("frames")["sets"]
        # Between 120 marks.
        assert frames["count"] == 119
        assert get("logs")["rows"] == 5
        (lock,) = get("locks")["locks"]
        assert lock["name"] == "queue"
        # Each sack was taken out, each frame brought some, and some were counted.
        assert lock["count"] >= 720 + 120 + 4
        assert lock["waits"] > 0
        sites = get("zones")["sites"]
        places = {site["label"]: site["site"] for site in sites}
        grinds = get(f"instances?site={places['grind']}&limit=1000")["zones"]
        kinds: dict[str, list[int]] = {"Wheat": [], "Rye": []}
        for zone in grinds:
            said = json.loads(get(f"zone?zone={zone['zone']}")["arguments"])
            kinds[said["grain"]].append(zone["duration"])
        assert [len(times) for times in kinds.values()] == [360, 360]
        assert min(kinds["Wheat"]) >= 5_000_000
        assert min(kinds["Rye"]) >= 10_000_000
