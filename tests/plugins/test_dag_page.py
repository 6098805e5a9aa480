"""What a DAG shows in Airflow's UI: the fields of its connections, links, and to which roles; and
the links of its tasks."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from nba_airflow.dag_page import list_connections, read_access

if TYPE_CHECKING:
    from include.sources.spec import Source

DAG = "odds_api_props"


def test_page_of_a_source_names_fields_and_limits_of_its_connection_and_links(
    sources: dict[str, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/team/")
    at = "https://airflow.example/team/nba".removeprefix("https://airflow.example")
    *_, host, blank, links = list_connections(sources[DAG])
    assert host == (
        "| `the_odds_api` | password, sent as `apiKey` | 30 requests / 1 s; 500 credits a month,"
        " 100 kept for live runs | `windows`, `proxies`, `credits` |"
    )
    assert blank == ""
    assert f"[Game dates]({at}/?dag_id={DAG})" in links
    assert f"[Last record]({at}/record?dag_id={DAG})" in links
    keys = {
        each.split(" | ")[1]
        for dag_id in sources
        for each in list_connections(sources[dag_id])
        if each.startswith("| `")
    }
    assert keys == {
        "none",
        "password, sent as `apiKey`",
        "password, sent as header `Authorization`",
        "`keyfile_dict` in its extra",
    }


def test_roles_get_what_the_setting_grants(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_access(DAG) is None
    stated = {
        "*": {"Viewer": ["can_read"]},
        DAG: {"Odds": ["can_read", "can_edit"], "Runs": {"DAG Runs": ["can_create"]}},
        "open_to_all": None,
    }
    monkeypatch.setenv("NBA_ACCESS_CONTROL", json.dumps(stated))
    assert read_access("bdl_box_scores") == {"Viewer": {"DAGs": ["can_read"]}}
    assert read_access(DAG) == {
        "Odds": {"DAGs": ["can_read", "can_edit"]},
        "Runs": {"DAG Runs": ["can_create"]},
    }
    assert read_access("open_to_all") is None


@pytest.mark.parametrize(
    "stated", ["{", "[]", '{"*": ["Viewer"]}', '{"*": {"Viewer": "can_read"}}', '{"*": {"V": [1]}}']
)
def test_setting_of_another_form_is_one_line(monkeypatch: pytest.MonkeyPatch, stated: str) -> None:
    monkeypatch.setenv("NBA_ACCESS_CONTROL", stated)
    with pytest.raises(ValueError, match=r"^NBA_ACCESS_CONTROL is not what it should be: write"):
        read_access(DAG)


@pytest.mark.filterwarnings("ignore:The airflow.security.permissions module is deprecated")
def test_dag_has_the_access_of_the_setting(
    sources: dict[str, Source], monkeypatch: pytest.MonkeyPatch
) -> None:
    from nba_airflow.factory import daily_dag

    monkeypatch.setenv("NBA_ACCESS_CONTROL", '{"*": {"Viewer": ["can_read"]}}')
    made = daily_dag(sources[DAG], "### Odds")
    assert made.access_control == {"Viewer": {"DAGs": ["can_read"]}}
    assert made.description == "Odds"


def test_links_of_a_task_lead_to_its_date_and_season(our_dags: None) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstancekey import TaskInstanceKey
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.session import create_session
    from airflow.utils.types import DagRunTriggeredByType, DagRunType

    from tests.plugins.scheduling import DAGS

    bag = DagBag(DAGS)
    dag = DagSerialization.from_dict(DagSerialization.to_dict(bag.dags["bdl_box_scores"]))
    with create_session() as session:
        for run_id, key in (("of_a_date", "2025-01-15"), ("of_none", None)):
            session.add(
                DagRun(
                    dag_id=dag.dag_id,
                    run_id=run_id,
                    run_type=DagRunType.MANUAL,
                    run_after=datetime(2025, 1, 16, tzinfo=UTC),
                    partition_key=key,
                    triggered_by=DagRunTriggeredByType.TEST,
                )
            )
    task = dag.get_task("box_scores")
    assert task.extra_links == ["Game dates", "Raw bodies"]

    def link(name: str, run_id: str) -> str:
        made = task.operator_extra_link_dict[name]
        return made.get_link(task, ti_key=TaskInstanceKey(dag.dag_id, "box_scores", run_id, 1))

    at = "/nba/dates/bdl_box_scores/2025-01-15#bodies"
    assert link("Raw bodies", "of_a_date") == at
    assert link("Raw bodies", "of_none") == ""
    assert link("Game dates", "of_a_date") == "/nba/?dag_id=bdl_box_scores&season=2024"
    assert link("Game dates", "of_none") == "/nba/?dag_id=bdl_box_scores"


def test_fab_gives_a_role_what_the_setting_grants_and_takes_back_what_it_does_not(
    our_dags: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what Airflow's DAG processor calls when it has read a DAG."""
    from airflow.providers.fab.auth_manager.models import Model
    from airflow.providers.fab.www.security_appless import ApplessAirflowSecurityManager
    from airflow.settings import engine
    from airflow.utils.session import create_session

    assert engine is not None
    Model.metadata.create_all(engine)
    grants = ({"DAG Runs": ["can_create"], "DAGs": ["can_read", "can_edit"]}, ["can_read"])
    found = []
    with create_session() as session:
        manager = ApplessAirflowSecurityManager(session=session)
        manager.add_role("Odds")
        for grant in grants:
            monkeypatch.setenv("NBA_ACCESS_CONTROL", json.dumps({DAG: {"Odds": grant}}))
            manager.sync_perm_for_dag(DAG, read_access(DAG))
            role = manager.find_role("Odds")
            found.append(sorted((p.action.name, p.resource.name) for p in role.permissions))
    assert found == [
        [("can_create", f"DAG Run:{DAG}"), ("can_edit", f"DAG:{DAG}"), ("can_read", f"DAG:{DAG}")],
        [("can_read", f"DAG:{DAG}")],
    ]
