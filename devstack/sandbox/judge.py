"""Reads a request log and says what the client did: counts, statuses, bills and the worst sliding
windows."""

from __future__ import annotations

import argparse
import json
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_WINDOWS = (1.0, 60.0)


def worst_window(times: Sequence[float], seconds: float) -> int:
    """The largest number of requests in any half-open window [t, t + seconds); 0 without
    requests."""
    ordered = sorted(times)
    return max(
        (bisect_left(ordered, start + seconds) - n for n, start in enumerate(ordered)), default=0
    )


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One source's traffic. ``worst`` maps a caller's address and window to its worst count,
    refused ones included."""

    requests: int
    statuses: Mapping[str, int]
    limited: int
    faults: Mapping[str, int]
    billed: int
    worst: Mapping[str, Mapping[str, int]]


def entries(log: Path) -> list[dict[str, Any]]:
    """The log's entries; a last line that was cut off by a crash is left out."""
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def judged(
    requests: Iterable[Mapping[str, Any]], windows: Sequence[float] = _WINDOWS
) -> dict[str, Verdict]:
    """A verdict per source, in alphabetical order; windows are in seconds of the sandbox's
    monotonic clock."""
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    for request in requests:
        by_source.setdefault(request["source"], []).append(request)
    verdicts: dict[str, Verdict] = {}
    # Counts of the source, and its worst windows by address.
    for source, all_of_it in sorted(by_source.items()):
        times: dict[str, list[float]] = {}
        for request in all_of_it:
            times.setdefault(request["address"], []).append(request["mono"])
        verdicts[source] = Verdict(
            requests=len(all_of_it),
            statuses=dict(sorted(Counter(str(request["status"]) for request in all_of_it).items())),
            limited=sum(request["limited"] for request in all_of_it),
            faults=dict(
                sorted(
                    Counter(request["fault"] for request in all_of_it if request["fault"]).items()
                )
            ),
            billed=sum(request["billed"] for request in all_of_it),
            worst={
                address: {f"{seconds:g}s": worst_window(at, seconds) for seconds in windows}
                for address, at in sorted(times.items())
            },
        )
    return verdicts


def summary(log: Path, windows: Sequence[float] = _WINDOWS) -> dict[str, Verdict]:
    """The verdict per source of a log file."""
    return judged(entries(log), windows)


def _counts(counts: Mapping[str, int]) -> str:
    return " ".join(f"{name}:{count}" for name, count in counts.items()) or "-"


def table(verdicts: Mapping[str, Verdict]) -> str:
    """The verdicts as a text table, one line per source and address."""
    titles = f"{'source':<14}{'address':<18}{'requests':>9}{'limited':>9}{'billed':>8}"
    lines = [f"{titles}  {'worst windows':<18}  statuses; faults"]
    for source, verdict in verdicts.items():
        for n, (address, worst) in enumerate(verdict.worst.items()):
            totals = (verdict.requests, verdict.limited, verdict.billed) if n == 0 else ("", "", "")
            tail = f"{_counts(verdict.statuses)}; {_counts(verdict.faults)}" if n == 0 else ""
            lines.append(
                f"{source if n == 0 else '':<14}{address:<18}"
                f"{totals[0]:>9}{totals[1]:>9}{totals[2]:>8}"
                f"  {_counts(worst):<18}  {tail}".rstrip()
            )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """``python -m devstack.sandbox.judge LOG [--json] [--window SECONDS ...]``; 2 for a log that
    cannot be read."""
    parser = argparse.ArgumentParser(prog="judge", description=__doc__)
    parser.add_argument("log", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--window",
        type=float,
        action="append",
        help="seconds; repeat for several (default 1 and 60)",
    )
    options = parser.parse_args(arguments)
    try:
        verdicts = summary(options.log, options.window or _WINDOWS)
    except OSError as error:
        sys.stderr.write(f"cannot read the log {options.log}: {error.strerror}\n")
        return 2
    as_json = json.dumps(
        {source: asdict(verdict) for source, verdict in verdicts.items()}, indent=1
    )
    sys.stdout.write((as_json if options.json else table(verdicts)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
