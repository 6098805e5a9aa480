"""What all commands share: one form of answer in Airflow's `-o table|json|yaml|plain`, one line and
exit code 2 on an error."""

from __future__ import annotations

import csv
import json
import logging
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import wraps
from typing import TYPE_CHECKING, Any

from include.errors import Problem, Refused
from include.wording import name_known
from nba_airflow.metadata.database import database_named

if TYPE_CHECKING:
    import psycopg
    from airflow.cli.simple_table import AirflowConsole

    from include.sources.spec import Source

INTERRUPTED = 130  # exit code of any command that Ctrl-C ended

Row = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of text, or a cell; ``style`` is rich's, shown on terminals only."""

    text: str
    style: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Rows of equal columns, drawn as Airflow draws its tables."""

    rows: Sequence[Row]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command found, for each reader; ``code`` is its exit code.

    ``text`` is for a person (``-o table``), ``rows`` for awk and grep (``-o plain``): all with the
    same columns, no line breaks. ``facts`` is the object of ``-o json`` and ``-o yaml``; dates and
    times become ISO text.
    """

    text: Sequence[Line | Grid]
    rows: Sequence[Row]
    facts: Mapping[str, object]
    code: int = 0


def command(name: str) -> Callable[[Callable[[Namespace], Answer]], Callable[[Namespace], None]]:
    """Makes a function that answers into the entry of command NAME (``airflow nba status``).

    Standard output is for the answer alone: whatever is printed before goes to standard error.
    """

    # Whatever goes wrong is one line on standard error.
    def entry(answer: Callable[[Namespace], Answer]) -> Callable[[Namespace], None]:
        @wraps(answer)
        def run(args: Namespace) -> None:
            _quieten_logs()
            try:
                refuse_abbreviated(name, sys.argv)
                with _databases_named(), _stdout_kept_for_the_answer():
                    found = answer(args)
            except (Refused, Problem) as error:
                print(f"{name}: {error}", file=sys.stderr)
                sys.exit(2)
            except KeyboardInterrupt:
                print(f"{name}: stopped", file=sys.stderr)
                sys.exit(INTERRUPTED)
            show(found, "json" if args.json else args.output)
            sys.exit(found.code)

        return run

    return entry


def refuse_abbreviated(name: str, argv: Sequence[str]) -> None:
    """Raises Refused for an option that is not written out, where this is what was typed: Airflow's
    parser takes `--refe` for `--refetch`, which asks upstreams anew, and any typing error that is
    the beginning of a name."""
    from nba_airflow.cli.commands import list_options

    words = name.split()[1:]
    if [*argv[1 : 1 + len(words)]] != words:
        return
    known = list_options(words)
    typed = [word.partition("=")[0] for word in argv if word.startswith("--") and word != "--"]
    for option in typed:
        if option not in known:
            meant = next(each for each in known if each.startswith(option))
            raise Refused(f"no option {option}: write it out, {meant}")


def show(found: Answer, output: str) -> None:
    """Prints the answer; colour on terminals only."""
    from airflow.cli.simple_table import AirflowConsole

    console = AirflowConsole(highlight=False)
    facts = as_json_knows({**found.facts, "exit_code": found.code})
    match output:
        case "json":
            console.print_as_json(facts)
        case "yaml":
            console.print_as_yaml(facts)
        case "plain":
            _show_rows(found.rows)
        case "csv":
            _show_csv(found.rows)
        case _:
            show_text(console, found.text)


def show_text(console: AirflowConsole, text: Sequence[Line | Grid]) -> None:
    """What a person reads, on that console."""
    for part in text:
        if isinstance(part, Grid):
            console.print_as_table([{k: _cell(v) for k, v in row.items()} for row in part.rows])
        else:
            style = part.style or None
            console.print(part.text, style=style, markup=False, emoji=False, soft_wrap=True)


def _cell(value: object) -> str:
    """The value as rich's markup, which Airflow's tables read."""
    from rich.markup import escape

    text = escape(str(value))
    return f"[{value.style}]{text}[/]" if isinstance(value, Line) and value.style else text


def _show_rows(rows: Sequence[Row]) -> None:
    """As Airflow's plain tables look, which take a fingerprint of digits for a number (3.3.2)."""
    if not rows:
        return
    cells = [list(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        padded = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


def _show_csv(rows: Sequence[Row]) -> None:
    """As RFC 4180 has it; nothing at all is an empty field."""
    if rows:
        writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def connect_ops() -> psycopg.Connection[Any]:
    """A connection to the operations tables, to be closed by the caller."""
    from include.ops.db import connect
    from nba_airflow import connections

    return connect(connections.ops_url(), application_name="airflow nba")


def find_source(dag_id: str) -> Source:
    """The spec of the DAG. Raises Refused, naming those there are."""
    from nba_airflow.specs import sources

    known = sources()
    if dag_id not in known:
        raise Refused(
            f"{dag_id!r} is not the DAG of a source: those are {name_known(dag_id, known)}"
        )
    return known[dag_id]


def check_dated(dag_id: str) -> None:
    """Raises Refused where no source and no processor has this DAG, naming those there are."""
    from nba_airflow.specs import dag_ids

    if dag_id not in (known := dag_ids()):
        raise Refused(
            f"{dag_id!r} is not a DAG that has dates: those are {name_known(dag_id, known)}"
        )


def as_json_knows(facts: Mapping[str, object]) -> Any:
    """The same object of lists, texts and numbers; dates and times become ISO text."""

    def write(moment: date) -> str:
        return moment.isoformat()

    return json.loads(json.dumps(facts, default=write))


def _quieten_logs() -> None:
    """Airflow 3.3.2 warns at each look-up of a connection whose type has a ``_``, as Google's has,
    for the sake of a cache that is off here; and once of an extra's short value. Of a request that
    failed the answer has the words."""
    from airflow._shared.logging.structlog import PER_LOGGER_LEVELS

    PER_LOGGER_LEVELS["airflow.models.connection"] = logging.ERROR
    PER_LOGGER_LEVELS["include.http.client"] = logging.ERROR
    for masker in ("airflow._shared.secrets_masker", "airflow.sdk._shared.secrets_masker"):
        logging.getLogger(masker).setLevel(logging.ERROR)


@contextmanager
def _databases_named() -> Iterator[None]:
    """Makes an error of a database one line that says which of them it is. Raises Problem, and
    Refused where it is left alone just now."""
    import psycopg

    from include.ops.db import unreachable
    from nba_airflow.metadata.ledger import Away

    try:
        with database_named():
            yield
    except psycopg.Error as error:
        raise unreachable(error) from None
    except Away as away:
        raise Refused(str(away)) from None


@contextmanager
def _stdout_kept_for_the_answer() -> Iterator[None]:
    """Airflow 3.3.2 logs to stdout, also while it reads a connection, through loggers that hold the
    stream."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
