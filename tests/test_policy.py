"""What holds for every file of the project; a failure names the file and the repair."""

from __future__ import annotations

import ast
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

ROOT = Path(__file__).resolve().parents[1]
LAYERS = ("dags", "devstack", "include", "plugins")
CODE = sorted(path.relative_to(ROOT) for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))
DAGS = [path for path in CODE if path.parts[0] == "dags"]

ATTICS = frozenset({"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"})

# What a task needs and parsing must not pay for: the dag-processor imports every file over and
# over.
HEAVY = (
    *(
        "duckdb",
        "google.cloud.bigquery",
        "google.cloud.storage",
        "numpy",
        "pandas",
        "psycopg",
        "pyarrow",
    ),
    *("requests", "sendgrid"),
)


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and full name of every import, wherever in the file it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or "." * node.level


def one_way_imports(path: Path, text: str) -> Iterator[str]:
    """Dependencies run dags -> plugins/nba_airflow -> include; devstack may use all, nothing uses
    it."""
    forbidden = {
        "include": ("airflow", "nba_airflow", "dags", "plugins", "devstack"),
        "plugins": ("dags", "devstack"),
        "dags": ("dags", "devstack"),
        "devstack": ("dags", "tests"),
    }
    for line, name in imported(ast.parse(text)):
        if name.partition(".")[0] in forbidden.get(path.parts[0], ()):
            yield (
                f"{path}:{line} imports {name}: move what needs it one layer up, and hand plain"
                " values down"
            )


def no_imports_from_tests(path: Path, text: str) -> Iterator[str]:
    for line, name in imported(ast.parse(text)):
        if name.partition(".")[0] in ("tests", "pytest", "hypothesis"):
            yield (
                f"{path}:{line} imports {name}: it is not there where the project is installed"
                " without its tests"
            )


def opens_with_a_sentence(path: Path, text: str) -> Iterator[str]:
    if not ast.get_docstring(ast.parse(text)):
        yield f"{path} has no docstring: open it with one sentence that says what lives there"


def is_named_for_what_it_holds(path: Path, text: str) -> Iterator[str]:
    for name in (path.stem, *path.parts[1:-1]):
        if ATTICS.intersection(name.split("_")):
            yield f"{path}: {name!r} says nothing: name it for what it holds"


def is_seen_by_airflow(path: Path, text: str) -> Iterator[str]:
    """Airflow's safe mode skips, without a word, files that lack either word."""
    lacking = [word for word in ("airflow", "dag") if word not in text.lower()]
    if path.parts[0] == "dags" and lacking:
        yield (
            f"{path} does not contain the word {' and '.join(lacking)}, so Airflow passes it over:"
            " mention it"
        )


POLICIES = (
    one_way_imports,
    no_imports_from_tests,
    opens_with_a_sentence,
    is_named_for_what_it_holds,
    is_seen_by_airflow,
)


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__name__)
def test_every_file_keeps_the_policy(policy: Callable[[Path, str], Iterator[str]]) -> None:
    assert len(CODE) > 50, f"the files of {ROOT} were not found"
    offences = [offence for path in CODE for offence in policy(path, (ROOT / path).read_text())]
    assert not offences, "\n".join(offences)


@pytest.mark.parametrize(
    ("policy", "path", "text"),
    [
        (one_way_imports, "include/http/x.py", "def f():\n    from airflow.sdk import DAG"),
        (one_way_imports, "include/x.py", "import json, airflow"),
        (one_way_imports, "include/x.py", "from nba_airflow.specs import sources"),
        (one_way_imports, "plugins/nba_airflow/x.py", "import dags.bdl_box_scores"),
        (one_way_imports, "include/x.py", "from devstack.sandbox.server import Sandbox"),
        (no_imports_from_tests, "include/x.py", "from tests.http.scripted import KEY"),
        (opens_with_a_sentence, "include/x.py", "import json\n"),
        (opens_with_a_sentence, "include/__init__.py", ""),
        (is_named_for_what_it_holds, "include/http_utils.py", ""),
        (is_named_for_what_it_holds, "include/common/x.py", ""),
        (is_seen_by_airflow, "dags/x.py", "from plugins import daily\ndag = daily()"),
    ],
)
def test_policy_sees_an_offence(
    policy: Callable[[Path, str], Iterator[str]], path: str, text: str
) -> None:
    (offence,) = policy(Path(path), text)
    assert offence.startswith(path)
    assert re.search(r": \w+ \w+", offence), f"no repair in {offence!r}"


def test_no_test_reaches_beyond_this_machine() -> None:
    blocked = pytest.raises(SocketConnectBlockedError)
    with pytest.warns(UserWarning, match="192.0.2.1"), blocked, socket.socket() as sock:
        sock.connect(("192.0.2.1", 80))


PARSE = """
import json, runpy, sys
from pathlib import Path
heavy, files = json.loads(sys.argv[1]), sys.argv[2:]
seen = {}
for file in files:
    if file.startswith("plugins"):
        __import__(".".join(Path(file).with_suffix("").parts[1:]))
    else:
        runpy.run_path(file)
    for name in heavy:
        if name in sys.modules:
            seen.setdefault(name, file)
print(json.dumps(seen))
"""


def parsed(home: Path, *files: str) -> dict[str, str]:
    """Heavy module -> the first of the files that brought it in, in a fresh interpreter."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(home),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}",
    }
    command = [sys.executable, "-c", PARSE, json.dumps(HEAVY), *files]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_parsing_the_dag_files_and_the_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    """What a file brings in must be imported in the function that needs it."""
    files = ["plugins/nba_plugin.py", "plugins/nba_airflow/cli/commands.py", *map(str, DAGS)]
    assert parsed(tmp_path, *files) == {}


def test_heavy_import_is_seen_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "dag.py"
    file.write_text("import requests")
    assert parsed(tmp_path, str(file)) == {"requests": str(file)}
