"""Random deadlines for the oracle: a start, a budget, pauses, a region's days off, and tables that change in flight."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import NamedTuple

from activities.calendar_data import statutory_days
from tests.workflows.deadline_oracle import Oracle, Table, in_force, published
from workflows.deadlines import Deadline, PauseReason, pause, recount, resume, set_deadline
from workflows.law import Period
from workflows.proof import prove
from workflows.workdays import CalendarYear, DayOff, WorkingCalendar

REGION = "450100"
CHAINS = 120
FIRST_YEAR = 2015
ONE_DAY = timedelta(days=1)


class World(NamedTuple):
    """The tables of one moment and the region's own days off, as the code under test and as the oracle have them."""

    calendar: WorkingCalendar
    oracle: Oracle


class Chain(NamedTuple):
    """Moments that follow each other: each has an edition, a year or days of the region's more than the one before."""

    worlds: tuple[World, ...]
    editions: tuple[CalendarYear, ...]
    last_year: int


class Difference(Exception):  # noqa: N818 - what is looked for, not an error of the search
    """The code under test and the oracle do not agree."""


def chains(rng: random.Random) -> list[Chain]:
    return [_chain(rng) for _ in range(CHAINS)]


def check(rng: random.Random, among: list[Chain]) -> Iterator[str]:
    """Carry one random deadline through all that can happen to it; says what was compared. Raises `Difference`."""
    chain = rng.choice(among)
    begins = date(FIRST_YEAR, 1, 1) + timedelta(days=rng.randrange((chain.last_year - FIRST_YEAR + 1) * 365))
    budget = rng.choice((1, 2, 3, 5, 10, 10, 15, rng.randrange(1, 41)))
    worlds = iter(chain.worlds)
    world = counted_by = next(worlds)
    spans: list[tuple[date, date]] = []
    today = begins

    def agree(deadline: Deadline, what: str) -> str:
        said = world.oracle.deadline(begins, budget, pauses=spans)
        ours = (deadline.due_on, deadline.due_soon_on, deadline.provisional, deadline.escalate_on)
        if ours != (said.due_on, said.due_soon_on, said.provisional, said.escalate_on):
            raise Difference(f"{what}: {budget} days from {begins}, pauses {spans}: {deadline} against {said}")
        return what

    deadline = set_deadline(Period(working_days=budget, basis="43号"), begins, world.calendar)
    yield agree(deadline, "set")
    for _ in range(rng.choice((0, 1, 1, 2))):
        happens = rng.choice(("pause", "table", "table"))
        if happens == "pause":
            today += timedelta(days=rng.choice((0, 1, 2, 7, rng.randrange(40))))
            deadline = pause(deadline, today, PauseReason.CORRECTION)
            yield agree(deadline, "paused")
            since, today = today, today + timedelta(days=rng.choice((0, 1, 3, rng.randrange(30))))
            deadline, counted_by = resume(deadline, today, world.calendar), world
            spans.append((since, today))
            yield agree(deadline, "resumed")
        elif (following := next(worlds, None)) is not None:
            world = following
            before, deadline = deadline, recount(deadline, world.calendar)
            counted_by = counted_by if deadline is before else world
            yield agree(deadline, "unchanged by a table" if deadline is before else "revised by a table")
    proof = prove(deadline, chain.editions, statutory_days())
    said = counted_by.oracle.deadline(begins, budget, pauses=spans)
    if not proof.holds or tuple(each.date for each in proof.days if each.nth) != said.counted:
        raise Difference(f"proof: {budget} days from {begins}, pauses {spans}: {proof} against {said}")
    span = [begins + timedelta(days=offset) for offset in range(1, (proof.due_on - begins).days + 1)]
    if [each.date for each in proof.days] != span:
        raise Difference(f"proof: not every day of {span}: {proof}")
    yield "proven"


def _chain(rng: random.Random) -> Chain:
    last_year = rng.randrange(FIRST_YEAR, 2027)
    shipped = [each for each in published() if each["year"] >= FIRST_YEAR]
    known = [each for each in shipped if each["year"] <= last_year and each["edition"].endswith(".1")]
    unknown = [each for each in shipped if each not in known and each["year"] <= last_year + 1]
    overlay = _days(rng, last_year) if rng.random() < 0.5 else frozenset()
    worlds, all_tables = [_world(known, overlay)], list(known)
    for _ in range(rng.randrange(1, 4)):
        change = rng.random()
        if unknown and change < 0.4:
            known = [*known, unknown.pop(rng.randrange(len(unknown)))]
        elif change < 0.8:
            known = [*known, _changed_in_flight(rng, rng.choice(in_force(known)))]
        else:
            overlay = _days(rng, last_year)
        all_tables = [*known]
        worlds.append(_world(known, overlay))
    editions = tuple(CalendarYear.model_validate(each) for each in all_tables)
    return Chain(tuple(worlds), editions, last_year)


def _world(tables: list[Table], overlay: frozenset[date]) -> World:
    years = [CalendarYear.model_validate(each) for each in tables]
    regional = tuple(DayOff(date=day, name="三月三") for day in sorted(overlay))
    national = WorkingCalendar.of(years, statutory_days()).model_copy(update={"regional": {REGION: regional}})
    return World(national.of_region(REGION), Oracle(in_force(tables), overlay))


def _days(rng: random.Random, last_year: int) -> frozenset[date]:
    """Days off of a region: on working days, weekends, holidays and make-up days alike."""
    first = date(FIRST_YEAR, 1, 1)
    return frozenset(first + timedelta(days=rng.randrange((last_year - FIRST_YEAR + 2) * 365)) for _ in range(50))


def _changed_in_flight(rng: random.Random, table: Table) -> Table:
    """A later edition of a year: some days off more and some fewer, some weekends worked more and some fewer."""
    year = table["year"]
    days = [date(year - 1, 12, 25) + timedelta(days=offset) for offset in range(372)]
    off = {each["date"]: each["name"] for each in table["days_off"] if rng.random() < 0.9}
    off |= {rng.choice(days).isoformat(): "changed" for _ in range(rng.randrange(25))}
    off |= {date(year, 1, 1).isoformat(): "元旦"}
    weekends = [day.isoformat() for day in days if day.weekday() >= 5]
    on = {each for each in table["make_up_days"] if rng.random() < 0.9} | set(rng.sample(weekends, 6))
    name, number = table["edition"].split(".")
    return table | {
        "edition": f"{name}.{int(number) + 5}",
        "days_off": [{"date": day, "name": off[day]} for day in sorted(off) if day[:4] == name or day[5:7] == "12"],
        "make_up_days": sorted(day for day in on - off.keys() if day[:4] == name or day[5:7] == "12"),
    }
