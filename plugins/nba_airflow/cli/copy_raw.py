"""`airflow nba copy-raw`: copies the raw store into another, for example into a bucket."""

from __future__ import annotations

import re
from argparse import Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from include.errors import Refused
from include.storage.copy import Copied, Fate, copy
from include.wording import counted
from nba_airflow import connections
from nba_airflow.cli.answer import Answer, Line, command
from nba_airflow.cli.progress import track

if TYPE_CHECKING:
    from include.storage.store import Store

MAX_SHOWN = 20
"""Objects that differ, of which the text names no more; the other forms name all."""


@command("airflow nba copy-raw")
def copy_raw(args: Namespace) -> Answer:
    """Reads the one store and writes the other; asks no upstream, overwrites nothing but what has
    changed, with --update. Exit code 1 where the target has other bytes by an object's name."""
    if not re.fullmatch(r"file:///.+|gs://[^/].*", args.to):
        raise Refused(f"--to {args.to}: write file:///absolute/folder or gs://bucket/prefix")
    source = connections.raw_store()
    target = connections.raw_store_at(args.to)
    _check_apart(source, target)
    paths = list(source.walk(""))
    found = list(track(copy(source, target, paths, update=args.update), "objects", len(paths)))
    counts = {str(fate): 0 for fate in Fate} | Counter(str(each.fate) for each in found)
    differ = [each.path for each in found if each.fate is Fate.DIFFERS]
    return Answer(
        text=[Line(text=text) for text in _say(source, target, found, counts, differ)],
        rows=[{"objects": fate, "count": count} for fate, count in counts.items()],
        facts={
            "from": source.url,
            "to": target.url,
            "bytes": sum(each.bytes for each in found),
            **counts,
            "differing": differ,
        },
        code=int(bool(differ)),
    )


def _check_apart(source: Store, target: Store) -> None:
    """Raises Refused for two stores of which one is in the other."""
    one, other = f"{source.url}/", f"{target.url}/"
    if one.startswith(other) or other.startswith(one):
        raise Refused(f"{source.url} and {target.url} are not apart: copy into another place")


def _say(
    source: Store,
    target: Store,
    found: Sequence[Copied],
    counts: Mapping[str, int],
    differ: Sequence[str],
) -> Iterator[str]:
    # The sum, then what needs a person, then what comes next.
    size = sum(each.bytes for each in found)
    copied = counted(counts[Fate.COPIED], "object")
    there = f"{counts[Fate.THERE]:,} were there already"
    if counts[Fate.REPLACED]:
        there = f"{counts[Fate.REPLACED]:,} replaced, {there}"
    yield f"{source.url} -> {target.url}: {copied} copied ({size:,} bytes), {there}"
    yield from (f"  differs, left as it is: {path}" for path in differ[:MAX_SHOWN])
    if len(differ) > MAX_SHOWN:
        yield f"  and {len(differ) - MAX_SHOWN} more, which -o json names"
    if differ:
        yield "They have changed since they were copied: copy again with --update"
    else:
        yield (
            "What dates have written meanwhile is not in it: pause the DAGs, copy again, then set"
            f' connection raw_store to {{"url": "{target.url}"}}'
        )
