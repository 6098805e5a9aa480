"""The season that is measured has bets, and they can be settled."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from devstack.bench import results
from include.analytics.actual import choose
from include.analytics.prop_results import PLAYER_PROP_RESULTS, builder, inputs
from include.warehouse.local import LocalWarehouse

DAY = date(2025, 1, 15)


def test_every_bet_of_a_date_that_is_filled_can_be_settled(tmp_path: Path) -> None:
    warehouse = LocalWarehouse(tmp_path)
    results._fill(warehouse, DAY, 1)
    source = choose(None)
    tables = {str(each.table): each.table for each in inputs(source)}
    rows = {name: warehouse.rows(table, DAY) or [] for name, table in tables.items()}
    found = builder(source)(DAY, rows)
    assert (found.said, found.games) == ("", len(results.LEAGUE.games_on(DAY)))
    assert len(found.rows[str(PLAYER_PROP_RESULTS)]) > 50 * found.games
