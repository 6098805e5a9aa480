"""A plan in words: what an operator reads before a start, and why one is refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta

from include import wording as say
from include.guards.needs import GAMES_PER_DATE
from include.guards.plan import Bought, Plan, count_left
from include.guards.prices import CREDIT_PLANS, PRICES, months, smallest_plan
from include.guards.quiet_hours import assume_games
from include.limits.allowance import DAYS_A_MONTH, LARGER_PLAN
from include.limits.state import LimiterState

ANY_TIME, WATCHED = timedelta(hours=1), timedelta(hours=4)
"""Up to which work is started at any time, and up to which somebody watches it."""


def word_plan(plan: Plan, *, later: bool = False) -> Iterator[str]:
    """One fact a line; nothing of a plan that asks for nothing but that. ``later``: nobody starts
    it now, so that nothing is said of when it would end."""
    if plan.complete:
        complete = say.counted(len(plan.complete), "date")
        yield f"  complete already: {complete}, nothing is asked for them"
    if not plan.requests:
        yield "  no request is needed"
        return
    without, unknown = (_among(plan.worked, each) for each in (plan.without_games, plan.unknown))
    played = say.counted(len(plan.worked) - len(without), "date")
    empty = f"; without games: {say.dates(without)}" if without else ""
    yield f"  {say.counted(plan.games, 'game')} on {played}{empty}"
    if unknown:
        yield (
            f"  not in the schedule yet: {say.dates(unknown)}; their tasks get it first, with one"
            f" request a season; {GAMES_PER_DATE} games each are assumed{_except_summer(unknown)}"
            " (backfill nbacom_schedule before, for their true number)"
        )
    yield (
        f"  {say.counted(plan.requests, 'request')}, about {say.number(plan.rows)} rows and"
        f" {say.size(plan.bytes)}, {_cost(plan)}"
    )
    if plan.bought:
        yield f"  up to {_word_credits(plan.bought)}"
    if plan.limits:
        yield f"  requests that are free now: {', '.join(map(_word_limit, plan.limits))}"
    work = f"  {_range(plan)} of work{_assumed(plan)}"
    yield from [work] if later else [f"{work}; {_word_end(plan)}", f"  {_word_start(plan)}"]


def _except_summer(unknown: Iterable[date]) -> str:
    return "" if all(map(assume_games, unknown)) else ", none from July to September"


def refuse(plan: Plan, *, spread: bool) -> str:
    """Why a plan cannot be started: a date is too dear, or credits are not there; empty where it
    can. ``spread``: they may be waited for."""
    bought, others = plan.bought, len(plan.too_dear[1:])
    if plan.too_dear:
        more = f" (and {say.counted(others, 'more date')})" if others else ""
        return f"{plan.too_dear[0]}{more}"
    if bought is None or bought.fits:
        return ""
    if bought.last_at is None:
        return f"{word_months(bought)}, so that it would never end: {LARGER_PLAN}"
    if spread:
        return ""
    return (
        f"{word_months(bought)}, and backfills can use {say.number(bought.now)} now: add --spread"
        f" to wait for the others, over {_word_wait(bought, bought.last_at)}; take fewer dates; or,"
        f" {LARGER_PLAN}"
    )


def word_months(bought: Bought) -> str:
    """``13,424 credits: 27 months at 500, one month of the 20K plan``."""
    credits, needed = bought.credits, bought.needed
    share = credits.monthly - credits.live_reserve
    kept = f" ({say.number(credits.monthly)} less {say.number(credits.live_reserve)} for live runs)"
    at = f"{say.number(share)}{kept if credits.live_reserve else ''}"
    number = months(needed, share)
    of_months = f"{say.counted(number, 'month')} at {at}" if number else f"never at {at}"
    larger = smallest_plan(needed)
    count = months(needed, larger.credits) or 1
    word = "one month" if count == 1 else say.counted(count, "month")
    best = f", {word} of the {larger.name} plan" if larger.credits > credits.monthly else ""
    return f"{say.counted(needed, 'credit')} of {bought.connection}: {of_months}{best}"


def word_class(minutes: float) -> str:
    """When work of so many minutes is started: the duration's class."""
    took = timedelta(minutes=minutes)
    if took < ANY_TIME:
        return "short, to be started at any time"
    if took <= WATCHED:
        return "medium, to be watched"
    return "long, for a night or a weekend"


def _word_credits(bought: Bought) -> str:
    """What is needed, what is there, and how long the rest takes to come."""
    there = f"{say.number(bought.now)} can be used now"
    if bought.fits:
        needed = say.counted(bought.needed, "credit")
        return f"{needed} of {bought.connection}; {there}"
    waits = f", all over {_word_wait(bought, bought.last_at)}" if bought.last_at else ""
    return f"{word_months(bought)}; {there}{waits}"


def _word_wait(bought: Bought, last_at: datetime) -> str:
    """``14 days, until 2026-03-15 00:00 UTC``, or so many months: those in which it spends."""
    begin, end = bought.planned_at.date(), last_at.date()
    months_ = (end.year - begin.year) * 12 + end.month - begin.month + 1
    days = (end - begin).days + 1
    over = say.counted(days, "day") if days <= DAYS_A_MONTH else say.counted(months_, "month")
    return f"{over}, until {say.moment(last_at)}"


def _word_limit(state: LimiterState) -> str:
    """``balldontlie 60``, or until when it waits."""
    until = state.cooldown_until or state.paused_until
    waits = f" (waits until {say.moment(until)})" if until else ""
    return f"{state.name} {say.number(count_left(state))}{waits}"


def _among(worked: Sequence[date], days: Sequence[date]) -> list[date]:
    """Those of the days at which there is work."""
    return sorted({*worked} & {*days})


def _cost(plan: Plan) -> str:
    """Once, and what lying there costs; of which month the prices are."""
    once, monthly = plan.money.once, plan.money.monthly
    if not once + monthly:
        return "which cost nothing"
    kept = f" and {say.money(monthly)} a month" if monthly else ""
    dated = max(price.of for price in (*PRICES, *CREDIT_PLANS) if price.of[0].isdigit())
    return f"{say.money(once)}{kept} by the prices of {dated}"


def _range(plan: Plan) -> str:
    ends = (say.duration(minutes * 60) for minutes in (plan.minutes_low, plan.minutes_high))
    return " to ".join(dict.fromkeys(ends))


def _assumed(plan: Plan) -> str:
    """Which endpoints nobody has measured."""
    if not plan.assumed:
        return " by what was measured"
    return f" ({say.listed(plan.assumed)}: nothing measured yet, by what the spec declares)"


def _word_end(plan: Plan) -> str:
    if plan.ends_at is None:
        return "it never ends"
    return f"it ends by {say.moment(plan.ends_at)}, credits and quiet hours counted in"


def _word_start(plan: Plan) -> str:
    """The class of its duration, and whether quiet hours interrupt it."""
    kind = word_class(plan.minutes_high)
    if plan.next_start is None:
        return f"{kind}; quiet hours interrupt it whenever it begins"
    if plan.next_start == plan.planned_at:
        return f"{kind}; no quiet hours meet it now"
    return f"{kind}; quiet hours meet it now, none if it begins at {say.moment(plan.next_start)}"
