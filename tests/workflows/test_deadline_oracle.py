"""Deadlines against a second reckoning that shares no code with them: random cases, and the law's own examples."""

import random
import time
from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from tests.workflows.deadline_cases import Difference, chains, check
from tests.workflows.deadline_oracle import Oracle, in_force, published
from workflows import deadlines, proof
from workflows.deadlines import Pause
from workflows.workdays import CalendarYear, WorkingCalendar

SEED = 20261125


def compare(cases: int) -> Counter[str]:
    """Compare so many random deadlines and print what was compared. Raises `Difference` at the first that differs."""
    rng, compared, began = random.Random(SEED), Counter[str](), time.process_time()
    among = chains(rng)
    for _ in range(cases):
        compared.update(check(rng, among))
    counts = ", ".join(f"{count:,} {what}" for what, count in sorted(compared.items()))
    print(f"\n{cases:,} deadlines in {time.process_time() - began:.0f} s of one core, 0 different: {counts}")  # noqa: T201 - the proof is these counts
    return compared


KINDS = {"set", "paused", "resumed", "unchanged by a table", "revised by a table", "proven"}


def test_ten_thousand_random_deadlines_are_the_oracle_s() -> None:
    compared = compare(10_000)
    assert compared.keys() == KINDS
    assert compared["set"] == compared["proven"] == 10_000
    assert min(compared.values()) > 500


@pytest.mark.long
@pytest.mark.timeout(7200)  # minutes on a quiet core, and no hang is possible
def test_a_million_random_deadlines_are_the_oracle_s() -> None:
    compared = compare(1_000_000)
    assert compared["set"] == compared["proven"] == 1_000_000


@pytest.mark.parametrize(
    ("accepted", "days", "due_on"),
    [
        ("2026-02-09", 10, "2026-02-28"),
        ("2026-02-13", 10, "2026-03-05"),
        ("2026-09-18", 10, "2026-10-09"),
        ("2026-09-24", 15, "2026-10-22"),
        ("2026-11-20", 10, "2026-12-04"),
    ],
)
def test_the_oracle_knows_the_law_s_examples(accepted: str, days: int, due_on: str) -> None:
    said = Oracle(in_force(published())).deadline(date.fromisoformat(accepted), days)
    assert (said.due_on.isoformat(), said.provisional, len(said.counted)) == (due_on, False, days)


def _first_day_of_a_pause_too(pause: Pause, day: date) -> bool:
    return pause.from_on <= day and (pause.to_on is None or day <= pause.to_on)


def _last_day_of_a_pause_not(pause: Pause, day: date) -> bool:
    return pause.from_on < day and (pause.to_on is None or day < pause.to_on)


def _no_days_of_the_region(calendar: WorkingCalendar, _code: str) -> WorkingCalendar:
    return calendar


def _no_december_of_the_next_year(_year: CalendarYear, _start: date, _end: date) -> bool:
    return False


def _never_recounted(deadline: deadlines.Deadline, _calendar: WorkingCalendar) -> deadlines.Deadline:
    return deadline


@pytest.mark.parametrize(
    ("owner", "name", "mistake"),
    [
        (Pause, "covers", _first_day_of_a_pause_too),
        (Pause, "covers", _last_day_of_a_pause_not),
        (WorkingCalendar, "of_region", _no_days_of_the_region),
        (CalendarYear, "names_a_day_in", _no_december_of_the_next_year),
        (deadlines, "DUE_SOON_WORKING_DAYS", 3),
        (deadlines, "ESCALATION_WORKING_DAYS", (1, 4)),
        (proof, "COUNTED", (proof.DayReason.WORKING_DAY,)),
    ],
)
def test_a_mistake_of_one_day_is_caught(
    monkeypatch: pytest.MonkeyPatch, owner: object, name: str, mistake: Callable[..., Any]
) -> None:
    monkeypatch.setattr(owner, name, mistake)
    with pytest.raises(Difference):
        compare(3_000)


def test_a_deadline_that_is_not_recounted_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.workflows.deadline_cases.recount", _never_recounted)
    with pytest.raises(Difference):
        compare(3_000)
