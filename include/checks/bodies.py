"""What a body says of a date's games, held against what was asked for, against the schedule and
against its own rows: read so wherever a body is judged or loaded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from include.checks.completeness import DATA
from include.checks.values import find_impossible
from include.errors import Problem
from include.parsing.each_game import brief
from include.parsing.nbacom.seasons import GAME_ID
from include.sources.spec import Endpoint, Game, GameState, Row
from include.warehouse.rows import check_rows

Scheduled = Iterable[Game] | None
"""The schedule's games of the date; None where it does not have the date."""

# By whether the body tells them.
_SIDES = {
    True: "",
    False: (
        "no row names the home team (a neutral site?): load nbacom_schedule first, which knows who"
        " is at home"
    ),
}


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
        be loaded, which is found out here and not at the load (one whose rows could not has none);
        if they have no impossible value; if its points, and its id where that is NBA.com's, are the
        schedule's; if the body has it under one id; and if it is the one that was asked for:
        another is LIVE, so that it counts for nothing.
        Raises Problem(SCHEMA_DRIFT) for a body of another form.
        """
        rows = self._rows_by_game(body)
        games = map(self._placed, self.endpoint.games(body, self.day))
        return _tell_twice([self._judge(game, rows.get(game.game_id, ())) for game in games])

    def rows(self, body: bytes) -> Iterator[Row]:
        """The body's rows, with the sides that ``games`` gives; none of a game of another item."""
        rows = self._rows(body)
        if self.endpoint.item_of is None:
            yield from rows
            return
        ours = filter(self._belongs, self.endpoint.games(body, self.day))
        games = {game.game_id: self._placed(game) for game in ours}
        for row in filter(lambda row: row["game_id"] in games, rows):
            game = games[row["game_id"]]
            yield {**row, "away_tricode": game.away, "home_tricode": game.home}

    @cached_property
    def _listed(self) -> Mapping[str, Game]:
        """The schedule's games by id."""
        return {game.game_id: game for game in self.scheduled or ()}

    def _rows_by_game(self, body: bytes) -> Mapping[str, Sequence[Row]]:
        """Game id -> its rows. Not of a season's schedule, whose games are made of its rows: five
        megabytes, read once."""
        found: dict[str, list[Row]] = {}
        if not self.endpoint.is_schedule:
            for row in self._rows(body):
                found.setdefault(row["game_id"], []).append(row)
        return found

    def _rows(self, body: bytes) -> Iterator[Row]:
        """The body's rows, of the part that was asked for."""
        _, part = self.endpoint.split(self.item)
        for row in self.endpoint.rows(body, self.day):
            if not part or row[self.endpoint.part_column] == part:
                yield row

    def _placed(self, game: Game) -> Game:
        """The game with the schedule's sides, where its own body tells none; its score turns with
        them."""
        listed = self._listed.get(game.game_id, game)
        if game.sided or listed is game or listed.teams != game.teams:
            return game
        score = game.score
        if score and listed.away != game.away:
            score = score[1], score[0]
        return replace(game, away=listed.away, home=listed.home, score=score, sided=True)

    def _belongs(self, game: Game) -> bool:
        name, _ = self.endpoint.split(self.item)
        return self.endpoint.item_of is None or self.endpoint.item_of(game) == name

    def _judge(self, game: Game, rows: Sequence[Row]) -> Game:
        """The game with all that is wrong with it."""
        if not self._belongs(game):
            return self._taken_for(game)
        if self.endpoint.parts:
            game = self._of_part(game, rows)
        unloadable = self._find_unloadable(rows)
        complaints = [
            game.problem,
            _SIDES[game.sided],
            unloadable or find_impossible(rows),
            self._find_wrong_points(game),
            self._find_wrong_id(game),
        ]
        problem = "; ".join(filter(None, complaints))
        return replace(game, rows=0 if unloadable else game.rows, problem=problem)

    def _of_part(self, game: Game, rows: Sequence[Row]) -> Game:
        """The game by the rows of its part: it may have none of an optional one."""
        _, part = self.endpoint.split(self.item)
        if rows:
            return replace(game, rows=len(rows))
        missing = game.problem or f"its body has no rows of {part}"
        problem = {True: "", False: missing}[part in self.endpoint.optional_parts]
        return replace(game, rows=0, problem=problem)

    def _taken_for(self, game: Game) -> Game:
        """The game that was asked for, whose body is another's: as far as the schedule knows it."""
        asked = list(filter(self._belongs, self._listed.values()))
        if len(asked) == 1:
            said = f"its body is of {game}, {game.game_id}, not of {asked[0].game_id}"
            return replace(asked[0], state=GameState.LIVE, problem=said)
        said = f"{game.game_id} came in the body of {self.endpoint.split(self.item)[0]}"
        return replace(game, state=GameState.LIVE, rows=0, problem=said)

    def _find_unloadable(self, rows: Sequence[Row]) -> str:
        try:
            check_rows(self.endpoint.table, rows)
        except Problem as problem:
            return brief(problem)
        return ""

    def _find_wrong_points(self, game: Game) -> str:
        """Which team's players have other points than the schedule's final score."""
        final = {listed: listed.score for listed in self._listed.values()}.get(game)
        if game.state is not GameState.FINAL or game.score is None or final is None:
            return ""
        sums = map(_differ, (game.away, game.home), game.score, final)
        return "; ".join(filter(None, sums))

    def _find_wrong_id(self, game: Game) -> str:
        """Which id the schedule has instead, where the source's ids are NBA.com's as well."""
        due = {listed: listed.game_id for listed in self._listed.values()}.get(game, game.game_id)
        if due == game.game_id or not GAME_ID.fullmatch(game.game_id):
            return ""
        return f"its id is {game.game_id}, the schedule's {due}"


def _tell_twice(games: Sequence[Game]) -> list[Game]:
    """The games, with a problem where one came under several ids: its rows would count twice."""
    ids: dict[Game, set[str]] = {}
    for game in games:
        if game.state in DATA:
            ids.setdefault(game, set()).add(game.game_id)
    return [_with_ids(game, sorted(ids.get(game, ()))) for game in games]


def _with_ids(game: Game, ids: Sequence[str]) -> Game:
    if len(ids) < 2 or game.state not in DATA:
        return game
    twice = f"came more than once in one body: ids {', '.join(ids)}"
    return replace(game, problem="; ".join(filter(None, (game.problem, twice))))


def _differ(team: str, points: int, due: int) -> str:
    if points == due:
        return ""
    return f"{team}'s players have {points} points, the schedule {due}"
