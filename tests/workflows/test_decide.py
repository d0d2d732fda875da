"""What each command makes true, fact by fact; what it cannot be; and when a revision that a caller saw is stale."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.workflows.pure_cases import (
    ACCEPTANCE,
    BALANCE_FEN,
    CALENDAR,
    DESTINATION,
    EMPLOYER,
    NO,
    NOT_PAID,
    O_CLERK,
    O_FINANCE,
    O_PERIODS,
    PERSON,
    R_CLERK,
    R_FINANCE,
    REFERENCE,
    STOP,
    SUBMITTED_AT,
    O,
    R,
    Story,
    at,
    form_facts,
    kinds,
    months,
    receipt,
    returned,
    submission,
)
from workflows import commands as c
from workflows import events as e
from workflows.actors import Actor
from workflows.clocks import next_alarm, tick
from workflows.decide import decide, decide_submission, issue_certificate
from workflows.findings import Finding, finding
from workflows.fold import apply, fold
from workflows.law import INSTRUMENTS, REFUSALS
from workflows.money import bank_took_order
from workflows.rules import Invalid, NotAllowed, Stale, Violation, allowed_actions, invalid, objection
from workflows.vocabulary import RefusalClass, RefusalCode, ReturnReason, Role, Side, StepState, TransferAction
from workflows.vocabulary import TransferStepKind as K

A = TransferAction
ON_THE_DAY = SUBMITTED_AT.date()


def received(amount_fen: int = BALANCE_FEN, **given: Any) -> c.ConfirmReceipt:
    """An advice of the day, without a note."""
    return receipt(amount_fen, **({"received_on": ON_THE_DAY, "note": None} | given))


def accepted() -> Story:
    story = Story()
    story.happen(issue_certificate(story.state))
    return story


def delivered(balance_fen: int = BALANCE_FEN) -> Story:
    story = accepted()
    story.deliver(balance_fen)
    return story


def remitted() -> Story:
    story = delivered()
    story.remit()
    return story


class TestAStory:
    def test_the_straight_way_to_the_end_fact_by_fact(self) -> None:
        story = Story()
        assert kinds(tuple(event.fact for event in story.events)) == ("submitted", "accepted", "step_opened")
        assert story.happen(issue_certificate(story.state)) == ("certificate_issued",)
        assert story.deliver() == ("form_delivered", "step_opened", "step_opened")
        assert story.remit() == ("remittance_ordered", "funds_ordered", "step_opened")
        assert story.happen(bank_took_order(story.state, REFERENCE)) == ("funds_remitted",)
        assert story.confirm_continuation() == ("continuation_confirmed",)
        assert story.do(received(), R_FINANCE, NOT_PAID) == (
            "receipt_confirmed",
            "funds_received",
            "funds_credited",
            "completed",
        )
        assert (story.state.status, story.state.funds_status, story.state.revision) == ("COMPLETED", "CREDITED", 16)
        assert {step.kind.value: step.state.value for step in story.state.steps} == {
            "ACCEPT_APPLICATION": "SKIPPED",
            "STOP_COVERAGE": "SKIPPED",
            "ISSUE_CERTIFICATE": "DONE",
            "DELIVER_INFORMATION_FORM": "DONE",
            "REMIT_PERSONAL_ACCOUNT": "DONE",
            "CONFIRM_CONTINUATION": "DONE",
            "CONFIRM_RECEIPT": "DONE",
        }

    def test_the_money_may_end_before_the_record_and_the_record_then_completes_the_case(self) -> None:
        story = remitted()
        assert story.do(received(), R_FINANCE, NOT_PAID) == (
            "funds_remitted",
            "receipt_confirmed",
            "funds_received",
            "funds_credited",
        )
        credited = story.state
        assert objection(credited, A.CONFIRM_RECEIPT, R_FINANCE) == NotAllowed(why="ALREADY_DONE")
        assert (story.state.status, story.state.funds_status) == ("TRANSFERRING_IN", "CREDITED")
        assert story.confirm_continuation() == ("continuation_confirmed", "completed")

    def test_with_a_zero_balance_no_money_moves_and_the_record_alone_completes_the_case(self) -> None:
        story = accepted()
        assert story.deliver(0) == ("form_delivered", "funds_not_required", "step_opened")
        assert story.state.funds_status == "NOT_REQUIRED"
        assert [story.state.step(kind).state for kind in (K.REMIT_PERSONAL_ACCOUNT, K.CONFIRM_RECEIPT)] == [
            StepState.SKIPPED,
            StepState.SKIPPED,
        ]
        assert story.confirm_continuation() == ("continuation_confirmed", "completed")

    def test_a_manual_finding_waits_for_the_clerk_then_for_the_stop_that_was_asked_for(self) -> None:
        story = Story(submission(manual=True, stop_needed=True))
        assert [step.kind for step in story.state.open_steps] == [K.ACCEPT_APPLICATION]
        assert story.do(c.AcceptTransfer(), R_CLERK, ACCEPTANCE) == ("application_accepted", "step_opened")
        assert [step.kind for step in story.state.open_steps] == [K.STOP_COVERAGE]
        stopped = c.StopCoverage(stopped_on=date(2026, 9, 17))
        assert story.do(stopped, O_CLERK, STOP) == ("coverage_stopped", "accepted", "step_opened")
        assert (story.state.status, story.state.stopped_on) == ("TRANSFERRING_OUT", date(2026, 9, 17))

    def test_registers_that_changed_before_the_carrying_out_end_the_case_as_it_begins(self) -> None:
        blocking = (finding(RefusalCode.RETIRED, region=O),)
        story = Story(submission()._replace(blocking=blocking))
        assert kinds(tuple(event.fact for event in story.events)) == ("submitted", "declined")
        assert (story.state.status, story.state.findings) == ("DECLINED", blocking)

    def test_arrears_are_told_once_after_the_submission(self) -> None:
        arrears = e.ArrearsNotified(arrears_fen=12_300, first_month="2026-01", last_month="2026-03")
        facts = decide_submission(submission()._replace(arrears=arrears), SUBMITTED_AT, CALENDAR)
        assert kinds(facts) == ("submitted", "arrears_notified", "accepted", "step_opened")
        assert facts[1] == arrears

    def test_events_out_of_order_are_refused(self) -> None:
        story = accepted()
        with pytest.raises(ValueError, match="event 4 does not follow: 5 is next"):
            apply(story.state, story.events[-1])
        with pytest.raises(ValueError, match="event 2 does not follow: 1 is next"):
            fold(story.events[1:])
        with pytest.raises(ValueError, match="no events to fold"):
            fold([])

    def test_facts_of_another_step_are_a_fault_of_the_program(self) -> None:
        with pytest.raises(TypeError, match="DeliverInformationForm cannot be decided on NoneType"):
            accepted().decide(c.DeliverInformationForm(), O_CLERK)


class TestPeriods:
    def test_shortened_periods_hold_for_the_steps_before_acceptance_too(self) -> None:
        periods = {K.ACCEPT_APPLICATION: 2, K.STOP_COVERAGE: 3, K.DELIVER_INFORMATION_FORM: 7}
        manual = Story(submission(manual=True, periods=periods))
        stop = Story(submission(stop_needed=True, periods=periods))
        plain = Story(submission(periods=periods))
        given = [story.state.open_steps[-1].deadline for story in (manual, stop, plain)]
        assert [each and (each.working_days, each.due_on) for each in given] == [
            (2, date(2026, 9, 21)),
            (3, date(2026, 9, 22)),
            (7, date(2026, 9, 29)),
        ]

    def test_a_period_that_shortens_the_paper_route_s_only_does_not_lengthen_the_platform_s(self) -> None:
        deadline = Story(submission(periods={K.DELIVER_INFORMATION_FORM: 12})).state.open_steps[-1].deadline
        assert deadline is not None
        assert (deadline.working_days, deadline.due_on) == (10, date(2026, 10, 9))

    def test_the_law_s_periods_and_their_bases(self) -> None:
        story = delivered()
        story.remit()
        limits = {
            step.kind: step.deadline and (step.deadline.working_days, step.deadline.basis) for step in story.state.steps
        }
        assert limits == {
            K.ACCEPT_APPLICATION: None,
            K.STOP_COVERAGE: None,
            K.ISSUE_CERTIFICATE: None,
            K.DELIVER_INFORMATION_FORM: (10, "43号"),
            K.REMIT_PERSONAL_ACCOUNT: (10, "43号"),
            K.CONFIRM_CONTINUATION: (5, "43号"),
            K.CONFIRM_RECEIPT: (10, "platform"),
        }

    def test_the_money_shares_the_form_s_clock_and_the_continuation_starts_its_own(self) -> None:
        story = accepted()
        story.deliver(when=at("2026-09-28 09:00"))
        dates = {step.kind: step.deadline and step.deadline.due_on for step in story.state.open_steps}
        assert dates == {K.REMIT_PERSONAL_ACCOUNT: date(2026, 10, 9), K.CONFIRM_CONTINUATION: date(2026, 10, 10)}


class TestWithdrawal:
    @pytest.mark.parametrize(
        "story", [Story(), accepted(), Story(submission(stop_needed=True)), Story(submission(manual=True))]
    )
    def test_while_no_agency_has_done_a_step_the_applicant_may(self, story: Story) -> None:
        assert kinds(story.decide(c.WithdrawTransfer(reason="x"), PERSON)) == ("withdrawn",)
        assert kinds(story.decide(c.WithdrawTransfer(reason="x"), EMPLOYER)) == ("withdrawn",)

    def test_after_an_agency_s_step_there_is_no_way_back(self) -> None:
        acted = Story(submission(manual=True)), Story(submission(stop_needed=True)), delivered()
        acted[0].do(c.AcceptTransfer(), R_CLERK, ACCEPTANCE)
        acted[1].do(c.StopCoverage(stopped_on=ON_THE_DAY), O_CLERK, STOP)
        for story in acted:
            before = story.state
            assert story.decide(c.WithdrawTransfer(reason="x"), PERSON) == NotAllowed(why="ALREADY_DONE")
            assert story.state == before

    def test_an_official_s_token_withdraws_nothing_whatever_else_it_says(self) -> None:
        both = Actor(subject="x", roles=(Role.INSURED_PERSON, Role.CLERK), region=R)
        assert objection(Story().state, A.WITHDRAW_TRANSFER, both) == NotAllowed(why="WRONG_ROLE")
        assert allowed_actions(accepted().state, both) == ()

    def test_an_agency_s_role_without_a_region_is_on_no_side(self) -> None:
        nowhere = Actor(subject="x", roles=(Role.CLERK,))
        assert objection(accepted().state, A.DELIVER_INFORMATION_FORM, nowhere) == NotAllowed(why="WRONG_SIDE")


class TestStoppingCoverage:
    def story(self) -> Story:
        return Story(submission(stop_needed=True))

    def test_today_is_a_day_of_cover_that_can_be_the_last(self) -> None:
        assert self.story().do(c.StopCoverage(stopped_on=ON_THE_DAY), O_CLERK, STOP)[0] == "coverage_stopped"

    def test_today_is_shanghai_s(self) -> None:
        story = Story(submission(stop_needed=True), when=at("2026-09-18 00:30"))
        assert kinds(story.decide(c.StopCoverage(stopped_on=ON_THE_DAY), O_CLERK, STOP))[0] == "coverage_stopped"

    def test_a_date_in_the_future_changes_nothing(self) -> None:
        story = self.story()
        before = story.state
        tomorrow = c.StopCoverage(stopped_on=ON_THE_DAY + timedelta(days=1))
        assert story.decide(tomorrow, O_CLERK, STOP) == invalid("stoppedOn", "IN_THE_FUTURE")
        assert story.state == before

    def test_a_date_before_the_coverage_began_changes_nothing(self) -> None:
        early = c.StopCoverage(stopped_on=date(2014, 12, 31))
        refused = invalid("stoppedOn", "BEFORE_COVERAGE", covered_from="2015-01-01")
        assert self.story().decide(early, O_CLERK, STOP) == refused
        first_day = c.StopCoverage(stopped_on=date(2015, 1, 1))
        assert kinds(self.story().decide(first_day, O_CLERK, STOP))[0] == "coverage_stopped"

    def test_a_stop_that_the_register_has_keeps_its_date(self) -> None:
        known = STOP.model_copy(update={"already_stopped_on": date(2026, 9, 10)})
        refused = invalid("stoppedOn", "STOPPED_ALREADY", stopped_on="2026-09-10")
        for other in (date(2026, 9, 9), ON_THE_DAY, ON_THE_DAY + timedelta(days=1)):
            assert self.story().decide(c.StopCoverage(stopped_on=other), O_CLERK, known) == refused
        same = c.StopCoverage(stopped_on=date(2026, 9, 10))
        assert kinds(self.story().decide(same, O_CLERK, known))[0] == "coverage_stopped"


class TestReasons:
    def test_a_return_ends_declined_with_the_law_s_reason_mended_at_o(self) -> None:
        story = Story(submission(stop_needed=True))
        assert story.do(returned(ReturnReason.EMPLOYER_HAS_NOT_STOPPED), O_CLERK) == ("declined",)
        assert (story.state.status, story.state.returned) == ("DECLINED", ReturnReason.EMPLOYER_HAS_NOT_STOPPED)
        assert story.state.findings == (
            Finding(
                code=RefusalCode.COVERAGE_STILL_ACTIVE,
                cls=RefusalClass.BLOCKS,
                side=Side.TRANSFER_OUT,
                region=O,
                basis="43号",
            ),
        )

    @pytest.mark.parametrize("reason", ReturnReason)
    def test_every_reason_of_o_is_one_of_o_s_side(self, reason: ReturnReason) -> None:
        story = accepted()
        story.do(returned(reason), O_CLERK)
        assert [(each.side, each.region) for each in story.state.findings] == [(Side.TRANSFER_OUT, O)]

    def test_a_decline_says_each_reason_once_on_the_side_where_the_law_has_it_mended(self) -> None:
        found = finding(RefusalCode.SPECIAL_PERSONNEL, cls=RefusalClass.MANUAL)
        story = Story(submission(manual=True, findings=(found,)))
        codes = (
            RefusalCode.SPECIAL_PERSONNEL,
            RefusalCode.ACCOUNT_FROZEN,
            RefusalCode.IDENTITY_MISMATCH,
            RefusalCode.DOUBLE_INSURED,
            RefusalCode.ACCOUNT_FROZEN,
        )
        story.do(c.DeclineTransfer(reasons=codes), R_CLERK)
        assert [(each.code, each.cls, each.side, each.region, each.basis) for each in story.state.findings] == [
            ("SPECIAL_PERSONNEL", "BLOCKS", "PLATFORM", None, "43号"),
            ("ACCOUNT_FROZEN", "BLOCKS", "TRANSFER_OUT", O, "43号"),
            ("IDENTITY_MISMATCH", "BLOCKS", "TRANSFER_IN", R, "43号"),
            ("DOUBLE_INSURED", "BLOCKS", "TRANSFER_IN", R, "SIL"),
        ]

    def test_a_reason_that_the_pre_check_found_keeps_its_figures(self) -> None:
        found = finding(
            RefusalCode.DOUBLE_INSURED, side=Side.TRANSFER_IN, cls=RefusalClass.MANUAL, region=R, held="RESIDENT"
        )
        story = Story(submission(manual=True, findings=(found,)))
        story.do(c.DeclineTransfer(reasons=(RefusalCode.DOUBLE_INSURED,)), R_CLERK)
        assert story.state.findings == (found.model_copy(update={"cls": RefusalClass.BLOCKS}),)

    def test_a_decline_without_a_reason_changes_nothing(self) -> None:
        story = Story(submission(manual=True))
        before = story.state
        assert story.decide(c.DeclineTransfer(reasons=()), R_CLERK) == invalid("reasons", "EMPTY")
        assert story.state == before

    def test_every_code_of_the_closed_list_has_its_ground_in_law(self) -> None:
        assert set(REFUSALS) == set(RefusalCode)
        assert {ground.basis for ground in REFUSALS.values()} <= INSTRUMENTS.keys()

    def test_a_finding_on_another_side_than_the_law_s_cannot_be_made(self) -> None:
        with pytest.raises(ValueError, match="RETIRED is not found on the side of TRANSFER_IN"):
            finding(RefusalCode.RETIRED, side=Side.TRANSFER_IN)
        with pytest.raises(ValueError, match="too many values"):
            finding(RefusalCode.SCHEME_MISMATCH)


class TestTheForm:
    def form(self, ask: c.DeliverInformationForm, facts: c.FormFacts | None = None) -> e.FormDelivered:
        decided = accepted().decide(ask, O_CLERK, facts or form_facts())
        assert isinstance(decided, tuple), decided
        assert isinstance(decided[0], e.FormDelivered)
        return decided[0]

    def refused(self, *faults: tuple[str, str, dict[str, Any]], facts: c.FormFacts | None = None, **given: Any) -> None:
        story = accepted()
        before = story.state
        answer = story.decide(c.DeliverInformationForm(**given), O_CLERK, facts or form_facts())
        violations = [Violation(field=field, code=code, figures=figures) for field, code, figures in faults]
        assert answer == Invalid(violations=tuple(violations))
        assert story.state == before

    def period(self, first: str, last: str) -> c.FormPeriod:
        return c.FormPeriod(first_month=first, last_month=last)

    def test_left_out_periods_and_balance_are_the_register_s(self) -> None:
        form = self.form(c.DeliverInformationForm())
        assert (form.version, form.periods, form.balance_fen, form.note) == (1, O_PERIODS, BALANCE_FEN, None)
        assert (form.outlook.total_months, form.outlook.overlaps) == (141, ())

    def test_what_agrees_needs_no_note_however_it_is_cut(self) -> None:
        cut = (self.period("2020-01", "2026-08"), self.period("2015-01", "2019-12"))
        form = self.form(c.DeliverInformationForm(periods=cut, balance_fen=BALANCE_FEN))
        assert (form.periods, form.balance_fen) == (O_PERIODS, BALANCE_FEN)

    def test_what_agrees_keeps_the_regions_of_earlier_transfers(self) -> None:
        held = (*months("201501-201812", "440100"), *months("201901-202608"))
        form = self.form(
            c.DeliverInformationForm(periods=(self.period("2015-01", "2026-08"),)), form_facts(periods=held)
        )
        assert form.periods == held

    def test_what_differs_is_refused_without_a_note_each_field_by_itself(self) -> None:
        self.refused(
            ("contributionPeriods", "DIFFERS_FROM_REGISTER", {"register": "201501-202608"}),
            ("personalAccountBalance", "DIFFERS_FROM_REGISTER", {"register": BALANCE_FEN}),
            periods=(self.period("2015-01", "2026-07"),),
            balance_fen=BALANCE_FEN - 1,
            note="  ",
        )

    def test_what_differs_is_taken_with_a_note(self) -> None:
        given = c.DeliverInformationForm(
            periods=(self.period("2015-01", "2026-07"),), balance_fen=0, note="by the ledger"
        )
        form = self.form(given)
        assert (form.periods, form.balance_fen, form.note) == (months("201501-202607"), 0, "by the ledger")

    def test_deemed_months_given_as_paid_differ(self) -> None:
        self.refused(
            ("contributionPeriods", "DIFFERS_FROM_REGISTER", {"register": "d201501-202608"}),
            facts=form_facts(periods=months("d201501-202608")),
            periods=(self.period("2015-01", "2026-08"),),
        )

    def test_no_periods_given_is_not_the_same_as_none_left_out(self) -> None:
        self.refused(("contributionPeriods", "DIFFERS_FROM_REGISTER", {"register": "201501-202608"}), periods=())
        assert self.form(c.DeliverInformationForm(periods=(), note="no record")).periods == ()

    def test_more_than_the_account_holds_no_note_allows(self) -> None:
        self.refused(
            ("personalAccountBalance", "MORE_THAN_THE_ACCOUNT_HOLDS", {"register": BALANCE_FEN}),
            balance_fen=BALANCE_FEN + 1,
            note="interest",
        )

    def test_overlapping_periods_no_note_allows(self) -> None:
        overlapping = (self.period("2015-01", "2020-06"), self.period("2020-06", "2026-08"))
        self.refused(("contributionPeriods", "MONTHS_OVERLAP", {}), periods=overlapping, note="as entered")

    def test_backward_periods_no_note_allows(self) -> None:
        self.refused(
            ("contributionPeriods", "MONTHS_RUN_BACKWARDS", {}), periods=(self.period("2020-02", "2020-01"),), note="x"
        )

    def test_months_in_the_future_no_note_allows_unless_the_register_holds_them(self) -> None:
        ahead = (self.period("2015-01", "2026-10"),)
        self.refused(("contributionPeriods", "MONTHS_IN_THE_FUTURE", {}), periods=ahead, note="x")
        held = months("201501-202610")
        assert self.form(c.DeliverInformationForm(periods=ahead), form_facts(periods=held)).periods == held
        this_month = (self.period("2015-01", "2026-09"),)
        assert self.form(c.DeliverInformationForm(periods=this_month, note="x")).periods == months("201501-202609")


class TestTheMoney:
    def test_the_order_is_of_the_frozen_amount_under_our_own_reference(self) -> None:
        assert remitted().state.remittances[0].model_dump(exclude={"ordered_at"}) == {
            "reference": f"{NO}-01",
            "amount_fen": BALANCE_FEN,
            "status": "ORDERED",
            "kind": "TRANSFER",
            "corrects": None,
            "by_post": False,
            "bank_reference": None,
            "received_fen": None,
            "received_on": None,
            "returned_fen": 0,
            "return_reason": None,
            "returns": (),
            "missing_fen": 0,
            "sent_home_fen": 0,
            "uncredited": False,
            "prepared_by": None,
            "send_on": None,
        }

    @pytest.mark.parametrize("amount_fen", [0, BALANCE_FEN - 1, BALANCE_FEN + 1])
    def test_another_amount_is_mismatched_and_never_credited(self, amount_fen: int) -> None:
        story = remitted()
        assert story.do(received(amount_fen), R_FINANCE, NOT_PAID) == ("funds_remitted", "funds_mismatched")
        assert (story.state.funds_status, story.state.remittances[0].received_fen) == ("MISMATCHED", amount_fen)
        assert story.state.is_open(K.CONFIRM_RECEIPT)

    def test_a_mismatch_before_the_bank_s_word_counts_the_order_as_remitted_once(self) -> None:
        story = remitted()
        story.do(received(1), R_FINANCE, NOT_PAID)
        assert bank_took_order(story.state, REFERENCE) == ()
        assert story.do(received(note="typing error"), R_FINANCE, NOT_PAID) == (
            "receipt_confirmed",
            "funds_received",
            "funds_credited",
        )

    def test_a_mismatch_is_corrected_only_with_a_reason(self) -> None:
        story = remitted()
        story.do(received(1), R_FINANCE, NOT_PAID)
        before = story.state
        refused = invalid("note", "REASON_REQUIRED_AFTER_MISMATCH")
        assert story.decide(received(note=" "), R_FINANCE, NOT_PAID) == refused
        assert story.state == before
        assert story.do(received(2, note="still wrong"), R_FINANCE, NOT_PAID) == ("funds_mismatched",)
        assert story.state.remittances[0].received_fen == 2

    @pytest.mark.parametrize(
        ("given", "facts", "refused"),
        [
            (
                {"remittance_reference": "X-1"},
                None,
                ("remittanceReference", "UNKNOWN_REFERENCE", {"reference": REFERENCE}),
            ),
            ({"received_on": ON_THE_DAY + timedelta(days=1)}, None, ("receivedOn", "IN_THE_FUTURE", {})),
            ({"amount_fen": -1}, None, ("amount", "NEGATIVE", {})),
            (
                {"received_on": ON_THE_DAY - timedelta(days=1)},
                None,
                ("receivedOn", "BEFORE_THE_ORDER", {"ordered_on": "2026-09-18"}),
            ),
            (
                {},
                c.ReceiptFacts(paid_by_bank_reference="Z-01"),
                ("bankReference", "ALREADY_USED", {"reference": "Z-01"}),
            ),
        ],
    )
    def test_an_advice_that_cannot_be_changes_nothing(
        self, given: dict[str, Any], facts: c.ReceiptFacts | None, refused: tuple[str, str, dict[str, Any]]
    ) -> None:
        story = remitted()
        before = story.state
        answer = story.decide(received(**given), R_FINANCE, facts or NOT_PAID)
        assert answer == invalid(refused[0], refused[1], **refused[2])
        assert story.state == before

    def test_the_bank_s_word_counts_for_the_order_in_force_only(self) -> None:
        assert bank_took_order(delivered().state, REFERENCE) == ()
        assert bank_took_order(remitted().state, f"{NO}-02") == ()


class TestRevision:
    """`expectedRevision` refuses only what no longer rests on the same facts."""

    def test_a_clock_s_event_does_not_make_it_stale(self) -> None:
        story = accepted()
        seen = story.state.revision
        alarm = next_alarm(story.state)
        assert alarm is not None
        story.happen(tick(story.state, alarm.at, CALENDAR), when=alarm.at)
        assert story.state.revision == seen + 1
        assert objection(story.state, A.DELIVER_INFORMATION_FORM, O_CLERK, seen) is None

    def test_the_other_track_s_step_does_not_make_it_stale(self) -> None:
        story = delivered()
        seen = story.state.revision
        story.remit()
        assert objection(story.state, A.CONFIRM_CONTINUATION, R_CLERK, seen) is None
        seen = story.state.revision
        story.confirm_continuation()
        assert objection(story.state, A.CONFIRM_RECEIPT, R_FINANCE, seen) is None

    def test_the_bank_s_word_does_not_make_it_stale(self) -> None:
        story = remitted()
        seen = story.state.revision
        story.happen(bank_took_order(story.state, REFERENCE))
        assert objection(story.state, A.CONFIRM_RECEIPT, R_FINANCE, seen) is None

    def test_an_event_of_the_same_step_makes_it_stale(self) -> None:
        story = remitted()
        seen = story.state.revision
        story.do(received(1), R_FINANCE, NOT_PAID)
        assert objection(story.state, A.CONFIRM_RECEIPT, R_FINANCE, seen) == Stale()
        assert objection(story.state, A.CONFIRM_RECEIPT, R_FINANCE, story.state.revision) is None

    def test_a_reissued_certificate_makes_the_next_reissue_stale_and_nothing_else(self) -> None:
        story = accepted()
        seen = story.state.revision
        story.do(c.ReissueCertificate(reason="lost"), PERSON)
        assert objection(story.state, A.REISSUE_CERTIFICATE, PERSON, seen) == Stale()
        assert objection(story.state, A.DELIVER_INFORMATION_FORM, O_CLERK, seen) is None
        assert objection(story.state, A.WITHDRAW_TRANSFER, PERSON, seen) is None

    def test_the_form_s_version_makes_every_step_stale(self) -> None:
        story = accepted()
        seen = story.state.revision
        story.deliver()
        actors = {A.CONFIRM_CONTINUATION: R_CLERK, A.REMIT_PERSONAL_ACCOUNT: O_FINANCE, A.REISSUE_CERTIFICATE: PERSON}
        assert [objection(story.state, action, actor, seen) for action, actor in actors.items()] == [Stale()] * 3

    def test_acceptance_and_the_end_make_it_stale(self) -> None:
        story = Story(submission(manual=True))
        seen = story.state.revision
        story.do(c.AcceptTransfer(), R_CLERK, ACCEPTANCE)
        assert objection(story.state, A.RETURN_TRANSFER, O_CLERK, seen) == Stale()
        seen = story.state.revision
        story.do(returned(), O_CLERK)
        assert objection(story.state, A.DELIVER_INFORMATION_FORM, O_CLERK, seen) == Stale()

    def test_a_revision_of_the_future_or_before_the_first_event_is_stale(self) -> None:
        story = accepted()
        future = story.state.revision + 1
        assert objection(story.state, A.DELIVER_INFORMATION_FORM, O_CLERK, future) == Stale()
        assert objection(story.state, A.DELIVER_INFORMATION_FORM, O_CLERK, 0) == Stale()
        assert objection(story.state, A.DELIVER_INFORMATION_FORM, O_CLERK, -1) == Stale()

    def test_decide_holds_the_revision_of_the_command(self) -> None:
        story = accepted()
        asked = c.DeliverInformationForm(expected_revision=1)
        assert story.decide(asked, O_CLERK, form_facts()) == Stale()
        command = c.Command(
            command_id="c",
            actor=O_CLERK,
            received_at=story.now,
            ask=asked.model_copy(update={"expected_revision": None}),
        )
        assert isinstance(decide(story.state, command, form_facts(), CALENDAR), tuple)


def test_continuation_is_confirmed_by_r_s_register_of_that_day() -> None:
    story = delivered()
    later = DESTINATION.model_copy(update={"covered_from": date(2027, 1, 1)})
    story.do(c.ConfirmContinuation(), R_CLERK, later)
    assert story.state.continuation is not None
    assert (story.state.continuation.waiting_period.gap_months, story.state.continuation.waiting_period.rule) == (
        4,
        "WAIT_AFTER_GAP",
    )
