"""The sources and processors that the files in dags/ declare: discovered, never listed by hand."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from include.analytics.spec import Processor
from include.sources.spec import Host, Source, Table
from nba_airflow import DAGS

T = TypeVar("T", Source, Processor)


def sources() -> dict[str, Source]:
    """dag_id -> spec, from every file in dags/ that has a ``SOURCE``; no other is run. Raises what
    such a file raises."""
    return _find("SOURCE", Source)


def processors() -> dict[str, Processor]:
    """The same of every ``PROCESSOR``."""
    return _find("PROCESSOR", Processor)


def source_tables() -> list[Table]:
    """All tables that sources fill."""
    return [endpoint.table for source in sources().values() for endpoint in source.endpoints]


def processor_tables() -> list[Table]:
    """All tables that processors fill."""
    return [table for processor in processors().values() for table in processor.tables]


def tables() -> list[Table]:
    """Both."""
    return source_tables() + processor_tables()


def _find(name: str, kind: type[T]) -> dict[str, T]:
    found = (getattr(module, name, None) for module in _modules(name))
    return {each.dag_id: each for each in found if isinstance(each, kind)}


def _modules(declared: str) -> Iterator[ModuleType]:
    for path in _files(declared):
        name = f"nba_dags_{path.stem}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, path)
            if spec is None or spec.loader is None:
                raise ImportError(f"cannot load {path}")
            module = importlib.util.module_from_spec(spec)
            sys.modules[name] = module
            try:
                spec.loader.exec_module(module)
            except BaseException:
                del sys.modules[name]
                raise
        yield sys.modules[name]


def find_spec(dag_id: str) -> Path:
    """The file that declares the DAG's source. Raises LookupError where none does."""
    for module in _modules("SOURCE"):
        declared = getattr(module, "SOURCE", None)
        if isinstance(declared, Source) and declared.dag_id == dag_id:
            return Path(str(module.__file__))
    raise LookupError(f"no file in {DAGS} declares {dag_id}")


def source_ids() -> list[str]:
    """The DAG ids of the files in dags/ that declare a source, of which none is run: another DAG's
    file may ask, and would be taken for that of all DAGs that it makes."""
    return [path.stem for path in _files("SOURCE")]


def dag_ids() -> list[str]:
    """The same of sources and processors."""
    return sorted(path.stem for name in ("SOURCE", "PROCESSOR") for path in _files(name))


def _files(declared: str) -> list[Path]:
    return [
        path
        for path in sorted(DAGS.glob("*.py"))
        if f"\n{declared} = " in path.read_text(encoding="utf-8")
    ]


def connections_by_dag() -> dict[str, list[str]]:
    """dag_id -> the connections that its source asks, of every source."""
    return {dag_id: [h.connection for h in source.hosts] for dag_id, source in sources().items()}


def connections_of(dag_id: str) -> list[str]:
    """Those of one DAG; none of a DAG without a source."""
    return connections_by_dag().get(dag_id, [])


def tables_of(dag_id: str) -> list[Table]:
    """The tables that the DAG fills: a source's or a processor's, none of any other."""
    by_source = {each: [e.table for e in source.endpoints] for each, source in sources().items()}
    by_processor = {each: [*processor.tables] for each, processor in processors().items()}
    return (by_source | by_processor).get(dag_id, [])


def endpoint_names(dag_id: str) -> list[str]:
    """The endpoints of the DAG's spec, or the one task of a processor; none of any other DAG."""
    if source := sources().get(dag_id):
        return [endpoint.name for endpoint in source.endpoints]
    processor = processors().get(dag_id)
    return [processor.name] if processor else []


def hosts() -> dict[str, Host]:
    """Connection id -> host, over all sources. Raises ValueError when two sources declare one host
    differently."""
    found: dict[str, Host] = {}
    for source in sources().values():
        for host in source.hosts:
            if found.setdefault(host.connection, host) != host:
                raise ValueError(
                    f"{source.dag_id} declares host {host.connection} differently from another"
                    " source"
                )
    return found
