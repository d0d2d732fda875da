"""Deadlines to the instant, the clocks that watch them, and what a new working-day table changes."""

from datetime import UTC, date, datetime, timedelta

import pytest

from activities.calendar_data import published_editions, statutory_days
from tests.workflows.pure_cases import CALENDAR, O, Story, at, kinds, submission
from workflows import events as e
from workflows.actors import PLATFORM
from workflows.clocks import Alarm, AlarmKind, next_alarm, statutory_end, tick
from workflows.deadlines import (
    Deadline,
    Pause,
    PauseReason,
    deadline_state,
    pause,
    recount,
    remaining_working_days,
    resume,
    set_deadline,
    shanghai_date,
)
from workflows.fold import advance, fold
from workflows.law import Period
from workflows.vocabulary import DeadlineState, TransferRoute
from workflows.vocabulary import TransferStepKind as K
from workflows.workdays import CalendarYear, DayOff, WorkingCalendar

TEN_DAYS = Period(working_days=10, basis="43号")
YEAR_2026 = next(each for each in published_editions() if each.edition == "2026.1")


def calendar(*years: CalendarYear) -> WorkingCalendar:
    """2025 and 2026 as published, and whatever editions come on top."""
    recent = [each for each in published_editions() if each.year >= 2025]
    return WorkingCalendar.of([*recent, *years], statutory_days())


def changed_2026(*, off: tuple[date, ...] = (), on: tuple[date, ...] = ()) -> CalendarYear:
    """A second edition of 2026, changed in flight."""
    more = {each.date: each for each in (*YEAR_2026.days_off, *(DayOff(date=day, name="changed") for day in off))}
    days_off = tuple(more[day] for day in sorted(more))
    make_up_days = tuple(sorted({*YEAR_2026.make_up_days, *on}))
    return YEAR_2026.model_copy(update={"edition": "2026.2", "days_off": days_off, "make_up_days": make_up_days})


class TestInstants:
    DEADLINE = set_deadline(TEN_DAYS, date(2026, 11, 20), CALENDAR)

    def test_a_deadline_is_a_budget_a_start_and_an_edition(self) -> None:
        assert (
            Deadline(
                starts_on=date(2026, 11, 20),
                working_days=10,
                due_on=date(2026, 12, 4),
                due_soon_on=date(2026, 12, 2),
                provisional=False,
                calendar_edition="2026.1",
                basis="43号",
                editions=("2026.1",),
                # One working day late, and five: Monday 7 and Friday 11 December are the last on which it is not yet so.
                escalate_on=(date(2026, 12, 8), date(2026, 12, 12)),
            )
            == self.DEADLINE
        )

    def test_it_ends_at_24_00_in_shanghai(self) -> None:
        assert self.DEADLINE.due_at.astimezone(UTC) == datetime(2026, 12, 4, 16, tzinfo=UTC)

    def test_it_is_due_soon_from_0_00_two_working_days_before(self) -> None:
        assert self.DEADLINE.due_soon_at.astimezone(UTC) == datetime(2026, 12, 1, 16, tzinfo=UTC)

    @pytest.mark.parametrize(
        ("accepted", "days", "due_soon_on", "due_on"),
        [
            ("2026-02-09", 10, "2026-02-26", "2026-02-28"),
            ("2026-02-13", 10, "2026-03-03", "2026-03-05"),
            ("2026-09-18", 10, "2026-09-30", "2026-10-09"),
            ("2026-09-24", 15, "2026-10-20", "2026-10-22"),
            ("2026-11-20", 10, "2026-12-02", "2026-12-04"),
            ("2026-11-20", 1, "2026-11-20", "2026-11-23"),
        ],
    )
    def test_the_law_s_examples(self, accepted: str, days: int, due_soon_on: str, due_on: str) -> None:
        deadline = set_deadline(Period(working_days=days, basis="43号"), date.fromisoformat(accepted), CALENDAR)
        assert (deadline.due_soon_on, deadline.due_on) == (date.fromisoformat(due_soon_on), date.fromisoformat(due_on))

    def test_a_day_is_shanghai_s_day(self) -> None:
        assert shanghai_date(datetime(2026, 11, 20, 15, 59, 59, tzinfo=UTC)) == date(2026, 11, 20)
        assert shanghai_date(datetime(2026, 11, 20, 16, 0, tzinfo=UTC)) == date(2026, 11, 21)

    @pytest.mark.parametrize(
        ("now", "state"),
        [
            ("2026-11-20 09:00", DeadlineState.ON_TRACK),
            ("2026-12-01 23:59", DeadlineState.ON_TRACK),
            ("2026-12-02 00:00", DeadlineState.DUE_SOON),
            ("2026-12-04 23:59", DeadlineState.DUE_SOON),
            ("2026-12-05 00:00", DeadlineState.OVERDUE),
        ],
    )
    def test_an_open_step_stands_by_the_hour(self, now: str, state: DeadlineState) -> None:
        assert deadline_state(self.DEADLINE, done_at=None, now=at(now)) is state

    @pytest.mark.parametrize(
        ("done_at", "state"),
        [("2026-12-04 23:59", DeadlineState.MET), ("2026-12-05 00:00", DeadlineState.MET_LATE)],
    )
    def test_a_step_that_is_done_was_met_or_late_for_ever(self, done_at: str, state: DeadlineState) -> None:
        assert deadline_state(self.DEADLINE, done_at=at(done_at), now=at("2027-06-01 00:00")) is state


def rungs(story: Story) -> list[e.Escalated]:
    return [event.fact for event in story.events if isinstance(event.fact, e.Escalated)]


class TestTheClocks:
    """Accepted on 2026-09-18: due soon on 2026-09-30, due on 2026-10-09."""

    def test_the_alarm_is_due_soon_then_due_then_late_by_each_rung_then_silent(self) -> None:
        story = Story()
        assert next_alarm(story.state) == Alarm(at("2026-09-30 00:00"), AlarmKind.DUE_SOON, K.DELIVER_INFORMATION_FORM)
        story.happen(tick(story.state, at("2026-09-30 00:00"), CALENDAR), when=at("2026-09-30 00:00"))
        assert next_alarm(story.state) == Alarm(at("2026-10-10 00:00"), AlarmKind.DUE, K.DELIVER_INFORMATION_FORM)
        story.happen(tick(story.state, at("2026-10-10 00:00"), CALENDAR), when=at("2026-10-10 00:00"))
        # 10 October is a make-up working day.
        for rung, when in enumerate((at("2026-10-11 00:00"), at("2026-10-16 00:00")), 1):
            assert next_alarm(story.state) == Alarm(when, AlarmKind.LATE, K.DELIVER_INFORMATION_FORM)
            assert tick(story.state, when - timedelta(microseconds=1), CALENDAR) == ()
            story.happen(tick(story.state, when, CALENDAR), when=when)
            assert story.state.step(K.DELIVER_INFORMATION_FORM).escalated == rung
        assert next_alarm(story.state) is None
        assert not story.state.closed
        assert [(each.rung, each.working_days_late, each.told) for each in rungs(story)] == [
            (1, 1, (f"supervisor:{O}",)),
            (2, 5, (f"province:{O}",)),
        ]

    def test_due_soon_is_said_once_and_to_the_agency(self) -> None:
        story, now = Story(), at("2026-09-30 00:00")
        assert tick(story.state, now - timedelta(microseconds=1), CALENDAR) == ()
        told = e.DeadlineDueSoon(
            step=K.DELIVER_INFORMATION_FORM, round=1, due_on=date(2026, 10, 9), told=(f"agency:{O}",)
        )
        assert tick(story.state, now, CALENDAR) == (told,)
        story.happen((told,), when=now)
        assert tick(story.state, now + timedelta(days=3), CALENDAR) == ()

    def test_missed_is_said_once_and_to_the_supervisor_too(self) -> None:
        story = Story()
        story.happen(tick(story.state, at("2026-09-30 00:00"), CALENDAR), when=at("2026-09-30 00:00"))
        assert tick(story.state, at("2026-10-09 23:59"), CALENDAR) == ()
        missed = e.DeadlineMissed(
            step=K.DELIVER_INFORMATION_FORM,
            round=1,
            due_on=date(2026, 10, 9),
            told=(f"agency:{O}", f"supervisor:{O}"),
        )
        assert tick(story.state, at("2026-10-10 00:00"), CALENDAR) == (missed,)
        story.happen((missed,), when=at("2026-10-10 00:00"))
        assert kinds(tick(story.state, at("2027-01-10 00:00"), CALENDAR)) == ("escalated", "escalated")

    def test_after_an_outage_over_both_instants_both_are_said_in_order(self) -> None:
        said = Story().happen(tick(Story().state, at("2026-10-12 08:00"), CALENDAR), when=at("2026-10-12 08:00"))
        assert said == ("deadline_due_soon", "deadline_missed", "escalated")

    def test_a_step_that_is_done_in_time_is_never_spoken_of(self) -> None:
        story = Story()
        story.deliver(0, when=at("2026-09-29 17:00"))
        said = tick(story.state, at("2027-01-10 00:00"), CALENDAR)
        assert [fact.step for fact in said if isinstance(fact, e.DeadlineMissed)] == [K.CONFIRM_CONTINUATION]

    def test_with_a_late_form_the_money_s_step_opens_overdue_and_was_never_due_soon(self) -> None:
        story = Story()
        late = at("2026-10-12 09:00")
        story.happen(tick(story.state, late, CALENDAR), when=late)
        story.deliver(when=late)
        assert next_alarm(story.state) == Alarm(at("2026-09-30 00:00"), AlarmKind.DUE_SOON, K.REMIT_PERSONAL_ACCOUNT)
        missed = e.DeadlineMissed(
            step=K.REMIT_PERSONAL_ACCOUNT,
            round=1,
            due_on=date(2026, 10, 9),
            told=(f"agency:{O}", f"supervisor:{O}"),
        )
        said = tick(story.state, late, CALENDAR)
        assert (said[0], kinds(said)) == (missed, ("deadline_missed", "escalated"))
        story.happen(said, when=late)
        assert next_alarm(story.state) == Alarm(at("2026-10-15 00:00"), AlarmKind.DUE_SOON, K.CONFIRM_CONTINUATION)

    def test_the_stop_of_coverage_and_the_clerk_s_look_have_five_days_each(self) -> None:
        for begins in (submission(stop_needed=True), submission(manual=True)):
            alarm = next_alarm(Story(begins).state)
            assert alarm is not None
            assert alarm.at == at("2026-09-22 00:00")


class TestANewTable:
    def test_a_table_that_moves_nothing_in_the_span_leaves_the_deadline_as_it_is(self) -> None:
        deadline = set_deadline(TEN_DAYS, date(2026, 11, 20), CALENDAR)
        assert recount(deadline, calendar(changed_2026(off=(date(2026, 4, 7),)))) is deadline
        story = Story()
        assert tick(story.state, story.now, calendar(changed_2026(off=(date(2026, 4, 7),)))) == ()

    def test_days_that_swap_move_the_reminder_alone_and_say_so(self) -> None:
        deadline = set_deadline(TEN_DAYS, date(2026, 11, 20), CALENDAR)
        swapped = calendar(changed_2026(off=(date(2026, 12, 3),), on=(date(2026, 11, 28),)))
        moved = recount(deadline, swapped)
        assert (moved.due_on, moved.due_soon_on) == (deadline.due_on, date(2026, 12, 1))
        assert moved.due_soon_on < deadline.due_soon_on
        assert recount(moved, swapped) is moved

    def test_a_holiday_after_the_last_day_moves_the_escalations_alone(self) -> None:
        deadline = set_deadline(TEN_DAYS, date(2026, 11, 20), CALENDAR)
        moved = recount(deadline, calendar(changed_2026(off=(date(2026, 12, 8),))))
        assert (moved.due_on, moved.escalate_on) == (deadline.due_on, (date(2026, 12, 8), date(2026, 12, 15)))

    def test_a_deadline_of_the_first_release_is_not_revised_to_be_given_rungs(self) -> None:
        first = set_deadline(TEN_DAYS, date(2026, 11, 20), CALENDAR).model_copy(
            update={"editions": (), "escalate_on": ()}
        )
        assert recount(first, CALENDAR) is first

    def test_a_day_off_more_moves_the_last_day_and_says_so(self) -> None:
        deadline = set_deadline(TEN_DAYS, date(2026, 11, 20), CALENDAR)
        moved = recount(deadline, calendar(changed_2026(off=(date(2026, 12, 3),))))
        assert (moved.due_on, moved.due_soon_on, moved.calendar_edition) == (
            date(2026, 12, 7),
            date(2026, 12, 2),
            "2026.2",
        )

    def test_a_provisional_deadline_becomes_firm_though_its_day_is_the_same(self) -> None:
        story = Story(when=at("2026-12-18 10:00"))
        before = story.state.step(K.DELIVER_INFORMATION_FORM).deadline
        assert before is not None
        assert (before.provisional, before.due_on, before.calendar_edition) == (True, date(2027, 1, 4), "2026.1")
        new_year = CalendarYear(
            year=2027,
            edition="2027.1",
            notice=None,
            published_on=date(2026, 12, 20),
            source="synthetic, for this test",
            days_off=(DayOff(date=date(2027, 1, 1), name="元旦"),),
            make_up_days=(),
        )
        editions = ("2026.1", "2027.1")
        after = before.model_copy(update={"provisional": False, "calendar_edition": "2027.1", "editions": editions})
        facts = tick(story.state, at("2026-12-21 09:00"), calendar(new_year))
        assert facts == (e.DeadlineRevised(step=K.DELIVER_INFORMATION_FORM, round=1, before=before, after=after),)
        story.happen(facts, when=at("2026-12-21 09:00"))
        assert story.state.step(K.DELIVER_INFORMATION_FORM).deadline == after
        assert tick(story.state, at("2026-12-21 09:00"), calendar(new_year)) == ()

    def test_a_date_that_moved_later_is_due_soon_and_missed_anew(self) -> None:
        story, now = Story(), at("2026-10-10 00:00")
        story.happen(tick(story.state, now, CALENDAR), when=now)
        step = story.state.step(K.DELIVER_INFORMATION_FORM)
        assert (step.due_soon_noted, step.missed_noted) == (True, True)
        days_off = (*(date(2026, 9, day) for day in (21, 22, 23, 24)), date(2026, 10, 8), date(2026, 10, 9))
        longer = calendar(changed_2026(off=days_off))
        assert story.happen(tick(story.state, now, longer), when=now) == ("deadline_revised",)
        step = story.state.step(K.DELIVER_INFORMATION_FORM)
        assert (step.due_soon_noted, step.missed_noted) == (False, False)
        assert step.deadline is not None
        assert step.deadline.due_on == date(2026, 10, 16)
        assert next_alarm(story.state) == Alarm(at("2026-10-14 00:00"), AlarmKind.DUE_SOON, K.DELIVER_INFORMATION_FORM)
        assert fold(story.events) == story.state

    def test_a_date_that_moved_into_the_past_is_missed_at_once(self) -> None:
        story, now = Story(when=at("2026-11-20 09:00")), at("2026-12-03 09:00")
        shorter = calendar(changed_2026(on=(date(2026, 11, 21), date(2026, 11, 28))))
        assert story.happen(tick(story.state, now, shorter), when=now) == (
            "deadline_revised",
            "deadline_due_soon",
            "deadline_missed",
        )
        # Due on Wednesday 2 December by the new table; late by a working day once Thursday is over.
        assert next_alarm(story.state) == Alarm(at("2026-12-04 00:00"), AlarmKind.LATE, K.DELIVER_INFORMATION_FORM)

    def test_whatever_the_table_a_clock_that_rings_says_something(self) -> None:
        story = Story(when=at("2026-11-20 09:00"))
        for off in (date(2026, 12, 2), date(2026, 12, 3), date(2026, 12, 4), date(2026, 11, 30)):
            alarm = next_alarm(story.state)
            assert alarm is not None
            facts = tick(story.state, alarm.at, calendar(changed_2026(off=(off,))))
            assert facts != ()
            assert next_alarm(advance(story.state, facts, at=alarm.at, actor=PLATFORM)[1]) != alarm


class TestWhatIsLeft:
    # Due on Friday 4 December 2026.
    DEADLINE = set_deadline(TEN_DAYS, date(2026, 11, 20), CALENDAR)

    @pytest.mark.parametrize(
        ("now", "left"),
        [
            (at("2026-11-20T00:00"), 10),
            (at("2026-12-03T00:00"), 1),
            (at("2026-12-04T00:00"), 0),
            (at("2026-12-05T00:00"), -1),
            (at("2026-12-06T00:00"), -1),
            (at("2026-12-07T00:00"), -1),
            (at("2026-12-08T00:00"), -2),
        ],
    )
    def test_working_days_are_left_after_today_and_negative_once_it_is_missed(self, now: datetime, left: int) -> None:
        assert remaining_working_days(self.DEADLINE, now, CALENDAR) == left


class TestPauses:
    """Ten days from Friday 20 November 2026: due on Friday 4 December."""

    DEADLINE = set_deadline(TEN_DAYS, date(2026, 11, 20), CALENDAR)
    PAUSED = pause(DEADLINE, date(2026, 11, 25), PauseReason.CORRECTION)

    def test_while_it_stands_still_the_dates_are_as_if_it_had_ended_at_once(self) -> None:
        assert (self.PAUSED.due_on, self.PAUSED.paused_since) == (date(2026, 12, 4), date(2026, 11, 25))
        assert pause(self.PAUSED, date(2026, 11, 27), PauseReason.PAYOUT_ACCOUNT) is self.PAUSED

    @pytest.mark.parametrize(
        ("resumed_on", "due_on"),
        [
            # The day of the pause counts, the day of its end does not: Thursday 26 and Friday 27 November are left out.
            (date(2026, 11, 25), date(2026, 12, 4)),
            (date(2026, 11, 26), date(2026, 12, 7)),
            (date(2026, 11, 27), date(2026, 12, 8)),
            # A weekend would not have counted anyway.
            (date(2026, 11, 29), date(2026, 12, 8)),
            (date(2026, 12, 31), date(2027, 1, 12)),
        ],
    )
    def test_its_days_are_left_out(self, resumed_on: date, due_on: date) -> None:
        deadline = resume(self.PAUSED, resumed_on, CALENDAR)
        assert (deadline.due_on, deadline.paused_since) == (due_on, None)
        assert deadline.pauses == (Pause(from_on=date(2026, 11, 25), to_on=resumed_on, reason=PauseReason.CORRECTION),)
        assert resume(deadline, date(2027, 6, 1), CALENDAR) is deadline
        assert recount(deadline, CALENDAR) is deadline

    def test_a_paused_clock_is_neither_near_nor_missed_and_keeps_the_days_that_were_left(self) -> None:
        for now in (at("2026-11-26 09:00"), at("2027-03-01 09:00")):
            assert deadline_state(self.PAUSED, done_at=None, now=now) is DeadlineState.PAUSED
            assert remaining_working_days(self.PAUSED, now, CALENDAR) == 7

    def test_a_clock_that_was_missed_before_it_stood_still_stays_missed(self) -> None:
        late = pause(self.DEADLINE, date(2026, 12, 5), PauseReason.CORRECTION)
        assert remaining_working_days(late, at("2026-12-09 09:00"), CALENDAR) == -1
        again = resume(late, date(2026, 12, 9), CALENDAR)
        assert deadline_state(again, done_at=None, now=at("2026-12-10 09:00")) is DeadlineState.OVERDUE
        # Of the days since, Monday 7 to Wednesday 9 December stood still: so do the rungs.
        assert remaining_working_days(again, at("2026-12-11 09:00"), CALENDAR) == -2
        assert again.escalate_on == (date(2026, 12, 11), date(2026, 12, 17))

    def test_rungs_are_reached_at_0_00_of_their_days(self) -> None:
        instants = ("2026-12-07 23:59", "2026-12-08 00:00", "2026-12-11 23:59", "2026-12-12 00:00")
        assert [self.DEADLINE.rungs_due(at(each)) for each in instants] == [0, 1, 1, 2]


class TestARegionsOwnDays:
    """广西三月三: two working days, 20 and 21 April 2026, beside a weekend."""

    OWN = (DayOff(date=date(2026, 4, 20), name="三月三"), DayOff(date=date(2026, 4, 21), name="三月三"))
    CALENDAR_WITH = CALENDAR.model_copy(update={"regional": {"450100": OWN}})

    def test_they_count_for_the_region_and_for_no_other(self) -> None:
        here, there = (
            set_deadline(TEN_DAYS, date(2026, 4, 10), self.CALENDAR_WITH.of_region(code)) for code in ("450100", O)
        )
        assert (here.due_on, here.regional_days_off) == (date(2026, 4, 28), self.OWN)
        assert (there.due_on, there.regional_days_off) == (date(2026, 4, 24), ())

    def test_a_calendar_of_one_region_becomes_another_s(self) -> None:
        here = self.CALENDAR_WITH.of_region("450100")
        assert not here.is_working_day(date(2026, 4, 20))
        assert here.of_region(O).is_working_day(date(2026, 4, 20))
        assert not here.since(date(2026, 4, 1)).is_working_day(date(2026, 4, 20))
        assert here.of_region("450100") is here
        assert hash(here) != hash(CALENDAR)

    def test_days_that_the_region_gives_later_move_an_open_deadline(self) -> None:
        before = set_deadline(TEN_DAYS, date(2026, 4, 10), CALENDAR)
        after = recount(before, self.CALENDAR_WITH.of_region("450100"))
        assert (after.due_on, after.calendar_edition) == (date(2026, 4, 28), "2026.1")


class TestHistory:
    """The changes of the year's table in flight, replayed: set before, recounted after."""

    @pytest.mark.parametrize(
        ("accepted", "days", "before", "after"),
        [
            # 2019-03-22: Labour Day became 1 to 4 May, with 28 April and 5 May worked.
            ("2019-04-25", 5, "2019-05-03", "2019-05-05"),
            ("2019-04-17", 10, "2019-05-02", "2019-04-30"),
            ("2019-04-29", 2, "2019-05-02", "2019-05-05"),
            ("2019-04-22", 10, "2019-05-07", "2019-05-07"),
            ("2019-04-08", 10, "2019-04-22", "2019-04-22"),
            # 2020-01-27: Spring Festival went on to 2 February; Saturday 1 February had been a working day.
            ("2020-01-17", 10, "2020-02-05", "2020-02-07"),
            ("2020-01-22", 1, "2020-01-23", "2020-01-23"),
            ("2020-01-23", 1, "2020-01-31", "2020-02-03"),
            ("2020-01-23", 15, "2020-02-19", "2020-02-21"),
        ],
    )
    def test_deadlines_set_before_are_recounted_to_the_day(
        self, accepted: str, days: int, before: str, after: str
    ) -> None:
        year = accepted[:4]
        known = [each for each in published_editions() if each.year <= int(year) and each.edition != f"{year}.2"]
        old = WorkingCalendar.of(known, statutory_days())
        new = WorkingCalendar.of([*known, *published_editions()[: _index_of(f"{year}.2") + 1]], statutory_days())
        deadline = set_deadline(Period(working_days=days, basis="43号"), date.fromisoformat(accepted), old)
        assert (deadline.due_on.isoformat(), deadline.editions) == (before, (f"{year}.1",))
        moved = recount(deadline, new)
        assert moved.due_on.isoformat() == after
        assert moved.editions == ((f"{year}.1",) if moved is deadline else (f"{year}.2",))


def _index_of(edition: str) -> int:
    return next(index for index, each in enumerate(published_editions()) if each.edition == edition)


class TestTheWholeTransfer:
    """Asked for on Monday 2 March 2026; 6 April is a holiday."""

    @pytest.mark.parametrize(
        ("before", "periods", "end"),
        [
            ((), {}, date(2026, 3, 23)),
            ((K.STOP_COVERAGE,), {}, date(2026, 3, 30)),
            ((K.ACCEPT_APPLICATION,), {}, date(2026, 3, 30)),
            ((K.ACCEPT_APPLICATION, K.STOP_COVERAGE), {}, date(2026, 4, 7)),
            ((), {K.DELIVER_INFORMATION_FORM: 7, K.CONFIRM_CONTINUATION: 4}, date(2026, 3, 17)),
            ((K.STOP_COVERAGE,), {K.STOP_COVERAGE: 2, K.CONFIRM_CONTINUATION: 3}, date(2026, 3, 23)),
            # The money has its own ten days.
            ((), {K.DELIVER_INFORMATION_FORM: 2, K.CONFIRM_CONTINUATION: 2}, date(2026, 3, 16)),
            ((), {K.CONFIRM_RECEIPT: 1}, date(2026, 3, 23)),
            # Shorter than the paper route's fifteen days only.
            ((), {K.DELIVER_INFORMATION_FORM: 12, K.CONFIRM_CONTINUATION: 9}, date(2026, 3, 23)),
        ],
    )
    def test_every_step_takes_its_whole_time(self, before: tuple[K, ...], periods: dict[K, int], end: date) -> None:
        assert statutory_end(TransferRoute.PLATFORM, date(2026, 3, 2), before, periods, CALENDAR) == end

    @pytest.mark.parametrize(
        ("before", "periods", "working_days"),
        [
            ((K.ACCEPT_APPLICATION,), {}, 60),
            ((K.ACCEPT_APPLICATION, K.STOP_COVERAGE), {}, 65),
            ((K.ACCEPT_APPLICATION,), {K.DELIVER_INFORMATION_FORM: 7, K.REMIT_PERSONAL_ACCOUNT: 9}, 54),
            ((K.ACCEPT_APPLICATION,), {K.ISSUE_CONTACT_LETTER: 3, K.CONFIRM_CONTINUATION: 20}, 48),
        ],
    )
    def test_by_post_the_letter_comes_first_and_the_continuation_last(
        self, before: tuple[K, ...], periods: dict[K, int], working_days: int
    ) -> None:
        end = statutory_end(TransferRoute.PAPER, date(2026, 3, 2), before, periods, CALENDAR)
        assert end == CALENDAR.add_working_days(date(2026, 3, 2), working_days)
