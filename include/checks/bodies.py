"""What a body says of a date's games, held against what was asked for, against the schedule and
against its own rows: read so wherever a body is judged or loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from include.errors import Problem
from include.parsing.each_game import brief
from include.sources.spec import Endpoint, Game, GameState, Row
from include.warehouse.local import check_rows

Scheduled = Iterable[Game] | None
"""The schedule's games of the date; None where it does not have the date."""

_NO_SIDES = (
    "no row names the home team (a neutral site?): load nbacom_schedule first, which knows who is"
    " at home"
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a body was asked for: an item of an endpoint's date, and what is known of that date."""

    endpoint: Endpoint
    item: str
    day: date
    scheduled: Scheduled

    def games(self, body: bytes) -> list[Game]:
        """The body's games, each with its state and, if it is not sound, its ``problem``.

        Sides that the body does not tell are the schedule's. A game is sound only if its rows could
        be loaded, which is found out here and not at the load; if its points are the schedule's;
        and if it is the one that was asked for: another is LIVE, so that it counts for nothing.
        Raises Problem(SCHEMA_DRIFT) for a body of another form.
        """
        rows = self._rows_by_game(body)
        games = map(self._placed, self.endpoint.games(body, self.day))
        return [self._judge(game, rows.get(game.game_id, ())) for game in games]

    def rows(self, body: bytes) -> Iterator[Row]:
        """The body's rows, with the sides that ``games`` gives; none of a game of another item."""
        games: dict[str, Game] = {}
        if self.endpoint.item_of:
            games = {game.game_id: game for game in self.endpoint.games(body, self.day)}
        for row in self.endpoint.rows(body, self.day):
            game = games.get(row["game_id"])
            if game is None:
                yield row
            elif self._belongs(game):
                placed = self._placed(game)
                yield {**row, "away_tricode": placed.away, "home_tricode": placed.home}

    def _rows_by_game(self, body: bytes) -> Mapping[str, Sequence[Row]]:
        """Game id -> its rows. Not of a season's schedule, whose games are made of its rows: five
        megabytes, read once."""
        found: dict[str, list[Row]] = {}
        if not self.endpoint.is_schedule:
            for row in self.endpoint.rows(body, self.day):
                found.setdefault(row["game_id"], []).append(row)
        return found

    def _placed(self, game: Game) -> Game:
        """The game with the schedule's sides, where its own body tells none."""
        if game.sided:
            return game
        for listed in self.scheduled or ():
            teams = {listed.away, listed.home}
            if listed.game_id == game.game_id and teams == {game.away, game.home}:
                return replace(game, away=listed.away, home=listed.home, sided=True)
        return game

    def _belongs(self, game: Game) -> bool:
        return self.endpoint.item_of is None or self.endpoint.item_of(game) == self.item

    def _judge(self, game: Game, rows: Sequence[Row]) -> Game:
        """The game with all that is wrong with it."""
        if not self._belongs(game):
            return self._taken_for(game)
        complaints = [
            game.problem,
            "" if game.sided else _NO_SIDES,
            self._find_unloadable(rows),
            self._find_wrong_points(game),
        ]
        return replace(game, problem="; ".join(filter(None, complaints)))

    def _taken_for(self, game: Game) -> Game:
        """The game that was asked for, whose body is another's: as far as the schedule knows it."""
        item_of = self.endpoint.item_of
        asked = [g for g in self.scheduled or () if item_of and item_of(g) == self.item]
        if len(asked) == 1:
            said = f"its body is of {game}, {game.game_id}, not of {asked[0].game_id}"
            return replace(asked[0], state=GameState.LIVE, problem=said)
        said = f"{game.game_id} came in the body of {self.item}"
        return replace(game, state=GameState.LIVE, problem=said)

    def _find_unloadable(self, rows: Sequence[Row]) -> str:
        try:
            check_rows(self.endpoint.table, rows)
        except Problem as problem:
            return brief(problem)
        return ""

    def _find_wrong_points(self, game: Game) -> str:
        """Which team's players have other points than the schedule's final score."""
        final = next((each.score for each in self.scheduled or () if each == game), None)
        if final is None or game.score is None or game.state is not GameState.FINAL:
            return ""
        sums = zip((game.away, game.home), game.score, final, strict=True)
        wrong = ((team, points, due) for team, points, due in sums if points != due)
        said = (
            f"{team}'s players have {points} points, the schedule {due}"
            for team, points, due in wrong
        )
        return "; ".join(said)
