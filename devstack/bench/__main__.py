"""``python -m devstack.bench [NAME ...]``: one JSON object a line on stdout as each is known, a
table on stderr at the end."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module

from devstack.bench.lines import Line, table

BENCHES = {
    "season_at_limit": "season",
    "dates_per_minute": "rate",
    "celery": "celery",
    "memory": "memory",
    "start": "start",
    "task": "task",
    "history": "history",
    "limiter": "limiter",
    "frozen": "frozen",
    "plan": "plan",
    "page": "page",
    "results": "results",
}
"""Name -> the module that has its ``bench``."""


def _asked(names: list[str]) -> Mapping[str, Callable[[], Iterator[Line]]]:
    if unknown := [name for name in names if name not in BENCHES]:
        raise SystemExit(f"no benchmark {', '.join(unknown)}: there are {', '.join(BENCHES)}")
    modules = {name: BENCHES[name] for name in names or BENCHES}
    return {
        name: import_module(f"devstack.bench.{module}").bench for name, module in modules.items()
    }


def main() -> None:
    """Runs the benchmarks, one after the other."""
    parser = argparse.ArgumentParser(prog="python -m devstack.bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    lines: list[Line] = []
    for name, bench in _asked(parser.parse_args().names).items():
        sys.stderr.write(f"{name} ...\n")
        for line in bench():
            lines.append(line)
            sys.stdout.write(line.as_json() + "\n")
            sys.stdout.flush()
    sys.stderr.write(table(lines) + "\n")


if __name__ == "__main__":
    main()
