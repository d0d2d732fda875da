"""Corrections, money that must come home or be paid out, and the ways out: each with what it gives back."""

from datetime import date
from typing import Any

import pytest

from tests.workflows.invariants import check_case
from tests.workflows.pure_cases import (
    BALANCE_FEN,
    CALENDAR,
    NO,
    NOT_PAID,
    O_CHECKER,
    O_CLERK,
    O_FINANCE,
    PERSON,
    R_CLERK,
    R_FINANCE,
    STOP,
    SUBMITTED_AT,
    SUPERVISOR,
    O,
    R,
    Story,
    at,
    form_facts,
    kinds,
    receipt,
    returned,
    submission,
)
from workflows import commands as c
from workflows import events as e
from workflows.actors import BANK
from workflows.clocks import next_alarm, tick
from workflows.conclusion import conclude
from workflows.coverage_gap import open_gap
from workflows.decide import Recheck, issue_certificate, recheck
from workflows.findings import finding
from workflows.money import bank_took_order
from workflows.policy import Disposition
from workflows.rules import NotAllowed, invalid, objection
from workflows.vocabulary import CorrectionReason, RefusalClass, RefusalCode, TransferAction, TransferRoute
from workflows.vocabulary import TransferStepKind as K

LOWER_FEN = 300_000
ASKED = c.RequestCorrection(reason=CorrectionReason.AMOUNT_DISPUTED, note="another amount")


class Detour(Story):
    """A story whose register at O is as the case has moved it, and that keeps what must hold after every step."""

    def happen(self, *args: Any, **given: Any) -> tuple[str, ...]:
        said = super().happen(*args, **given)
        check_case(self.events, self.state, BALANCE_FEN)
        return said

    def form(self, balance_fen: int = BALANCE_FEN, *, when: str | None = None, **facts: Any) -> tuple[str, ...]:
        return self.do(self.asked(balance_fen), O_CLERK, self.register(**facts), when=at(when) if when else None)

    def asked(self, balance_fen: int) -> c.DeliverInformationForm:
        return c.DeliverInformationForm(balance_fen=balance_fen, note="by the ledger")

    def register(self, **facts: Any) -> c.FormFacts:
        return form_facts(BALANCE_FEN - self.state.frozen_fen - self.state.moved_fen).model_copy(update=facts)

    def correct(self, balance_fen: int) -> tuple[str, ...]:
        self.do(ASKED, R_CLERK)
        return self.form(balance_fen)

    def receive(self, actor: Any = R_FINANCE, amount_fen: int | None = None) -> tuple[str, ...]:
        order = self.state.on_its_way
        assert order is not None
        advice = receipt(order.amount_fen if amount_fen is None else amount_fen, received_on=self.now.date())
        return self.do(advice, actor, NOT_PAID)

    def approve(self, held_fen: int = BALANCE_FEN) -> tuple[str, ...]:
        return self.do(self.approval(), SUPERVISOR, c.ReverseFacts(balance_fen=held_fen))

    def approval(self) -> c.ApproveReverseRemittance:
        order = self.state.on_its_way
        assert order is not None
        return c.ApproveReverseRemittance(remittance_reference=order.reference)


def accepted() -> Detour:
    story = Detour()
    story.happen(tuple(each.model_copy(update={"number": "京1"}) for each in issue_certificate(story.state)))
    return story


def delivered(balance_fen: int = BALANCE_FEN, **facts: Any) -> Detour:
    story = accepted()
    story.form(balance_fen, **facts)
    return story


def credited() -> Detour:
    story = delivered()
    story.remit()
    story.receive()
    return story


class TestACorrectionOfTheAmount:
    def test_before_the_order_the_form_alone_changes(self) -> None:
        story = delivered()
        story.do(ASKED, R_CLERK)
        assert story.state.status == "CORRECTION_REQUESTED"
        assert story.form(LOWER_FEN) == ("form_delivered", "correction_answered")
        form = story.events[-2].fact
        assert isinstance(form, e.FormDelivered)
        assert (form.version, form.freeze_fen, story.state.frozen_fen) == (2, LOWER_FEN - BALANCE_FEN, LOWER_FEN)
        story.remit()
        assert [order.amount_fen for order in story.state.remittances] == [LOWER_FEN]

    def test_after_the_order_more_follows_by_a_linked_order(self) -> None:
        story = delivered(LOWER_FEN)
        story.remit()
        story.correct(BALANCE_FEN)
        assert story.receive()[-2:] == ("funds_credited", "step_opened")
        assert story.state.funds_status == "PENDING"
        assert story.state.step(K.REMIT_PERSONAL_ACCOUNT).round == 2
        story.remit()
        order = story.state.on_its_way
        assert order is not None
        assert (order.reference, order.amount_fen, order.corrects) == (f"{NO}-02", 120_000, f"{NO}-01")

    def test_after_the_order_too_much_comes_home_once_a_supervisor_approves(self) -> None:
        story = delivered()
        story.remit()
        story.correct(LOWER_FEN)
        assert story.receive()[-2:] == ("funds_credited", "reverse_proposed")
        before = story.state
        assert story.decide(story.approval(), SUPERVISOR, c.ReverseFacts(balance_fen=119_999)) == invalid(
            "remittanceReference", "ACCOUNT_HOLDS_LESS", register=119_999, amount=120_000
        )
        assert story.state == before
        assert story.approve(120_000) == ("funds_ordered", "step_opened")
        assert (story.state.step(K.CONFIRM_RECEIPT).round, story.state.step(K.CONFIRM_RECEIPT).region) == (2, O)
        assert objection(story.state, TransferAction.CONFIRM_RECEIPT, R_FINANCE) == NotAllowed(why="WRONG_SIDE")
        story.confirm_continuation()
        assert story.receive(O_FINANCE)[-2:] == ("funds_credited", "completed")
        assert (story.state.settled_fen, story.state.funds_status) == (LOWER_FEN, "CREDITED")

    def test_a_way_home_that_nobody_has_approved_gives_way_to_the_next_form(self) -> None:
        story = credited()
        assert story.correct(LOWER_FEN)[-1] == "reverse_proposed"
        story.correct(BALANCE_FEN)
        assert [(order.reference, order.status) for order in story.state.remittances] == [
            (f"{NO}-01", "CREDITED"),
            (f"{NO}-02", "RETURNED"),
        ]
        assert (story.state.on_its_way, story.state.funds_status) == (None, "CREDITED")
        assert story.state.remittance == story.state.remittances[0]
        assert story.confirm_continuation()[-1] == "completed"

    def test_one_of_another_amount_is_proposed_anew_under_another_reference(self) -> None:
        story = credited()
        story.correct(LOWER_FEN)
        assert story.correct(200_000)[-1] == "reverse_proposed"
        order = story.state.on_its_way
        assert order is not None
        assert (order.reference, order.amount_fen) == (f"{NO}-03", 220_000)

    def test_one_of_the_same_amount_stays_as_it_was_proposed(self) -> None:
        story = credited()
        story.correct(LOWER_FEN)
        assert story.correct(LOWER_FEN) == ("form_delivered", "correction_answered")
        assert story.approve()[0] == "funds_ordered"

    def test_what_was_to_follow_is_not_sent_once_a_later_form_says_that_enough_was(self) -> None:
        story = delivered(LOWER_FEN)
        story.remit()
        story.receive()
        assert "step_opened" in story.correct(BALANCE_FEN)
        assert story.state.is_open(K.REMIT_PERSONAL_ACCOUNT)
        story.correct(LOWER_FEN)
        assert not story.state.is_open(K.REMIT_PERSONAL_ACCOUNT)
        assert (story.state.frozen_fen, story.state.funds_status) == (0, "CREDITED")

    def test_money_that_comes_home_and_is_owed_after_all_is_set_aside_again(self) -> None:
        story = credited()
        story.correct(LOWER_FEN)
        story.approve()
        story.correct(BALANCE_FEN)
        assert story.receive(O_FINANCE)[-2:] == ("funds_credited", "step_opened")
        came_home = next(event.fact for event in reversed(story.events) if isinstance(event.fact, e.FundsCredited))
        assert (came_home.amount_fen, came_home.freeze_fen, story.state.frozen_fen) == (120_000, 120_000, 120_000)

    def test_a_balance_that_was_zero_is_sent_once_a_form_finds_it(self) -> None:
        story = delivered(0)
        assert story.state.funds_status == "NOT_REQUIRED"
        assert story.correct(LOWER_FEN) == ("form_delivered", "correction_answered", "step_opened")
        assert (story.state.funds_status, story.state.step(K.REMIT_PERSONAL_ACCOUNT).round) == ("PENDING", 2)
        assert story.correct(0)[-1] == "funds_not_required"
        assert story.state.funds_status == "NOT_REQUIRED"

    def test_a_negative_balance_no_note_allows(self) -> None:
        story = accepted()
        assert story.decide(story.asked(-1), O_CLERK, story.register()) == invalid("personalAccountBalance", "NEGATIVE")


class TestACorrectionOfTheRecord:
    def test_after_continuation_it_supersedes_and_nobody_undoes_what_r_s_register_holds(self) -> None:
        story = delivered()
        story.confirm_continuation()
        assert story.state.status == "AWAITING_FUNDS"
        assert story.do(ASKED, R_CLERK) == ("correction_requested", "step_opened")
        assert (story.state.status, story.state.continued) == ("CORRECTION_REQUESTED", False)
        for action, actor in (
            (TransferAction.RETURN_TRANSFER, O_CLERK),
            (TransferAction.TERMINATE_TRANSFER, SUPERVISOR),
        ):
            assert objection(story.state, action, actor) == NotAllowed(why="ALREADY_DONE")
        assert story.form() == ("form_delivered", "correction_answered", "step_opened")
        assert story.confirm_continuation() == ("continuation_confirmed",)
        assert (story.state.statements, story.state.step(K.CONFIRM_CONTINUATION).round) == (2, 2)

    def test_r_s_clock_stands_still_while_o_answers(self) -> None:
        story = delivered()
        story.do(ASKED, R_CLERK, when=at("2026-09-21 10:00"))
        paused = story.state.step(K.CONFIRM_CONTINUATION).deadline
        reopened = story.state.step(K.DELIVER_INFORMATION_FORM)
        assert paused is not None
        assert paused.paused_since == date(2026, 9, 21)
        assert reopened.deadline is not None
        assert (reopened.round, reopened.deadline.working_days, reopened.deadline.basis) == (
            2,
            5,
            "platform, after 94号",
        )
        story.form(when="2026-09-23 10:00")
        resumed = story.state.step(K.CONFIRM_CONTINUATION).deadline
        assert resumed is not None
        # Monday the 21st still counted; Tuesday and Wednesday did not.
        assert (resumed.starts_on, resumed.due_on) == (date(2026, 9, 18), date(2026, 9, 29))

    def test_one_at_a_time(self) -> None:
        story = delivered()
        story.do(ASKED, R_CLERK)
        assert objection(story.state, TransferAction.REQUEST_CORRECTION, R_CLERK) == NotAllowed(why="NOT_YET")
        assert objection(story.state, TransferAction.CONFIRM_CONTINUATION, R_CLERK) == NotAllowed(why="NOT_YET")

    def test_o_may_still_return_a_case_whose_form_is_disputed_and_gives_the_money_back(self) -> None:
        story = delivered()
        story.do(ASKED, R_CLERK)
        assert story.do(returned(), O_CLERK) == ("funds_released", "declined")
        assert (story.state.status, story.state.frozen_fen) == ("DECLINED", 0)


class TestThePayout:
    def paying(self, balance_fen: int = BALANCE_FEN) -> Detour:
        return delivered(balance_fen, disposition=Disposition.PAY_OUT)

    def account(self, story: Detour, *, when: str | None = None) -> tuple[str, ...]:
        asked = c.ProvidePayoutAccount(sealed="00", masked_account="…1234")
        return story.do(asked, PERSON, when=at(when) if when else None)

    def bank(self, story: Detour) -> tuple[str, ...]:
        order = story.state.on_its_way
        assert order is not None
        facts = bank_took_order(story.state, order.reference)
        return story.happen(conclude(story.state, facts, at=story.now, actor=BANK, calendar=CALENDAR), BANK)

    def test_o_s_clock_waits_for_the_person_s_account(self) -> None:
        story = self.paying()
        assert objection(story.state, TransferAction.REMIT_PERSONAL_ACCOUNT, O_FINANCE) == NotAllowed(why="NOT_YET")
        deadline = story.state.step(K.REMIT_PERSONAL_ACCOUNT).deadline
        assert deadline is not None
        assert deadline.paused_since == date(2026, 9, 18)
        self.account(story, when="2026-09-22 10:00")
        resumed = story.state.step(K.REMIT_PERSONAL_ACCOUNT).deadline
        assert resumed is not None
        # Three working days did not count, the make-up Sunday among them: 9 October plus the 10th, 12th and 13th.
        assert (resumed.starts_on, resumed.due_on) == (date(2026, 9, 18), date(2026, 10, 13))
        story.remit()
        assert self.bank(story) == ("funds_remitted", "funds_paid_out")
        assert story.confirm_continuation()[-1] == "completed"

    def test_with_more_to_pay_it_is_not_at_an_end(self) -> None:
        story = self.paying(LOWER_FEN)
        self.account(story)
        story.remit()
        story.correct(BALANCE_FEN)
        story.confirm_continuation()
        assert self.bank(story) == ("funds_remitted", "funds_paid_out", "step_opened")
        assert (story.state.status, story.state.funds_status, story.state.frozen_fen) == (
            "AWAITING_FUNDS",
            "PENDING",
            120_000,
        )
        story.remit()
        assert self.bank(story)[-1] == "completed"

    def test_what_was_paid_cannot_be_called_back(self) -> None:
        story = self.paying()
        self.account(story)
        story.remit()
        story.do(ASKED, R_CLERK)
        refused = invalid("personalAccountBalance", "LESS_THAN_PAID_OUT", paid=BALANCE_FEN)
        assert story.decide(story.asked(LOWER_FEN), O_CLERK, story.register()) == refused
        assert objection(story.state, TransferAction.TERMINATE_TRANSFER, SUPERVISOR) == NotAllowed(why="ALREADY_DONE")

    def test_nothing_is_paid_while_the_form_is_disputed(self) -> None:
        story = self.paying()
        self.account(story)
        story.do(ASKED, R_CLERK)
        assert objection(story.state, TransferAction.REMIT_PERSONAL_ACCOUNT, O_FINANCE) == NotAllowed(why="NOT_YET")
        story.form(LOWER_FEN)
        assert objection(story.state, TransferAction.REMIT_PERSONAL_ACCOUNT, O_FINANCE) is None

    def test_a_policy_that_changes_under_way_does_not_move_the_money_elsewhere(self) -> None:
        story = credited()
        story.do(ASKED, R_CLERK)
        story.form(disposition=Disposition.RETAIN)
        assert (story.state.funds_status, story.state.form and story.state.form.disposition) == ("CREDITED", "remit")


class TestARetainedBalance:
    def test_it_stays_and_is_not_frozen(self) -> None:
        story = delivered(disposition=Disposition.RETAIN)
        assert (story.state.funds_status, story.state.frozen_fen) == ("RETAINED_IN_PROVINCE", 0)
        assert story.confirm_continuation()[-1] == "completed"

    def test_of_nothing_nothing_is_retained(self) -> None:
        story = delivered(0, disposition=Disposition.RETAIN)
        assert story.state.funds_status == "NOT_REQUIRED"
        assert story.correct(LOWER_FEN)[-1] == "funds_retained"
        assert story.correct(0)[-1] == "funds_not_required"


class TestTheChecker:
    def prepared(self) -> Detour:
        story = accepted()
        assert story.form(LOWER_FEN, needs_checker=True) == ("form_prepared",)
        return story

    def test_the_form_counts_once_another_person_has_checked_it(self) -> None:
        story = self.prepared()
        assert story.state.status == "TRANSFERRING_OUT"
        maker = O_CHECKER.model_copy(update={"subject": O_CLERK.subject})
        assert story.decide(c.CheckInformationForm(), maker, story.register()) == NotAllowed(why="SAME_PERSON")
        said = story.do(c.CheckInformationForm(), O_CHECKER, story.register())
        assert said == ("form_delivered", "step_opened", "step_opened")
        assert (story.state.prepared, story.state.form and story.state.form.balance_fen) == (None, LOWER_FEN)

    def test_the_maker_may_make_it_anew_and_the_case_be_withdrawn_until_it_counts(self) -> None:
        story = self.prepared()
        assert objection(story.state, TransferAction.WITHDRAW_TRANSFER, PERSON) is None
        assert story.form(needs_checker=True) == ("form_prepared",)
        assert story.state.prepared is not None
        assert story.state.prepared.balance_fen == BALANCE_FEN

    def test_what_the_account_does_not_hold_any_more_is_not_checked_through(self) -> None:
        story = self.prepared()
        before = story.state
        refused = invalid("personalAccountBalance", "MORE_THAN_THE_ACCOUNT_HOLDS", register=1)
        assert story.decide(c.CheckInformationForm(), O_CHECKER, form_facts(1)) == refused
        assert story.state == before


class TestTermination:
    END = c.TerminateTransfer(reason="double transfer")

    @pytest.mark.parametrize(
        ("story", "said"),
        [
            (accepted(), ("terminated",)),
            (Detour(submission(stop_needed=True)), ("terminated",)),
            (delivered(), ("funds_released", "terminated")),
            (delivered(disposition=Disposition.PAY_OUT), ("funds_released", "terminated")),
            (delivered(disposition=Disposition.RETAIN), ("terminated",)),
            (delivered(0), ("terminated",)),
        ],
    )
    def test_before_money_has_left_it_ends_at_once(self, story: Detour, said: tuple[str, ...]) -> None:
        assert story.do(self.END, SUPERVISOR) == said
        assert (story.state.status, story.state.frozen_fen) == ("TERMINATED", 0)

    def test_money_on_its_way_is_received_first_and_then_comes_home(self) -> None:
        story = delivered()
        story.remit()
        assert story.do(self.END, SUPERVISOR) == ("termination_ordered",)
        assert [step.kind for step in story.state.open_steps] == [K.CONFIRM_RECEIPT]
        assert story.receive()[-2:] == ("funds_credited", "reverse_proposed")
        assert story.approve() == ("funds_ordered", "step_opened")
        assert story.receive(O_FINANCE)[-2:] == ("funds_credited", "terminated")
        assert (story.state.status, story.state.settled_fen) == ("TERMINATED", 0)

    def test_money_that_has_arrived_comes_home_and_what_is_frozen_is_given_back(self) -> None:
        story = delivered(LOWER_FEN)
        story.remit()
        story.receive()
        story.correct(BALANCE_FEN)
        said = story.do(self.END, SUPERVISOR)
        assert said == ("funds_released", "termination_ordered", "reverse_proposed")
        for action, actor in (
            (TransferAction.REISSUE_CERTIFICATE, PERSON),
            (TransferAction.REQUEST_CORRECTION, R_CLERK),
            (TransferAction.CONFIRM_CONTINUATION, R_CLERK),
            (TransferAction.REMIT_PERSONAL_ACCOUNT, O_FINANCE),
        ):
            assert objection(story.state, action, actor) is not None
        story.approve()
        assert story.receive(O_FINANCE)[-1] == "terminated"

    def test_a_continued_record_is_not_terminated(self) -> None:
        story = delivered()
        story.confirm_continuation()
        before = story.state
        assert story.decide(self.END, SUPERVISOR) == NotAllowed(why="ALREADY_DONE")
        assert story.state == before


class TestStoppingTheCover:
    def test_we_stop_the_cover_of_nobody_whom_r_does_not_cover(self) -> None:
        story = Detour(submission(stop_needed=True))
        alone = STOP.model_copy(update={"covered_elsewhere": False})
        before = story.state
        asked = c.StopCoverage(stopped_on=SUBMITTED_AT.date())
        assert story.decide(asked, O_CLERK, alone) == invalid("stoppedOn", "NOT_COVERED_AT_DESTINATION")
        assert story.state == before
        stopped = alone.model_copy(update={"already_stopped_on": SUBMITTED_AT.date()})
        assert kinds(story.decide(asked, O_CLERK, stopped))[0] == "coverage_stopped"


class TestWaitingForTheRegisters:
    WAITS = finding(RefusalCode.CURRENT_MONTH_UNPAID, cls=RefusalClass.RETRIED, region=R, month="2026-09")
    SILENT = finding(
        RefusalCode.REGISTER_UNAVAILABLE,
        side=WAITS.side,
        cls=RefusalClass.RETRIED,
        region=R,
        retry_on=date(2026, 9, 21),
    )
    GAP = open_gap(date(2026, 8, 31), 3)

    def waiting(self, route: TransferRoute = TransferRoute.PLATFORM) -> Detour:
        manual = route is TransferRoute.PAPER
        unconnected = (O,) if manual else ()
        given: dict[str, Any] = {
            "waiting": True,
            "gap": self.GAP,
            "route": route,
            "unconnected": unconnected,
            "findings": (self.WAITS,),
        }
        return Detour(submission(manual=manual, **given))

    def again(self, *findings: Any, waiting: bool, manual: bool = False, gap: Any = None) -> Recheck:
        checked = e.RegisterChecked(
            findings=findings,
            waiting=waiting,
            manual=manual,
            stop_needed=False,
            stopped_on=date(2026, 8, 31),
            gap=gap,
        )
        return Recheck(checked, (), None, {})

    def ask(self, story: Detour, again: Recheck) -> tuple[str, ...]:
        return story.happen(recheck(story.state, again, story.now, CALENDAR))

    def test_no_clock_of_an_agency_runs_and_the_person_s_own_does(self) -> None:
        story = self.waiting()
        assert (story.state.waiting, story.state.open_steps) == (True, ())
        alarm = next_alarm(story.state)
        assert alarm is not None
        assert (alarm.at, alarm.kind, alarm.step) == (at("2026-12-01 00:00"), "GAP", None)
        story.now = alarm.at
        assert story.happen(tick(story.state, story.now, CALENDAR)) == ("gap_warned",)

    def test_the_same_answer_says_nothing_and_another_one_does_not_warn_again(self) -> None:
        story = self.waiting()
        story.now = at("2026-12-01 00:00")
        story.happen(tick(story.state, story.now, CALENDAR))
        tomorrow = self.WAITS.model_copy(update={"retry_on": date(2026, 12, 2)})
        assert self.ask(story, self.again(tomorrow, waiting=True, gap=self.GAP)) == ()
        more = finding(RefusalCode.UNSETTLED_CLAIMS, cls=RefusalClass.RETRIED, region=O)
        assert self.ask(story, self.again(self.WAITS, more, waiting=True, gap=self.GAP)) == ("register_checked",)
        assert story.state.gap is not None
        assert story.state.gap.warned == (30,)
        assert tick(story.state, story.now, CALENDAR) == ()

    def test_a_silent_register_does_not_end_the_person_s_clock(self) -> None:
        story = self.waiting()
        assert self.ask(story, self.again(self.SILENT, waiting=True)) == ("register_checked",)
        assert story.state.gap == self.GAP

    def test_it_goes_on_by_itself_to_acceptance_or_to_the_clerk_or_ends(self) -> None:
        story = self.waiting()
        assert self.ask(story, self.again(waiting=False)) == ("register_checked", "accepted", "step_opened")
        assert (story.state.status, story.state.gap) == ("TRANSFERRING_OUT", None)
        story = self.waiting()
        assert self.ask(story, self.again(waiting=False, manual=True)) == ("register_checked", "step_opened")
        assert [step.kind for step in story.state.open_steps] == [K.ACCEPT_APPLICATION]
        story = self.waiting()
        blocked = self.again(waiting=False)._replace(blocking=(finding(RefusalCode.RETIRED, region=O),))
        assert self.ask(story, blocked) == ("declined",)
        assert story.state.status == "DECLINED"

    def test_by_post_r_accepts_though_its_region_was_connected_meanwhile(self) -> None:
        story = self.waiting(TransferRoute.PAPER)
        assert self.ask(story, self.again(waiting=False, manual=False)) == ("register_checked", "step_opened")
        (step,) = story.state.open_steps
        assert (step.kind, step.round) == (K.ACCEPT_APPLICATION, 1)

    def test_it_can_be_withdrawn_and_terminated(self) -> None:
        assert self.waiting().do(c.WithdrawTransfer(reason="x"), PERSON) == ("withdrawn",)
        assert self.waiting().do(c.TerminateTransfer(reason="x"), SUPERVISOR) == ("terminated",)
