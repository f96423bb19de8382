"""Trees of spans, drawn for a terminal and for a notebook."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from sondage._native import CumulativeSpan, ProfilingSpan

Node = ProfilingSpan | CumulativeSpan

# A picture of a hundred thousand spans helps nobody.
MOST_LINES = 1000


def _figures(node: Node) -> str:
    if isinstance(node, CumulativeSpan):
        each = f"min {node.min_ms:.4f}, avg {node.avg_ms:.4f}, max {node.max_ms:.4f}"
        return f"{node.total_ms:.4f} ms in {node.count} passes ({each})"
    return f"{node.duration_ms:.4f} ms"


def _values(node: Node) -> str:
    if isinstance(node, CumulativeSpan) or not node.data:
        return ""
    return "  " + " ".join(f"{key}={value}" for key, value in node.data.items())


def _walk(root: Node) -> Iterator[tuple[Node, str, str]]:
    """Yield each node with what is drawn before it, and before those inside it."""
    pending: list[tuple[Node, str, str]] = [(root, "", "")]
    while pending:
        node, own, inside = pending.pop()
        yield node, own, inside
        if isinstance(node, CumulativeSpan):
            continue
        children = node.children
        last = len(children) - 1
        for at in range(last, -1, -1):
            is_last = at == last
            own, below = ("└─ ", "   ") if is_last else ("├─ ", "│  ")
            pending.append((children[at], inside + own, inside + below))


def text(root: Node) -> str:
    """Draw a tree with one line for each span."""
    lines: list[str] = []
    for node, before, _ in _walk(root):
        if len(lines) == MOST_LINES:
            lines.append("… and more")
            break
        failed = "  FAILED" if isinstance(node, ProfilingSpan) and node.failed else ""
        lines.append(f"{before}{node.name}  {_figures(node)}{_values(node)}{failed}")
    if isinstance(root, ProfilingSpan) and root.dropped:
        lines.append(f"({root.dropped} more spans found no room in this trace)")
    return "\n".join(lines)


def html(root: Node) -> str:
    """Draw a tree as a table with a bar for each span."""
    whole = root.total_ms if isinstance(root, CumulativeSpan) else root.duration_ms
    rows: list[str] = []
    for node, before, _ in _walk(root):
        if len(rows) == MOST_LINES:
            rows.append("<tr><td>… and more</td></tr>")
            break
        millis = node.total_ms if isinstance(node, CumulativeSpan) else node.duration_ms
        offset = 0.0 if whole <= 0 else (node.start - root.start) * 1e5 / whole
        width = 100.0 if whole <= 0 else millis * 100 / whole
        offset = min(max(offset, 0.0), 100.0)
        width = min(max(width, 0.2), 100.0 - offset or 0.2)
        bar = (
            f'<div style="margin-left:{offset:.2f}%;width:{width:.2f}%;'
            'height:0.8em;background:#4c78a8"></div>'
        )
        name = escape(f"{before}{node.name}")
        tip = escape(_values(node).strip(), quote=True)
        rows.append(
            f'<tr title="{tip}"><td style="text-align:left;white-space:pre;'
            f'font-family:monospace">{name}</td><td style="text-align:right">'
            f'{escape(_figures(node))}</td><td style="width:40%">{bar}</td></tr>'
        )
    return f'<table style="width:100%">{"".join(rows)}</table>'
