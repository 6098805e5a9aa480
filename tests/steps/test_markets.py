"""Markets that an operator chooses: what they cost, what a date has of them, and what a rerun buys
when the choice has changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from devstack.sandbox.server import Sandbox, running
from include.guards.needs import list_needs
from include.partition import Partition
from include.sources.odds_api import MAIN, PLAYER_MARKETS
from include.sources.spec import Source
from include.steps.reprocess import Became, reprocess
from tests.steps.chosen import DAY, GAMES, NO_GAMES, Chosen
from tests.steps.specs import specs_of_dags

MORE = {"markets": ["main", "player_blocks"]}
BLOCKS = "player_blocks"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    with specs_of_dags(tmp_path_factory.mktemp("airflow")) as found:
        yield found["odds_api_props"]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    settings = {"limits": {"the_odds_api": []}, "monthly_credits": 1_000_000}
    with running(
        tmp_path_factory.mktemp("markets"), now="2026-03-15T20:00:00Z", **settings
    ) as server:
        yield server


@pytest.fixture
def props(sandbox: Sandbox, source: Source, ops_db: str, tmp_path: Path) -> Chosen:
    """Nothing is bought yet; the schedule knows two dates."""
    sandbox.no_faults()
    found = Chosen(source=source, sandbox=sandbox, ops_db=ops_db, folder=tmp_path)
    found.schedule()
    found.schedule(NO_GAMES)
    found.asked()
    return found


def each(*markets: str, games: int = GAMES) -> Counter[str]:
    return Counter(dict.fromkeys(markets, games))


NOTHING = (Counter(), 0)


def test_main_markets_cost_ten_each_and_game_and_a_rerun_buys_nothing(props: Chosen) -> None:
    row = props.run({"markets": "main"})
    credits = 1 + 10 * len(MAIN) * GAMES
    assert (row.outcome, row.message) == ("complete", f"{GAMES} of {GAMES} games")
    assert (row.credits, row.requests) == (credits, 1 + len(MAIN) * GAMES)
    assert props.asked() == (each(*MAIN) + Counter(list=1), credits)
    assert props.markets() == dict(each(*sorted(MAIN)))
    wanted = props.wanted({"markets": "main"})
    alone = replace(wanted, endpoints=(wanted.endpoint("player_props"),))
    planned = list_needs(alone, {DAY: GAMES})
    assert (planned.credits, planned.requests) == (row.credits, row.requests)

    again = props.run({"markets": "main"})
    assert (again.outcome, again.credits, again.rows) == ("complete", 0, row.rows)
    assert props.asked() == NOTHING


def test_market_that_is_added_is_bought_alone_and_one_that_is_removed_stays(
    props: Chosen,
) -> None:
    before = props.run({"markets": "main"})
    props.asked()

    row = props.run(MORE)
    assert (row.outcome, row.credits, row.changes_total) == ("complete", 10 * GAMES, 0)
    assert props.asked() == (each(BLOCKS), 10 * GAMES)
    assert props.markets() == dict(each(*sorted([*MAIN, BLOCKS])))
    assert row.rows is not None
    assert before.rows is not None
    assert row.rows > before.rows

    rows = props.rows()
    assert props.run({"markets": "main"}).rows == row.rows
    assert (props.rows(), props.asked()) == (rows, NOTHING)

    # Another one in its place: what was bought of the removed one is still among the rows.
    assert props.run({"markets": ["main", "player_steals"]}).outcome == "complete"
    assert props.asked() == (each("player_steals"), 10 * GAMES)
    assert props.markets() == dict(each(*sorted([*MAIN, BLOCKS, "player_steals"])))
    assert props.run(MORE).outcome == "complete"
    assert props.asked() == NOTHING


def test_date_that_lacks_a_wanted_market_is_a_gap_unless_it_has_no_games(props: Chosen) -> None:
    for day in (DAY, NO_GAMES):
        props.run({"markets": "main"}, day=day)
    assert props.gaps({"markets": "main"}, DAY, NO_GAMES) == []
    lacks = f"has no {BLOCKS}, player_steals: run the date again"
    wanted = {"markets": ["player_steals", "main", BLOCKS]}
    assert props.gaps(wanted, DAY, NO_GAMES) == [(str(DAY), lacks)]
    props.asked()
    assert props.run(wanted, day=NO_GAMES).outcome == "no_games"
    assert props.asked() == NOTHING
    props.run(wanted)
    assert props.gaps(wanted, DAY, NO_GAMES) == []


def test_every_market_of_the_preset_all_is_answered(props: Chosen) -> None:
    row = props.run({"markets": "all"})
    nobody = {"player_first_basket", "player_first_team_basket"}
    assert row.outcome == "complete"
    assert props.markets() == dict(each(*sorted({*PLAYER_MARKETS} - nobody)))
    paid = 1 + 10 * GAMES * (len(PLAYER_MARKETS) - len(nobody))
    assert (row.credits, props.asked()[1]) == (paid, paid)
    assert props.run({"markets": "all"}).outcome == "complete"
    assert props.asked() == NOTHING


def test_market_that_nobody_offers_of_any_game_leaves_the_date_without_data(
    props: Chosen,
) -> None:
    row = props.run({"markets": "player_first_basket"})
    assert (row.outcome, row.error_class) == ("partial", "empty_unexpected")
    assert row.message.endswith("(player_first_basket: no rows)")


def test_game_without_one_of_the_main_markets_is_not_sound_and_asked_for_again_alone(
    props: Chosen,
) -> None:
    order = {"kind": "missing_game", "endpoint": "event_odds", "after": 1, "times": 1}
    props.sandbox.faults([order])
    row = props.run({"markets": "main"})
    assert (row.outcome, row.games_found) == ("partial", GAMES - 1)
    assert row.message.endswith("(player_rebounds: no bookmaker offers a line)")
    assert sum(props.markets().values()) == len(MAIN) * (GAMES - 1)
    props.asked()
    assert props.run({"markets": "main"}).outcome == "complete"
    assert props.asked() == (Counter(player_rebounds=1), 10)


def test_game_of_which_no_market_can_be_read_does_not_end_the_date(props: Chosen) -> None:
    order = {"kind": "schema_drift", "endpoint": "event_odds", "times": len(MAIN)}
    props.sandbox.faults([order])
    row = props.run({"markets": "main"})
    assert (row.outcome, row.error_class) == ("partial", "schema_drift")
    assert row.games_found == GAMES - 1
    assert props.markets() == dict(each(*sorted(MAIN), games=GAMES - 1))


def test_event_that_is_absent_is_asked_for_once_and_not_for_each_market(props: Chosen) -> None:
    props.sandbox.faults([{"kind": "absent", "endpoint": "event_odds", "times": 1}])
    row = props.run({"markets": "main"})
    assert (row.outcome, row.games_found) == ("partial", GAMES - 1)
    assert row.message.count("EVENT_NOT_FOUND") == 1
    assert sum(props.asked()[0].values()) == 1 + 1 + len(MAIN) * (GAMES - 1)
    assert props.run({"markets": "main"}).outcome == "complete"


def test_refetch_buys_what_is_wanted_now_and_keeps_what_is_not(props: Chosen) -> None:
    props.run(MORE)
    rows = props.rows()
    props.asked()
    order = datetime(2026, 3, 15, 21, tzinfo=UTC)
    assert props.run({"markets": "main"}, refetch=order).outcome == "complete"
    assert props.asked()[0] == each(*MAIN) + Counter(list=1)
    assert props.rows() == rows
    props.run({"markets": "main"}, refetch=order)
    assert props.asked() == NOTHING


def test_price_that_has_changed_is_told_and_a_market_that_is_new_is_not(props: Chosen) -> None:
    props.run({"markets": "main"})
    corrected = {"kind": "corrected", "endpoint": "event_odds", "times": 1}
    props.sandbox.faults([corrected])
    row = props.run(MORE, refetch=datetime(2026, 3, 15, 21, tzinfo=UTC))
    assert (row.outcome, row.changes_total) == ("complete", 1)
    assert re.search(r", \"?player_points\"?, .*: price \S+ -> \S+$", row.changes[0])


def test_regions_and_bookmakers_are_asked_for_as_chosen_and_paid_so(props: Chosen) -> None:
    props.run({"regions": ["us", "us2"]})
    assert props.asked()[1] == 1 + 20 * GAMES
    assert {"espnbet", "draftkings"} <= {row["bookmaker"] for row in props.rows()}
    second = replace(props, folder=props.folder / "second")
    second.schedule()
    second.asked()
    second.run({"bookmakers": "fanduel,draftkings"})
    assert second.asked()[1] == 1 + 10 * GAMES
    assert {row["bookmaker"] for row in second.rows()} == {"fanduel", "draftkings"}


def test_rows_are_made_again_of_raw_whatever_is_wanted_now(props: Chosen) -> None:
    props.run({"markets": "main"})
    rows = props.rows()
    at = Partition(dag_id=props.source.dag_id, endpoint="player_props", day=DAY)
    for extra in ({}, {"markets": "all"}):
        endpoint = props.wanted(extra).endpoint("player_props")
        assert reprocess(endpoint, at, props.stores).became is Became.SAME
        props.stores.warehouse.replace(endpoint.table, DAY, [])
        assert reprocess(endpoint, at, props.stores).became is Became.REPLACED
        assert props.rows() == rows


# --- game lines


def snapshots(props: Chosen) -> dict[str, set[int]]:
    """Game -> how many minutes before its tip-off its lines are from."""
    found: dict[str, set[int]] = {}
    for row in props.rows("game_lines"):
        found.setdefault(row["game_id"], set()).add(row["minutes_before_tip"])
    return found


def test_game_lines_of_each_game_are_from_before_its_own_tip_off_once_they_are_wanted(
    props: Chosen,
) -> None:
    assert props.run({}, "game_lines").outcome == "complete"
    assert props.asked() == (Counter({"list": 1, "h2h,spreads,totals": 1}), 31)
    assert max(max(minutes) for minutes in snapshots(props).values()) > 30

    row = props.run({"game_lines": "each_game"}, "game_lines")
    assert (row.outcome, row.credits, row.changes_total) == ("complete", 30 * GAMES, 0)
    assert props.asked() == (each("h2h", "spreads", "totals"), 30 * GAMES)
    found = snapshots(props)
    assert (len(found), {len(minutes) for minutes in found.values()}) == (GAMES, {1})
    assert all(5 <= minutes <= 10 for (minutes,) in found.values())
    assert props.markets("game_lines") == {"h2h": GAMES, "spreads": GAMES, "totals": GAMES}

    rows = props.rows("game_lines")
    assert props.run({}, "game_lines").outcome == "complete"
    assert (props.rows("game_lines"), props.asked()) == (rows, NOTHING)


def test_lines_of_the_whole_date_are_made_again_where_each_game_is_wanted_now(
    props: Chosen,
) -> None:
    assert props.run({}, "game_lines").outcome == "complete"
    rows = props.rows("game_lines")
    endpoint = props.wanted({"game_lines": "each_game"}).endpoint("game_lines")
    at = Partition(dag_id=props.source.dag_id, endpoint="game_lines", day=DAY)
    assert reprocess(endpoint, at, props.stores).became is Became.SAME
    assert props.rows("game_lines") == rows


def test_market_that_was_not_asked_for_is_not_taken_for_the_one_that_was(props: Chosen) -> None:
    """An upstream that answers with another market than it was asked for."""
    wanted = props.wanted({"markets": "player_assists"})
    endpoint = wanted.endpoint("player_props")
    other = replace(
        endpoint.request, params={**endpoint.request.params, "markets": "player_points"}
    )
    bent = replace(wanted, endpoints=(replace(endpoint, request=other), wanted.endpoints[1]))
    row = replace(props, source=replace(bent, choose=lambda extra: bent.endpoints)).run({})
    assert (row.outcome, row.games_found, props.rows()) == ("partial", 0, [])
    assert "(player_assists: its body has no rows of player_assists)" in row.message
