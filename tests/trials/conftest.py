"""The trials of a date run on the same sandbox, limiter and line as its steps' tests."""

from tests.steps.conftest import limiter, line, sandbox

__all__ = ["limiter", "line", "sandbox"]
