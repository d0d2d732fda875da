"""For how long a mandate may be given, and how one stands."""

from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest

from workflows.actors import Actor
from workflows.deadlines import SHANGHAI
from workflows.mandate_terms import (
    WhyNot,
    last_day,
    mandate_state,
    refuse_approval,
    refuse_confirmation,
    refuse_entry,
    refuse_validity,
    same_person,
)
from workflows.rules import invalid
from workflows.vocabulary import MandateState, Role
from workflows.words import knows

TODAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=SHANGHAI)
LATER = date(2026, 3, 6)
INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("given_on", "last"), [(TODAY, date(2028, 3, 2)), (date(2024, 2, 29), date(2026, 2, 28)), (date(2026, 2, 28), date(2028, 2, 28))]
)  # fmt: skip
def test_a_mandate_is_for_two_years_at_most(given_on: date, last: date) -> None:
    assert last_day(given_on) == last
    assert refuse_validity(last, given_on) is None
    too_far = invalid("validUntil", "TOO_FAR_AHEAD", limit=last.isoformat())
    assert refuse_validity(last + timedelta(days=1), given_on) == too_far


def test_a_mandate_can_be_for_today_and_not_for_yesterday() -> None:
    assert refuse_validity(TODAY, TODAY) is None
    assert refuse_validity(date(2026, 3, 1), TODAY) == invalid("validUntil", "IN_THE_PAST")


def test_a_window_enters_no_mandate_that_ends_before_the_day_on_which_it_can_start() -> None:
    assert refuse_entry(date(2026, 3, 3), NOON) is None
    before = invalid("validUntil", "BEFORE_THE_START", earliest="2026-03-03")
    assert refuse_entry(TODAY, NOON) == before
    # By the day in Shanghai: 15:59 and 16:00 UTC are two days there.
    assert refuse_entry(date(2026, 3, 3), datetime(2026, 3, 2, 15, 59, tzinfo=UTC)) is None
    later = invalid("validUntil", "BEFORE_THE_START", earliest="2026-03-04")
    assert refuse_entry(date(2026, 3, 3), datetime(2026, 3, 2, 16, tzinfo=UTC)) == later


def test_a_mandate_ends_with_its_last_day_or_when_it_is_taken_back() -> None:
    midnight = datetime(2026, 3, 3, tzinfo=SHANGHAI)
    started = NOON - timedelta(hours=1)
    last = midnight - timedelta(microseconds=1)
    assert mandate_state(TODAY, None, last, starts_at=started) is MandateState.IN_FORCE
    assert mandate_state(TODAY, None, midnight, starts_at=started) is MandateState.EXPIRED
    assert mandate_state(TODAY, NOON, NOON - timedelta(seconds=1), starts_at=started) is MandateState.IN_FORCE
    assert mandate_state(TODAY, NOON, NOON, starts_at=started) is MandateState.REVOKED
    assert mandate_state(TODAY, NOON, midnight, starts_at=started) is MandateState.REVOKED


def test_a_mandate_waits_for_its_start_and_is_in_force_from_that_instant() -> None:
    start = NOON + timedelta(hours=24)
    assert mandate_state(LATER, None, NOON, starts_at=None) is MandateState.AWAITING_APPROVAL
    assert mandate_state(LATER, None, start - INSTANT, starts_at=start) is MandateState.AWAITING_START
    assert mandate_state(LATER, None, start, starts_at=start) is MandateState.IN_FORCE
    # What has ended does not wait.
    assert mandate_state(LATER, NOON, NOON, starts_at=None) is MandateState.REVOKED
    assert mandate_state(LATER, NOON, NOON, starts_at=start) is MandateState.REVOKED
    assert mandate_state(TODAY, None, start, starts_at=None) is MandateState.EXPIRED


def clerk(subject: str, *, region: str = "110000", acting: str | None = None) -> Actor:
    role = Role.CLERK if acting is None else Role.AGENCY_SYSTEM
    return Actor(subject=subject, roles=(role,), region=region, acting_person=acting)


@pytest.mark.parametrize(
    "other",
    [
        clerk("lee"),
        clerk("Lee"),
        clerk(" lee "),
        # Full-width letters, a zero-width joiner, a soft hyphen.
        clerk("\uff2c\uff45\uff45"),
        clerk("l\u200dee"),
        clerk("le\u00ade"),
        clerk("system-110000", acting="LEE"),
    ],
)
def test_one_person_is_the_same_in_every_spelling(other: Actor) -> None:
    assert same_person(clerk("lee"), other)
    assert same_person(other, clerk("lee"))
    assert refuse_approval(MandateState.AWAITING_APPROVAL, LATER, "110000", clerk("lee"), other, NOON) == "SAME_PERSON"


def test_marks_and_white_space_tell_no_two_persons_apart() -> None:
    assert same_person(clerk("ren\u00e9e  wu"), clerk("rene\u0301e wu"))
    assert same_person(clerk("ren\u00e9e"), clerk("renee"))
    assert not same_person(clerk("lee"), clerk("leo"))


@pytest.mark.parametrize(
    ("actor", "named"),
    [
        (clerk("lee"), True),
        (clerk("system-110000", acting="lee"), True),
        (clerk("system-110000", acting=""), False),
        (clerk("system-110000", acting="SYSTEM-110000"), False),
    ],
)
def test_a_system_names_a_person_and_its_own_name_is_none(actor: Actor, *, named: bool) -> None:
    assert actor.names_a_person is named


@pytest.mark.parametrize(
    ("state", "until", "approver", "why"),
    [
        (MandateState.AWAITING_APPROVAL, LATER, clerk("wu"), None),
        (MandateState.AWAITING_APPROVAL, LATER, clerk("system-110000", acting="wu"), None),
        (MandateState.AWAITING_APPROVAL, LATER, clerk("wu", region="310000"), "OTHER_AGENCY"),
        (MandateState.AWAITING_APPROVAL, date(2026, 3, 3), clerk("wu"), None),
        (MandateState.AWAITING_APPROVAL, TODAY, clerk("wu"), "ENDS_BEFORE_START"),
        (MandateState.AWAITING_START, LATER, clerk("wu"), "NOT_AWAITING_APPROVAL"),
        (MandateState.IN_FORCE, LATER, clerk("wu"), "NOT_AWAITING_APPROVAL"),
        (MandateState.REVOKED, LATER, clerk("wu"), "ENDED"),
        (MandateState.EXPIRED, LATER, clerk("wu"), "ENDED"),
    ],
)
def test_a_second_person_of_the_same_agency_approves(
    state: MandateState, until: date, approver: Actor, why: str | None
) -> None:
    assert refuse_approval(state, until, "110000", clerk("lee"), approver, NOON) == why


def test_the_giver_confirms_what_has_neither_started_nor_ended() -> None:
    assert {state: refuse_confirmation(state) for state in MandateState} == {
        MandateState.AWAITING_APPROVAL: None,
        MandateState.AWAITING_START: None,
        MandateState.IN_FORCE: "ALREADY_STARTED",
        MandateState.REVOKED: "ENDED",
        MandateState.EXPIRED: "ENDED",
    }


@pytest.mark.parametrize("why", get_args(WhyNot))
def test_every_reason_has_its_words_in_both_languages(why: str) -> None:
    assert knows("en", f"mandate.{why}")
    assert knows("zh-CN", f"mandate.{why}")
