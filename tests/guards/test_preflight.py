"""The rules of the preflight that are numbers, at their bounds."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.errors import ErrorClass, Problem
from include.guards.preflight import (
    CHECKS,
    MAX_SKEW,
    MAX_SKEW_WARNED,
    MIN_CONNECTIONS,
    MIN_FREE,
    Finding,
    arrange,
    count,
    judge_connections,
    judge_credits,
    judge_disk,
    judge_problem,
    judge_skew,
    read_findings,
)

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("left", "status"), [(0, "fail"), (99, "warn"), (100, "pass")])
def test_credits(left: int, status: str) -> None:
    assert judge_credits("odds", left=left, needed=100, more="buy").status == status


@pytest.mark.parametrize(
    ("skew", "status"),
    [
        (MAX_SKEW_WARNED, "pass"),
        (-MAX_SKEW_WARNED, "pass"),
        (MAX_SKEW_WARNED + SECOND, "warn"),
        (-MAX_SKEW, "warn"),
        (MAX_SKEW + SECOND, "fail"),
        (-MAX_SKEW - SECOND, "fail"),
    ],
)
def test_skew(skew: timedelta, status: str) -> None:
    assert judge_skew("odds", skew).status == status


@pytest.mark.parametrize(("short", "status"), [(0, "pass"), (1, "fail")])
def test_disk(short: int, status: str) -> None:
    assert judge_disk("/srv", free=MIN_FREE + 1000 - short, needed=1000).status == status


@pytest.mark.parametrize(
    ("most", "used", "status"),
    [
        (100, 100 - MIN_CONNECTIONS, "pass"),
        (100, 101 - MIN_CONNECTIONS, "fail"),
        (76, 10, "pass"),
        (75, 10, "warn"),
    ],
)
def test_connections(most: int, used: int, status: str) -> None:
    assert judge_connections("ours", most=most, used=used, needed=76).status == status


@pytest.mark.parametrize("error_class", ErrorClass)
def test_what_passes_by_itself_is_a_warning(error_class: ErrorClass) -> None:
    passing = error_class in ("rate_limited", "hang", "upstream_down")
    found = judge_problem(Problem(error_class=error_class, message="why", status=418))
    assert (found.what, found.status) == ("why [418]", "warn" if passing else "fail")


def test_findings_in_the_guides_order_and_back_from_their_facts() -> None:
    found = [Finding(status="pass", what=name, check=name) for name in reversed(CHECKS)]
    found.append(Finding(status="fail", what="other", repair="do it", check="scope"))
    assert [each.what for each in arrange(found)] == ["other", *CHECKS]
    assert read_findings([each.facts() for each in found]) == found
    assert str(found[-1]) == "fail scope: other: do it"
    assert count(found) == "9 passed, 0 warnings, 1 failure"
