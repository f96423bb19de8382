"""A trace: an outermost span, and all that is inside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sondage import _native


@dataclass(frozen=True, slots=True)
class ProfilingTrace:
    """One command from its begin to its end."""

    command_name: str
    """The outermost span's name."""
    command_id: str
    """Its number, 16 hexadecimal digits; empty for a cumulative span outside of all spans."""
    kwargs: dict[str, Any]
    """Its arguments and values."""
    timestamp: float
    """When it began, in seconds of `time.time`."""
    total_duration_ms: float
    """How long it took, in milliseconds."""
    root_span: _native.ProfilingSpan | _native.CumulativeSpan
    """The outermost span."""

    @classmethod
    def of(cls, root: _native.ProfilingSpan | _native.CumulativeSpan) -> ProfilingTrace:
        """Make the trace of a root."""
        timestamp = _native.wall_of_perf(root.start)
        if isinstance(root, _native.CumulativeSpan):
            return cls(root.name, "", {}, timestamp, root.total_ms, root)
        data = dict(root.data)
        return cls(root.name, root.span_id, data, timestamp, root.duration_ms, root)

    def __str__(self) -> str:
        """Draw the tree."""
        return str(self.root_span)

    def _repr_html_(self) -> str:
        return self.root_span._repr_html_()
