"""Status and mail say what is to be looked at before a breaker opens."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime, timedelta

import pytest

from tests.plugins.metadata.test_breaker import D, fail, order, pass_, text_of, usual
from tests.plugins.running import Airflow

__all__ = ["order", "usual"]
SLOW = {"wait": 5.0, "fetch": 3.0}


def test_errors_and_pace_with_the_seconds_of_each_phase(
    airflow: Airflow,
    order: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from nba_airflow.cli.status import status

    monkeypatch.setenv("NBA_BREAKER", '{"*": {"max_slower": 1000}}')
    begun = datetime.now(UTC)
    fail(airflow, D[0])

    def pass_slowly(n: int) -> None:
        pass_(airflow, D[n], seconds=SLOW, ended_at=begun + timedelta(seconds=9 * n))

    for n in range(1, 10):
        pass_slowly(n)
    with pytest.raises(SystemExit):
        status(Namespace(output="plain", json=False, watch=False))
    said = capsys.readouterr().out
    assert "1 of 10 dates failed" in said
    assert "dates a minute, planned: a date in 0.5 s; seconds a date: wait 4.5, fetch 2.7" in said
    for n in range(10, 20):
        pass_slowly(n)
    airflow.summarise()
    (mail,) = airflow.mails()
    body = " ".join(text_of(mail).split())
    assert "To be watched 7.9 dates a minute, planned: a date in 0.5 s; seconds a date:" in body
