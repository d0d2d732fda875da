"""Who is told of what: the recipients of each event, the notice that goes out, and when a reminder must wait."""

from datetime import date
from typing import Any, NamedTuple, get_args

import pytest

from tests.workflows.pure_cases import NO, SUBMITTED_AT, O, R, Story, at
from workflows import events as e
from workflows.actors import PLATFORM
from workflows.deadlines import Pause, PauseReason
from workflows.notices import REMINDERS, TOLD, Notice, event_name, must_wait, notices_of, recipients
from workflows.state import TransferState
from workflows.vocabulary import TransferStepKind
from workflows.words import WORDS
from workflows.words.recipients import recipient_words

FORM = TransferStepKind.DELIVER_INFORMATION_FORM
BOTH_AND_PERSON = (f"agency:{O}", f"agency:{R}", "person")
# Every fact that a case can have, by its name.
FACTS: dict[str, type[e.Fact]] = {event_name(fact): fact for fact in get_args(get_args(e.AnyFact)[0])}


class Region(NamedTuple):
    name: str
    agency_name: str
    province: str


REGIONS = {O: Region("北京市", "北京市医疗保障事务中心", "北京市")}


def event(fact: Any, seq: int = 9) -> e.TransferEvent:
    """An event around `fact`, which need not be of a kind that exists yet."""
    return e.TransferEvent.model_construct(seq=seq, occurred_at=SUBMITTED_AT, actor=PLATFORM, fact=fact)


def due_soon(told: tuple[str, ...] = (f"agency:{O}",)) -> e.DeadlineDueSoon:
    return e.DeadlineDueSoon(step=FORM, round=1, due_on=date(2026, 10, 9), told=told)


def told_of(name: str, state: TransferState) -> tuple[str, ...]:
    return recipients(state, event(FACTS[name].model_construct()))


@pytest.mark.parametrize("name", ["accepted", "certificate_reissued", "declined", "withdrawn", "completed"])
def test_what_begins_and_ends_a_case_is_told_to_both_sides_and_the_person(name: str) -> None:
    assert told_of(name, Story().state) == BOTH_AND_PERSON


@pytest.mark.parametrize(
    ("name", "whom"),
    [
        ("arrears_notified", ("person",)),
        ("continuation_confirmed", ("person",)),
        ("funds_credited", ("person",)),
        ("funds_mismatched", (f"agency:{O}", f"agency:{R}")),
        ("submitted", ()),
        ("step_opened", ()),
        ("form_delivered", ()),
        ("deadline_revised", ()),
    ],
)
def test_the_others_are_told_whom_they_concern(name: str, whom: tuple[str, ...]) -> None:
    assert told_of(name, Story().state) == whom


def test_an_event_that_names_its_recipients_is_told_to_them_once_each_and_to_nobody_else() -> None:
    province = (f"agency:{O}", f"supervisor:{O}", f"province:{O}", f"agency:{O}")
    assert recipients(Story().state, event(due_soon(province))) == province[:3]
    assert recipients(Story().state, event(due_soon(()))) == ()


def test_the_rungs_of_the_ladder_reach_the_agency_then_its_bureau_then_the_province() -> None:
    story = Story()
    step = {"step": FORM, "round": 1, "due_on": date(2026, 10, 9)}
    escalated = [
        e.Escalated(**step, rung=rung, working_days_late=late, told=(whom,))
        for rung, late, whom in ((1, 1, f"supervisor:{O}"), (2, 5, f"province:{O}"))
    ]
    ladder = [due_soon(), e.DeadlineMissed(**step, told=(f"agency:{O}",)), *escalated]
    told = [recipients(story.state, event(fact, seq)) for seq, fact in enumerate(ladder, start=5)]
    assert told == [(f"agency:{O}",), (f"agency:{O}",), (f"supervisor:{O}",), (f"province:{O}",)]


def test_a_notice_holds_ids_the_step_and_its_last_day_and_nothing_that_people_wrote() -> None:
    story = Story()
    story.happen((due_soon(), e.Withdrawn(reason="王思琪 不转了")), when=at("2026-09-30 00:00"))
    reminder, *rest = notices_of(story.state, story.events[-2:])
    assert reminder == Notice(
        transfer_id=story.state.transfer_id,
        transfer_no=NO,
        seq=story.state.revision - 1,
        recipient=f"agency:{O}",
        kind="deadline_due_soon",
        step=FORM,
        due_on=date(2026, 10, 9),
    )
    assert reminder.id == f"{story.state.transfer_id}:{story.state.revision - 1}:agency:{O}"
    assert [(each.kind, each.recipient, each.step, each.due_on) for each in rest] == [
        ("withdrawn", whom, None, None) for whom in BOTH_AND_PERSON
    ]
    assert "王思琪" not in "".join(each.model_dump_json() for each in rest)
    assert len({each.id for each in (reminder, *rest)}) == 4


def test_a_reminder_waits_while_its_clock_stands_still_and_no_other_notice_does() -> None:
    story = Story()
    (reminder,) = notices_of(story.state, [event(due_soon())])
    assert not must_wait(reminder, story.state)
    paused = with_pause(story.state, Pause(from_on=date(2026, 9, 24), reason=PauseReason.CORRECTION))
    assert must_wait(reminder, paused)
    assert not must_wait(reminder.model_copy(update={"kind": "correction_requested"}), paused)
    other = reminder.model_copy(update={"step": TransferStepKind.CONFIRM_CONTINUATION})
    assert not must_wait(other, paused)
    resumed = with_pause(
        story.state, Pause(from_on=date(2026, 9, 24), to_on=date(2026, 9, 28), reason=PauseReason.CORRECTION)
    )
    assert not must_wait(reminder, resumed)


def with_pause(state: TransferState, pause: Pause) -> TransferState:
    """The case with that pause in the clock of its form."""
    steps = tuple(
        step.model_copy(update={"deadline": step.deadline.model_copy(update={"pauses": (pause,)})})
        if step.kind is FORM and step.deadline
        else step
        for step in state.steps
    )
    return state.model_copy(update={"steps": steps})


def test_every_kind_of_notice_has_its_words() -> None:
    naming = {name for name, fact in FACTS.items() if "told" in fact.model_fields}
    assert naming >= {"deadline_due_soon", "deadline_missed"}
    kinds = naming | TOLD.keys() | set(REMINDERS)
    for language, words in WORDS.items():
        assert [each for each in sorted(kinds) if f"notice.{each}" not in words] == [], language


def test_recipients_are_said_as_people_say_them_and_an_unlisted_region_is_its_code() -> None:
    codes = [f"agency:{O}", f"supervisor:{O}", f"province:{O}", "person", f"agency:{R}"]
    assert [recipient_words(each, REGIONS) for each in codes] == [
        "北京市医疗保障事务中心", "北京市医保主管部门", "北京市医疗保障局", "参保人本人", R,
    ]  # fmt: skip
    assert [recipient_words(each, REGIONS, "en") for each in codes[1:4]] == [
        "the supervising bureau of 北京市", "the provincial bureau of 北京市", "the insured person",
    ]  # fmt: skip
