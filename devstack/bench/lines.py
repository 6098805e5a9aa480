"""A benchmark's numbers: one JSON object a line, and the same as a table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Line:
    """One number. ``ratio`` is ``value`` to that of ``against``, measured in the same run; None
    where there is nothing to compare with."""

    name: str
    value: float
    unit: str
    against: str = ""
    ratio: float | None = None

    def as_json(self) -> str:
        """One line, its numbers to four digits."""
        fields = asdict(self)
        for name in ("value", "ratio"):
            if fields[name] is not None:
                fields[name] = float(f"{fields[name]:.4g}")
        return json.dumps(fields)


def compared(name: str, value: float, unit: str, against: str, other: float) -> Line:
    """``value`` beside ``other``, which ``against`` names; without a ratio where that is 0."""
    ratio = value / other if other else None
    return Line(
        name=name, value=value, unit=unit, against=f"{against}: {other:.4g} {unit}", ratio=ratio
    )


def table(lines: Sequence[Line]) -> str:
    """The lines in columns, in their order."""
    rows = [("name", "value", "unit", "ratio", "against")]
    for line in lines:
        ratio = "" if line.ratio is None else f"{line.ratio:.3g}"
        rows.append((line.name, f"{line.value:.4g}", line.unit, ratio, line.against))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]

    def row(name: str, value: str, unit: str, ratio: str, against: str) -> str:
        left = f"{name:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}"
        return f"{left}  {ratio:>{widths[3]}}  {against}".rstrip()

    return "\n".join(row(*each) for each in rows)
