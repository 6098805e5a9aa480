"""The trials of a date run on the same sandbox, limiter and line as its steps' tests, and its
commands as theirs."""

from tests.plugins.cli.conftest import call, stores
from tests.steps.conftest import limiter, line, sandbox

__all__ = ["call", "limiter", "line", "sandbox", "stores"]
