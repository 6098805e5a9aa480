"""`make new-source NAME=my_source`: writes a source's two files from templates, ready for the
conformance suite."""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path
from string import Template

from nba_airflow import DAGS, connections
from nba_airflow.specs import sources

ROOT = DAGS.parent
TEMPLATES = Path(__file__).parent / "templates"
DAY = "2025-01-15"

# Postgres and Drive allow 63 and more; the longest line of the template must stay within 120.
MAX_NAME = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
SAYS_NOTHING = frozenset(
    {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
)


class BadName(ValueError):
    """A name that no source can have; the message is one line that says why."""


def check_name(name: str) -> str:
    """The name as it is. Raises BadName where it is malformed, reserved, or taken by a file, table
    or connection."""
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or keyword.iskeyword(name):
        raise BadName(
            f"{name!r} is not a name for a source: lower-case words joined by _, at most {MAX_NAME}"
            " letters, for example espn_injuries"
        )
    if vague := SAYS_NOTHING.intersection(name.split("_")):
        raise BadName(f"{name!r} says nothing with {min(vague)!r}: name it for what it holds")
    files = [ROOT / "dags" / f"{name}.py", ROOT / "tests" / "fixtures" / name]
    if there := [path for path in files if path.exists()]:
        raise BadName(f"{name!r} exists: {there[0].relative_to(ROOT)}")
    known = sources().values()
    if name in {endpoint.table.name for source in known for endpoint in source.endpoints}:
        raise BadName(f"{name!r} exists: it is a table of another source")
    stores = {
        connections.RAW_STORE,
        connections.WAREHOUSE,
        connections.OPS_DB,
        connections.MAIL,
        "default_pool",
    }
    if name in stores | {host.connection for source in known for host in source.hosts}:
        raise BadName(f"{name!r} exists: it is the connection or pool of something else")
    return name


def write_source(name: str) -> list[Path]:
    """Writes spec and fixture; returns their paths. Raises BadName before it writes anything."""
    check_name(name)
    text = Template((TEMPLATES / "source.py.txt").read_text()).substitute(name=name)
    spec = ROOT / "dags" / f"{name}.py"
    fixture = ROOT / "tests" / "fixtures" / name / f"players.{DAY}.json"
    fixture.parent.mkdir(parents=True)
    fixture.write_text((TEMPLATES / "players.json").read_text())
    spec.write_text(text)
    return [spec, fixture]


def main() -> int:
    """Exit code 0, or 2 with one line on stderr."""
    try:
        written = write_source(" ".join(sys.argv[1:]))
    except BadName as error:
        sys.stderr.write(f"new-source: {error}\n")
        return 2
    for path in written:
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    name = written[0].stem
    sys.stdout.write(
        "next: change both to what the source really answers, then `make fast`; put its key into"
        f" connection {name}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
