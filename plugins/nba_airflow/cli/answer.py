"""What the commands of `airflow nba` share: one line and exit code 2 on an error, text or JSON,
progress on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from argparse import Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from include.errors import Problem
from nba_airflow.cli.window import Refused

if TYPE_CHECKING:
    import psycopg

    from include.sources.spec import Source

T = TypeVar("T")
SAY_EVERY = 10.0  # seconds between two lines of progress where there is no terminal


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of text; ``style`` is rich's, shown on terminals only."""

    text: str
    style: str = ""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command found. ``facts`` is its --json object (dates and times as ISO text), ``code``
    its exit code."""

    lines: Sequence[Line]
    facts: Mapping[str, Any]
    code: int = 0


def command(name: str) -> Callable[[Callable[[Namespace], Answer]], Callable[[Namespace], None]]:
    """Makes a function that answers into the entry of `airflow nba NAME`."""

    def entry(answer: Callable[[Namespace], Answer]) -> Callable[[Namespace], None]:
        @wraps(answer)
        def run(args: Namespace) -> None:
            import psycopg

            from include.ops.db import unreachable

            try:
                try:
                    with _stdout_kept_for_the_answer():
                        found = answer(args)
                except psycopg.Error as error:
                    raise unreachable(error) from None
            except (Refused, Problem) as error:
                print(f"airflow nba {name}: {error}", file=sys.stderr)
                sys.exit(2)
            except KeyboardInterrupt:
                print(f"airflow nba {name}: stopped", file=sys.stderr)
                sys.exit(130)
            _show(found, as_json=args.json)
            sys.exit(found.code)

        return run

    return entry


def ops_db() -> psycopg.Connection[Any]:
    """A connection to the operations tables, to be closed by the caller."""
    from include.ops.db import connect
    from nba_airflow import connections

    return connect(connections.ops_url(), application_name="airflow nba")


def source_of(dag_id: str) -> Source:
    """The spec of the DAG. Raises Refused, naming those there are."""
    from nba_airflow.specs import sources

    known = sources()
    if dag_id not in known:
        raise Refused(f"{dag_id!r} is not the DAG of a source: those are {', '.join(known)}")
    return known[dag_id]


def tracked(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Passes the items on; says on stderr how many have been: a bar on a terminal, elsewhere now
    and then a line."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    said = time.monotonic()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(what, total=total)
        for done, item in enumerate(items, start=1):
            yield item
            bar.update(task, completed=done)
            if not console.is_terminal and time.monotonic() - said > SAY_EVERY:
                said = time.monotonic()
                console.print(f"{done}{f' of {total}' if total else ''} {what}", highlight=False)


def plain(value: Any) -> Any:
    """The value as JSON knows it: dates and times as ISO text."""
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


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


def _show(found: Answer, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(plain({**found.facts, "exit_code": found.code})))
        return
    from rich.console import Console

    console = Console(highlight=False)
    for line in found.lines:
        console.print(
            line.text, style=line.style or None, markup=False, emoji=False, soft_wrap=True
        )
