"""`make new-source`, `make new-processor`, `make new-pipeline` with NAME=my_table: write the files
of a DAG from templates, ready for the suites."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from include.warehouse.status import DATE_STATUS
from include.warehouse.views import FOLDER as VIEWS
from nba_airflow import DAGS, connections
from nba_airflow.specs import sources, tables

ROOT = DAGS.parent
TEMPLATES = Path(__file__).parent / "templates"
DAY = "2025-01-15"

# Postgres and Drive allow 63 and more; the longest line of the templates must stay within 120.
MAX_NAME = 40
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
SAYS_NOTHING = frozenset(
    {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
)
SUFFIX = "_totals"
"""Of a pipeline's second DAG."""


class BadName(ValueError):
    """A name that no DAG can have; the message is one line that says why."""


@dataclass(frozen=True, kw_only=True)
class NewDag:
    """A DAG that is to be written: path, with ``$name`` -> template; ``values`` fill both."""

    name: str
    files: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict)

    def write(self) -> list[Path]:
        """Writes the files, the DAG's own last: the dag-processor reads it at once."""
        values = {"name": self.name, **self.values}
        for path, template in zip(self.paths, self.files.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(Template((TEMPLATES / template).read_text()).substitute(values))
        return self.paths

    @property
    def paths(self) -> list[Path]:
        """Where the files will be."""
        return [ROOT / Template(path).substitute(name=self.name) for path in self.files]


SOURCE = {
    "include/parsing/$name.py": "parser.py.txt",
    f"tests/fixtures/$name/players.{DAY}.json": "players.json",
    "dags/$name.py": "source.py.txt",
}
PROCESSOR = {
    "include/analytics/$name.py": "build.py.txt",
    "tests/analytics/test_$name.py": "test_build.py.txt",
    "dags/$name.py": "processor.py.txt",
}
BOX_SCORES = {
    "of": "bdl_box_scores",
    "endpoint": "box_scores",
    "module": "balldontlie",
    "table": "BOX_SCORES",
    "points": "pts",
}
"""What the example of a processor is made of."""


def choose(command: str, name: str) -> list[NewDag]:
    """What ``new-source``, ``new-processor`` or ``new-pipeline`` writes for this name."""
    source = NewDag(name=name, files=SOURCE, values={"command": command})
    if command == "new-source":
        return [source]
    if command == "new-processor":
        return [NewDag(name=name, files=PROCESSOR, values={"command": command, **BOX_SCORES})]
    of = {"of": name, "endpoint": "players", "module": name, "table": "TABLE", "points": "points"}
    return [
        source,
        NewDag(name=name + SUFFIX, files=PROCESSOR, values={"command": command, **of}),
    ]


def check(new: NewDag) -> None:
    """Raises BadName where the name is malformed, reserved, or taken by a file, table or
    connection."""
    name = new.name
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME or keyword.iskeyword(name):
        raise BadName(
            f"{name!r} is not a name for a DAG: lower-case words joined by _, at most {MAX_NAME}"
            " letters, for example espn_injuries"
        )
    if vague := SAYS_NOTHING.intersection(name.split("_")):
        raise BadName(f"{name!r} says nothing with {min(vague)!r}: name it for what it holds")
    dag = ROOT / "dags" / f"{name}.py"
    if there := [path for path in (dag, *new.paths) if path.exists()]:
        raise BadName(f"{name!r} exists: {there[0].relative_to(ROOT)}")
    if name in {table.name for table in (*tables(), DATE_STATUS)}:
        raise BadName(f"{name!r} exists: it is a table of another DAG")
    if (VIEWS / f"{name}.sql").exists():
        raise BadName(f"{name!r} exists: it is a view")
    stores = {
        connections.RAW_STORE,
        connections.WAREHOUSE,
        connections.OPS_DB,
        connections.MAIL,
        "default_pool",
    }
    if name in stores | {host.connection for each in sources().values() for host in each.hosts}:
        raise BadName(f"{name!r} exists: it is the connection or pool of something else")


def word_end(made: Sequence[NewDag]) -> list[str]:
    """What `make` edits beside these files, and what comes next."""
    names = ",".join(new.name for new in made)
    next_ = f"next: `make demo SOURCES={names}` runs it as it is"
    if (source := made[0]).files is SOURCE:
        next_ += (
            f", and makes connection {source.name}, to the sandbox (so do `make down` and `make"
            " up`; until then `airflow nba status` says that it is not defined)"
        )
    return [
        "edited README.md and docs/dictionary.md, which list each DAG and table",
        f"{next_}; docs/add-a-source.md goes on from there",
    ]


def main() -> int:
    """Exit code 0, or 2 with one line on stderr; nothing is written then."""
    command, *words = sys.argv[1:]
    made = choose(command, " ".join(words))
    try:
        for new in made:
            check(new)
    except BadName as error:
        sys.stderr.write(f"{command}: {error}\n")
        return 2
    for path in [path for new in made for path in new.write()]:
        sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    sys.stdout.writelines(f"{line}\n" for line in word_end(made))
    return 0


if __name__ == "__main__":
    sys.exit(main())
