"""The search for secrets in all that a run says: its logs, exceptions and files, and the rows of
its tables."""

from __future__ import annotations

import base64
import gzip
import html
import json
import logging
import re
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import psycopg
import pyarrow.parquet as pq

# A service account signs in with such a token; whoever has it can use it for an hour.
_SIGNED = re.compile(r"eyJ[\w-]{20,}\.[\w-]{20,}\.[\w-]{20,}")


def forms(secret: str) -> set[str]:
    """The secret as it is and as it looks in a URL, in a header, in JSON, in HTML and in a Python
    literal."""
    raw = secret.encode()
    found = {secret, json.dumps(secret)[1:-1], html.escape(secret), repr(secret)[1:-1]}
    for encoded in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        found |= {encoded, re.sub(r"%[0-9A-F]{2}", lambda part: part[0].lower(), encoded)}
    for encoded in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        found |= {encoded.decode(), encoded.decode().rstrip("=")}
    return found


def secrets_in(texts: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """Which secrets are told in the texts, in whatever form; a signed assertion is one whoever made
    it."""
    told = "\n".join(texts)
    found = {secret for secret in secrets if any(form in told for form in forms(secret))}
    return sorted(found | {match[0] for match in _SIGNED.finditer(told)})


@contextmanager
def everything_logged(told: list[str]) -> Iterator[None]:
    """Collects every record of every logger, down to DEBUG, with its traceback and all that hangs
    on it."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.extend((plain.format(record), repr(record.__dict__)))

    plain, collector = logging.Formatter(), Collector()
    logging.getLogger(
        "google"
    )  # google-auth keeps its records to itself unless somebody has set this one's level
    known = (logging.getLogger(), *logging.root.manager.loggerDict.values())
    loggers = [logger for logger in known if isinstance(logger, logging.Logger)]
    levels = [(logger, logger.level) for logger in loggers]
    heads = [logger for logger in loggers if logger is logging.getLogger() or not logger.propagate]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    for logger in heads:
        logger.addHandler(collector)
    try:
        yield
    finally:
        for logger in heads:
            logger.removeHandler(collector)
        for logger, level in levels:
            logger.setLevel(level)


def told_by(error: BaseException) -> list[str]:
    """What an exception and those it was raised from or during say, also the ones that a traceback
    leaves out."""
    told = ["".join(traceback.format_exception(error))]
    chain: list[BaseException] = [error]
    for each in chain:
        told += [str(each), repr(each), repr(each.args), repr(getattr(each, "__dict__", {}))]
        chain += [
            inner for inner in (each.__cause__, each.__context__) if inner and inner not in chain
        ]
    return told


def stored_in(folder: Path) -> Iterator[str]:
    """The contents of every file below the folder, unpacked, and all their names."""
    for path in sorted(folder.rglob("*")):
        yield str(path)
        if path.suffix == ".parquet":
            yield str(pq.ParquetFile(path).read().to_pylist())
        elif path.is_file():
            data = path.read_bytes()
            yield (gzip.decompress(data) if path.suffix == ".gz" else data).decode(errors="replace")


def recorded_in(connection: psycopg.Connection[Any], schema: str) -> Iterator[str]:
    """Every row of every table of a schema, as text."""
    tables = connection.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = %s", (schema,)
    ).fetchall()
    for (table,) in tables:
        yield from (
            row[0]
            for row in connection.execute(f'SELECT t::text FROM "{schema}"."{table}" t').fetchall()
        )
