"""The declarative vocabulary of a processor: a date DAG whose tables are made of other tables.
Values only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from include.sources.spec import Row, Table

Tables = Mapping[str, Sequence[Row]]
"""Name of a table, as in ``raw.bdl_box_scores`` -> rows of one date."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """A table that is read, and the DAG's endpoint that makes it. Where it is not ``required``, a
    date without it is processed as if it had no rows."""

    dag_id: str
    endpoint: str
    table: Table
    required: bool = True


@dataclass(frozen=True, kw_only=True)
class Built:
    """What came of a date: the rows by table, the number of its games, and in ``said`` what people
    should know of it, in words that follow "made, but"; empty where all is well."""

    rows: Tables
    games: int = 0
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Processor:
    """A DAG with one task, ``name``, which replaces a date's partitions of ``tables`` by what
    ``build`` makes of the inputs' rows. ``build`` is pure: the same rows give the same rows.

    A date runs when all its required inputs are done, and again when they have changed.
    """

    dag_id: str
    name: str
    inputs: tuple[Input, ...]
    tables: tuple[Table, ...]
    build: Callable[[date, Tables], Built]
    owner: str = "data-platform"
    tags: tuple[str, ...] = ()
