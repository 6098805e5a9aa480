"""Two sources' box scores of one date: who both have, what differs, and who is in one alone."""

from __future__ import annotations

import csv
import gzip
from datetime import date
from pathlib import Path
from typing import Any

from include.checks.reconcile import Difference, Reconciled, reconcile
from include.parsing import balldontlie
from include.parsing.names import player_key

DAY = date(2024, 1, 15)


def logged(path: Path) -> list[dict[str, Any]]:
    """NBA.com's rows of the date, from the recorded log of eleven days."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["GAME_DATE"][:10] == str(DAY)]
    rows = []
    for line in lines:
        one, how, other = line["MATCHUP"].split()
        away, home = (one, other) if how == "@" else (other, one)
        numbers = {name.lower(): int(line[name]) for name in ("PTS", "REB", "AST", "MIN")}
        key = player_key(line["PLAYER_NAME"])
        rows.append({"away_tricode": away, "home_tricode": home, "player_key": key, **numbers})
    return rows


def test_recorded_date_reconciles_but_for_one_number_of_a_few_players(recorded: Path) -> None:
    body = (recorded / "balldontlie/box_scores_2024-01-15.json").read_bytes()
    theirs = logged(recorded / "nba_com/leaguegamelog_players_2024-01-10_2024-01-20.csv.gz")
    found = reconcile(balldontlie.rows(body, DAY), theirs)
    said = [
        (each.game, each.player_key, each.field, each.balldontlie, each.nbacom)
        for each in found.differences
    ]
    assert (found.players, said) == (
        229,
        [
            ("IND@UTA", "ben sheppard", "assists", 3, 2),
            ("IND@UTA", "buddy hield", "assists", 0, 1),
            ("MIA@BKN", "nic claxton", "rebounds", 14, 13),
            ("OKC@LAL", "dangelo russell", "assists", 7, 6),
            ("SAS@ATL", "clint capela", "rebounds", 11, 12),
            ("SAS@ATL", "victor wembanyama", "assists", 1, 2),
        ],
    )


def test_player_of_one_source_alone_is_listed_and_one_who_did_not_play_is_not() -> None:
    game = {"away_tricode": "GSW", "home_tricode": "UTA", "pts": 1, "reb": 2, "ast": 3}
    ours = [
        {**game, "player_key": "a", "minutes": 10},
        {**game, "player_key": "b", "minutes": 5},
        {**game, "player_key": "c", "minutes": 0},
    ]
    theirs = [{**game, "player_key": "a", "min": 13}, {**game, "player_key": "d", "min": 5}]
    at = {"game": "GSW@UTA", "field": "player"}
    assert reconcile(ours, theirs) == Reconciled(
        players=1,
        differences=(
            Difference(player_key="b", balldontlie=1, nbacom=0, **at),
            Difference(player_key="d", balldontlie=0, nbacom=1, **at),
            Difference(game="GSW@UTA", player_key="a", field="minutes", balldontlie=10, nbacom=13),
        ),
    )


def test_initial_and_turned_names_are_those_of_the_one_player_whom_they_fit() -> None:
    at = {"away_tricode": "GSW", "home_tricode": "UTA", "pts": 1, "reb": 2, "ast": 3}
    here = ("g antetokounmpo", "thanasis antetokounmpo", "dejounte murray", "j isaac")
    there = ("giannis antetokounmpo", "t antetokounmpo", "murray dejounte", "k isaac")
    ours = [{**at, "minutes": 10, "player_key": name} for name in here]
    theirs = [{**at, "min": 10, "player_key": name} for name in there]
    found = reconcile(ours, theirs)
    alone = [(each.player_key, each.balldontlie, each.nbacom) for each in found.differences]
    assert (found.players, alone) == (3, [("j isaac", 1, 0), ("k isaac", 0, 1)])


def test_player_is_not_taken_for_another_whom_his_own_source_lists_as_well() -> None:
    at = {"away_tricode": "GSW", "home_tricode": "UTA", "pts": 1, "reb": 2, "ast": 3}
    ours = [{**at, "minutes": 10, "player_key": name} for name in ("j isaac", "jonathan isaac")]
    theirs = [{**at, "min": 10, "player_key": "jonathan isaac"}]
    (only,) = reconcile(ours, theirs).differences
    assert (only.player_key, only.balldontlie) == ("j isaac", 1)
