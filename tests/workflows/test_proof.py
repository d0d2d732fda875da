"""Proofs: every day of a deadline's span with its reason, by the editions that the deadline names."""

from datetime import date, timedelta

import pytest

from activities.calendar_data import published_calendar, published_editions, statutory_days
from tests.workflows.deadline_oracle import Oracle, in_force, published
from workflows.deadlines import Deadline, PauseReason, pause, resume, set_deadline
from workflows.law import Period
from workflows.proof import COUNTED, DayReason, EditionMissingError, Proof, ProofDay, prove, reason_of
from workflows.words import Language, knows
from workflows.words.proof import proof_words
from workflows.workdays import CalendarYear, DayOff, WorkingCalendar

CALENDAR = published_calendar()
D = DayReason


def calendar(*names: str) -> WorkingCalendar:
    return WorkingCalendar.of([each for each in published_editions() if each.edition in names], statutory_days())


def deadline(starts_on: str, days: int, by: WorkingCalendar = CALENDAR) -> Deadline:
    return set_deadline(Period(working_days=days, basis="43号"), date.fromisoformat(starts_on), by)


def proven(given: Deadline) -> Proof:
    return prove(given, published_editions(), statutory_days())


def said(proof: Proof) -> list[tuple[str, str, int | None, str | None]]:
    return [(f"{each.date:%m-%d}", str(each.reason), each.nth, each.name) for each in proof.days]


def test_every_day_from_the_day_after_the_start_is_counted_or_skipped_with_its_reason() -> None:
    proof = proven(deadline("2026-02-13", 4))
    assert said(proof) == [
        ("02-14", "MAKE_UP_DAY", 1, None),
        *[(f"02-{day}", "STATUTORY_HOLIDAY", None, "春节") for day in range(15, 24)],
        ("02-24", "WORKING_DAY", 2, None),
        ("02-25", "WORKING_DAY", 3, None),
        ("02-26", "WORKING_DAY", 4, None),
    ]
    assert [(each.edition, each.notice) for each in proof.editions] == [("2026.1", "国办发明电〔2025〕7号")]
    assert (proof.holds, proof.provisional) == (True, False)


def test_a_pause_is_the_reason_only_of_days_that_would_have_counted() -> None:
    paused = pause(deadline("2026-11-20", 3), date(2026, 11, 23), PauseReason.CORRECTION)
    assert [each.reason for each in proven(paused).days] == [D.WEEKEND, D.WEEKEND, *[D.WORKING_DAY] * 3]
    resumed = resume(paused, date(2026, 11, 29), CALENDAR)
    assert said(proven(resumed)) == [
        ("11-21", "WEEKEND", None, None),
        ("11-22", "WEEKEND", None, None),
        ("11-23", "WORKING_DAY", 1, None),
        *[(f"11-{day}", "PAUSED", None, "CORRECTION") for day in range(24, 28)],
        ("11-28", "WEEKEND", None, None),
        ("11-29", "WEEKEND", None, None),
        ("11-30", "WORKING_DAY", 2, None),
        ("12-01", "WORKING_DAY", 3, None),
    ]


def test_a_regions_own_day_off_is_named_and_goes_with_the_deadline() -> None:
    own = tuple(DayOff(date=date(2026, 4, day), name="三月三") for day in (18, 20))
    here = CALENDAR.model_copy(update={"regional": {"450100": own}}).of_region("450100")
    assert said(proven(deadline("2026-04-17", 1, here))) == [
        ("04-18", "WEEKEND", None, None),
        ("04-19", "WEEKEND", None, None),
        ("04-20", "REGIONAL_HOLIDAY", None, "三月三"),
        ("04-21", "WORKING_DAY", 1, None),
    ]


def test_a_regions_day_off_on_a_make_up_day_is_the_reason_and_on_a_statutory_day_is_not() -> None:
    own = tuple(DayOff(date=date(2026, 2, day), name="自定") for day in (14, 15))
    here = CALENDAR.model_copy(update={"overlay": own})
    assert reason_of(date(2026, 2, 14), here, ()) == (D.REGIONAL_HOLIDAY, "自定")
    assert reason_of(date(2026, 2, 15), here, ()) == (D.STATUTORY_HOLIDAY, "春节")


def test_a_deadline_is_proven_by_the_editions_that_it_names_though_newer_ones_are_in_force() -> None:
    before = deadline("2020-01-17", 10, calendar("2019.2", "2020.1"))
    proof = proven(before)
    assert (proof.due_on, proof.holds, [each.edition for each in proof.editions]) == (
        date(2020, 2, 5),
        True,
        ["2020.1"],
    )
    assert said(proof)[-5] == ("02-01", "MAKE_UP_DAY", 7, None)
    after = proven(deadline("2020-01-17", 10, calendar("2019.2", "2020.2")))
    assert (after.due_on, said(after)[-6]) == (date(2020, 2, 7), ("02-02", "STATUTORY_HOLIDAY", None, "春节"))


def test_a_span_over_new_year_names_both_years_and_the_next_one_when_it_takes_december_days() -> None:
    both = proven(deadline("2025-12-25", 5))
    assert ([each.edition for each in both.editions], both.due_on, both.holds) == (
        ["2025.1", "2026.1"],
        date(2026, 1, 4),
        True,
    )
    # The notice of 2019 took 30 and 31 December 2018, and gave 29 December back.
    december = proven(deadline("2018-12-27", 2))
    assert [each.edition for each in december.editions] == ["2018.1", "2019.2"]
    assert said(december) == [("12-28", "WORKING_DAY", 1, None), ("12-29", "MAKE_UP_DAY", 2, None)]


def test_past_the_last_notice_the_statute_is_the_reason_and_the_proof_is_provisional() -> None:
    proof = proven(deadline("2026-12-30", 2))
    assert said(proof) == [
        ("12-31", "WORKING_DAY", 1, None),
        ("01-01", "STATUTORY_HOLIDAY", None, "元旦"),
        ("01-02", "WEEKEND", None, None),
        ("01-03", "WEEKEND", None, None),
        ("01-04", "WORKING_DAY", 2, None),
    ]
    assert (proof.provisional, proof.holds) == (True, True)


@pytest.mark.parametrize("starts_on", ["2018-12-27", "2018-12-03", "2019-04-25", "2025-12-25", "2026-12-18"])
def test_a_deadline_of_the_first_release_is_proven_by_its_one_edition_and_the_years_beside_it(starts_on: str) -> None:
    full = deadline(starts_on, 10)
    first = full.model_copy(update={"editions": (), "escalate_on": ()})
    assert proven(first).holds
    assert proven(first).days == proven(full).days


def test_a_provisional_deadline_of_the_first_release_stays_proven_when_its_year_is_published() -> None:
    notice = CalendarYear(
        year=2027,
        edition="2027.1",
        notice=None,
        published_on=date(2026, 11, 30),
        source="synthetic, for this test",
        days_off=(DayOff(date=date(2027, 1, 4), name="元旦"),),
        make_up_days=(),
    )
    first = deadline("2026-12-18", 10).model_copy(update={"editions": ()})
    proof = prove(first, (*published_editions(), notice), statutory_days())
    assert (proof.holds, proof.due_on, proof.provisional) == (True, date(2027, 1, 4), True)


def test_a_deadline_that_was_counted_wrongly_does_not_hold() -> None:
    right = deadline("2026-11-20", 10)
    assert not proven(right.model_copy(update={"due_on": date(2026, 12, 7)})).holds
    assert not proven(right.model_copy(update={"provisional": True})).holds


def test_an_edition_that_is_not_at_hand_is_named() -> None:
    given = deadline("2026-11-20", 10).model_copy(update={"editions": ("2026.7",)})
    with pytest.raises(EditionMissingError, match=r"no edition 2026\.7 of the working-day table"):
        proven(given)


@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_every_reason_of_a_day_and_of_a_pause_has_its_words(language: Language) -> None:
    for pause_reason in PauseReason:
        assert knows(language, f"pause.{pause_reason}")
    for reason in DayReason:
        name = PauseReason.CORRECTION if reason is D.PAUSED else "春节"
        words = proof_words(language, ProofDay(date(2026, 2, 17), reason, 3, name))
        assert "None" not in words
        assert ("3" in words) == (reason in COUNTED)
        assert ("春节" in words) == (reason in {D.STATUTORY_HOLIDAY, D.REGIONAL_HOLIDAY})


def test_the_reason_of_every_day_2010_to_2030_agrees_with_the_count_and_with_the_oracle() -> None:
    oracle, day = Oracle(in_force(published())), date(2010, 1, 1)
    while day < date(2031, 1, 1):
        reason, name = reason_of(day, CALENDAR, ())
        assert (reason in COUNTED) == CALENDAR.is_working_day(day) == oracle.is_working_day(day), day
        assert (name is not None) == (reason is D.STATUTORY_HOLIDAY), day
        day += timedelta(days=1)
