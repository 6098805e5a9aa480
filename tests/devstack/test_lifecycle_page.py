"""docs/lifecycle.md: its rule is a rule of Google's that no live object meets, and its listing
finds what nobody names."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from google.cloud.storage import Client
from google.cloud.storage.bucket import LifecycleRuleConditions

from include.outcome import Outcome
from include.partition import Partition
from include.storage import refetch, shared
from include.storage.gcs import GcsStore
from include.storage.raw import Manifest, RawObject, put_body, write_manifest
from tests.devstack.test_readme import ROOT

PAGE = (ROOT / "docs" / "lifecycle.md").read_text()
AT = Partition(dag_id="bdl_box_scores", endpoint="box_scores", day=date(2025, 1, 15))


def test_the_rule_deletes_nothing_that_is_live() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    (rule,) = json.loads(block)["rule"]
    assert rule["action"] == {"type": "Delete"}
    assert rule["condition"]["isLive"] is False
    assert f"stays for {rule['condition']['daysSinceNoncurrentTime']} days" in PAGE
    known = inspect.signature(LifecycleRuleConditions).parameters
    assert {re.sub("[A-Z]", _lower, key) for key in rule["condition"]} <= known.keys()


def test_the_listing_names_the_bodies_that_nothing_else_names(
    bucket: str,
    gcs_url: str,
    gcs_client: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    store = GcsStore(gcs_client(gcs_url), bucket, "nba")

    def put(body: str) -> RawObject:
        return put_body(
            store,
            AT,
            item="all",
            role="data",
            body=body.encode(),
            url="",
            status=200,
            suffix="json",
        )

    old, counted, fresh, of_a_season = map(put, ("1", "2", "3", "4"))
    write_manifest(store, AT, _manifest(counted))
    order = refetch.Progress(ordered_at=datetime(2025, 2, 1, tzinfo=UTC), objects=(fresh,))
    refetch.note(store, AT, order)
    shared.remember(store, AT.dag_id, AT.endpoint, "2024-25", [of_a_season])

    (listing,) = re.findall(r"<<'END'\n(.*?)\nEND\n", PAGE, re.DOTALL)
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gcs_url)
    monkeypatch.setattr(sys, "argv", ["-", f"gs://{bucket}/nba"])
    exec(listing, {})
    assert capsys.readouterr().out == f"gs://{bucket}/nba/{old.path}\n"


def _manifest(found: RawObject) -> Manifest:
    return Manifest(
        dag_id=AT.dag_id,
        endpoint=AT.endpoint,
        day=str(AT.day),
        outcome=Outcome.COMPLETE,
        message="",
        expected_from="schedule",
        games_expected=1,
        games_found=1,
        missing=(),
        requests=1,
        credits=0,
        objects=(found,),
        finished_at="2025-01-16T00:00:00+00:00",
    )


def _lower(found: re.Match[str]) -> str:
    return f"_{found[0].lower()}"
