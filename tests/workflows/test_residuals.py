"""What follows a completed case: reopened visibly, ordered by the platform, confirmed by R as always, and completed again."""

from datetime import date
from typing import Any

import pytest

from tests.workflows.pure_cases import (
    BALANCE_FEN,
    CALENDAR,
    NOT_PAID,
    O_CLERK,
    O_FINANCE,
    PERSON,
    R_CLERK,
    R_FINANCE,
    SUPERVISOR,
    O,
    Story,
    at,
    form_facts,
    kinds,
    receipt,
    submission,
)
from workflows import commands as c
from workflows import events as e
from workflows.actors import BANK, PLATFORM
from workflows.bank_word import bank_says
from workflows.conclusion import conclude
from workflows.fold import fold
from workflows.messages import BankSaid
from workflows.money import bank_took_order
from workflows.policy import Disposition
from workflows.residuals import in_time, sweep_along, swept_along_until
from workflows.rules import NotAllowed, allowed_actions, invalid
from workflows.vocabulary import (
    BankReturnReason,
    CorrectionReason,
    FundsStatus,
    RemittanceKind,
    RemittanceStatus,
    StepState,
    TransferAction,
    TransferStatus,
)
from workflows.vocabulary import TransferStepKind as K

# A Wednesday, half a year after the case.
LATER = at("2027-03-03 09:00")
ONE = e.LateContribution(contribution_id="BJ-1", month="2026-08", amount_fen=1_250)
TWO = e.LateContribution(contribution_id="BJ-2", month="2026-09", amount_fen=750)
AT_ONCE = c.RemitFacts()


def completed(disposition: Disposition = Disposition.REMIT, balance_fen: int = BALANCE_FEN, **begins: Any) -> Story:
    story = Story(submission(**begins))
    facts = form_facts(balance_fen).model_copy(update={"disposition": disposition})
    story.do(c.DeliverInformationForm(), O_CLERK, facts)
    story.confirm_continuation()
    if disposition is Disposition.PAY_OUT:
        story.do(c.ProvidePayoutAccount(sealed="00", masked_account="****1234"), PERSON)
    if balance_fen and disposition is not Disposition.RETAIN:
        story.remit()
        take(story)
    if story.state.is_open(K.CONFIRM_RECEIPT):
        confirm(story)
    assert story.state.status is TransferStatus.COMPLETED
    return story


def sweep(story: Story, *contributions: e.LateContribution, policy: c.RemitFacts = AT_ONCE) -> tuple[str, ...]:
    return story.happen(sweep_along(story.state, contributions, policy, LATER, CALENDAR), PLATFORM, when=LATER)


def take(story: Story) -> tuple[str, ...]:
    """The bank takes the order."""
    order = story.state.on_its_way
    assert order is not None
    facts = bank_took_order(story.state, order.reference)
    return story.happen(conclude(story.state, facts, at=story.now, actor=BANK, calendar=CALENDAR), BANK)


def confirm(story: Story, amount_fen: int = BALANCE_FEN, **given: Any) -> tuple[str, ...]:
    return story.do(receipt(amount_fen, received_on=story.now.date(), **given), R_FINANCE, NOT_PAID)


def test_one_order_of_the_platform_takes_all_that_waits_along_and_the_case_is_completed_again() -> None:
    story = completed()
    assert sweep(story, ONE, TWO) == (
        "reopened",
        "late_contribution",
        "late_contribution",
        "funds_ordered",
        "step_opened",
    )
    assert {event.actor for event in story.events[-5:]} == {PLATFORM}
    state, first = story.state, story.state.remittances[0]
    order = state.remittances[-1]
    assert (state.status, state.funds_status, state.late_fen, state.closed_at, state.reopenings) == (
        TransferStatus.AWAITING_FUNDS,
        FundsStatus.ORDERED,
        2_000,
        None,
        1,
    )
    assert (order.kind, order.amount_fen, order.corrects, order.status, order.send_on) == (
        RemittanceKind.RESIDUAL,
        2_000,
        first.reference,
        RemittanceStatus.ORDERED,
        None,
    )
    assert order.reference == f"{state.no}-02"
    assert [(step.kind, step.round) for step in state.open_steps] == [(K.CONFIRM_RECEIPT, 2)]
    assert (state.frozen_fen, state.target_fen, state.owed_fen) == (0, BALANCE_FEN + 2_000, 2_000)
    # O's step is as it was: nobody there did anything.
    assert state.step(K.REMIT_PERSONAL_ACCOUNT) == fold(story.events[:-5]).step(K.REMIT_PERSONAL_ACCOUNT)
    assert take(story) == ("funds_remitted",)
    assert confirm(story, 2_000, bank_reference="B-2") == (
        "receipt_confirmed",
        "funds_received",
        "funds_credited",
        "completed",
    )
    state = story.state
    assert (state.status, state.funds_status, state.settled_fen) == (
        TransferStatus.COMPLETED,
        FundsStatus.CREDITED,
        BALANCE_FEN + 2_000,
    )
    assert fold(story.events) == state


def test_the_person_is_asked_for_nothing_and_only_rs_finance_has_a_turn() -> None:
    story = completed()
    sweep(story, ONE)
    take(story)
    assert allowed_actions(story.state, PERSON) == ()
    assert allowed_actions(story.state, O_FINANCE) == ()
    assert TransferAction.CONFIRM_RECEIPT in allowed_actions(story.state, R_FINANCE)
    assert allowed_actions(story.state, SUPERVISOR) == ()
    asked = c.RequestCorrection(reason=CorrectionReason.AMOUNT_DISPUTED, note="too little")
    assert isinstance(story.decide(asked, R_CLERK), NotAllowed)


def test_the_next_contribution_has_an_order_of_its_own_once_the_first_is_at_its_end() -> None:
    story = completed()
    sweep(story, ONE)
    assert sweep_along(story.state, (TWO,), AT_ONCE, LATER, CALENDAR) == ()
    take(story)
    confirm(story, 1_250, bank_reference="B-2")
    sweep(story, TWO)
    assert [(each.reference[-2:], each.kind, each.amount_fen) for each in story.state.remittances] == [
        ("01", RemittanceKind.TRANSFER, BALANCE_FEN),
        ("02", RemittanceKind.RESIDUAL, 1_250),
        ("03", RemittanceKind.RESIDUAL, 750),
    ]
    take(story)
    confirm(story, 750, bank_reference="B-3")
    assert (story.state.status, story.state.late_fen, story.state.reopenings) == (TransferStatus.COMPLETED, 2_000, 2)


def test_what_stays_in_the_province_is_booked_without_an_order_and_the_case_is_at_its_end_at_once() -> None:
    story = completed(Disposition.RETAIN)
    assert sweep(story, ONE) == ("reopened", "late_contribution", "completed")
    assert (story.state.status, story.state.funds_status) == (
        TransferStatus.COMPLETED,
        FundsStatus.RETAINED_IN_PROVINCE,
    )
    assert (story.state.remittances, story.state.frozen_fen, story.state.late_fen) == ((), 0, 1_250)


def test_what_stays_in_the_province_after_an_empty_account_is_said_to_stay() -> None:
    story = completed(Disposition.RETAIN, 0)
    assert sweep(story, ONE) == ("reopened", "late_contribution", "funds_retained", "completed")
    assert story.state.funds_status is FundsStatus.RETAINED_IN_PROVINCE


def test_what_is_paid_out_goes_to_the_account_that_is_known() -> None:
    story = completed(Disposition.PAY_OUT)
    assert sweep(story, ONE) == ("reopened", "late_contribution", "funds_ordered")
    order = story.state.remittances[-1]
    assert (order.kind, order.amount_fen, order.corrects) == (
        RemittanceKind.PAYOUT,
        1_250,
        story.state.remittances[0].reference,
    )
    assert take(story) == ("funds_remitted", "funds_paid_out", "completed")
    assert story.state.funds_status is FundsStatus.PAID_OUT_TO_PERSON


def test_after_an_empty_account_the_first_order_is_the_residual() -> None:
    story = completed(balance_fen=0)
    sweep(story, ONE)
    (order,) = story.state.remittances
    assert (order.reference[-2:], order.kind, order.corrects) == ("01", RemittanceKind.RESIDUAL, None)
    take(story)
    confirm(story, 1_250)
    assert (story.state.status, story.state.funds_status) == (TransferStatus.COMPLETED, FundsStatus.CREDITED)


def test_after_an_empty_account_of_a_region_that_pays_out_the_person_says_where_to_and_is_paid() -> None:
    story = Story()
    story.do(c.DeliverInformationForm(), O_CLERK, form_facts(0).model_copy(update={"disposition": Disposition.PAY_OUT}))
    story.confirm_continuation()
    assert story.state.status is TransferStatus.COMPLETED
    assert sweep(story, ONE) == ("reopened", "late_contribution", "step_opened")
    assert story.do(c.ProvidePayoutAccount(sealed="00", masked_account="****1234"), PERSON) == (
        "payout_account_provided",
    )
    assert story.state.funds_status is FundsStatus.PENDING
    story.remit()
    take(story)
    assert (story.state.status, story.state.funds_status) == (
        TransferStatus.COMPLETED,
        FundsStatus.PAID_OUT_TO_PERSON,
    )


@pytest.mark.parametrize(("threshold_fen", "by_itself"), [(2_000, True), (1_999, False)])
def test_over_the_regions_threshold_two_persons_of_os_finance_order_it(threshold_fen: int, *, by_itself: bool) -> None:
    story = completed()
    policy = c.RemitFacts(release_threshold_fen=threshold_fen)
    happened = sweep(story, ONE, TWO, policy=policy)
    assert ("funds_ordered" in happened) is by_itself
    assert story.state.is_open(K.REMIT_PERSONAL_ACCOUNT) is not by_itself
    if not by_itself:
        assert story.state.funds_status is FundsStatus.PENDING
        assert story.do(c.RemitPersonalAccount(), O_FINANCE, policy) == ("remittance_prepared",)
        assert story.state.to_release is not None
        assert story.state.to_release.kind is RemittanceKind.RESIDUAL


def test_an_unconnected_origin_is_asked_for_its_own_order_by_post() -> None:
    state = completed().state.model_copy(update={"unconnected": (O,)})
    facts = sweep_along(state, (ONE,), AT_ONCE, LATER, CALENDAR)
    assert kinds(facts) == ("reopened", "late_contribution", "step_opened")


def test_a_residual_that_the_bank_refuses_is_owed_again_and_os_finance_orders_it() -> None:
    story = completed()
    sweep(story, ONE)
    reference = f"{story.state.no}-02"
    said = BankSaid(reference=reference, said="RETURNED", amount_fen=1_250, reason=BankReturnReason.ACCOUNT_UNKNOWN)
    story.happen(bank_says(story.state, said, BALANCE_FEN, LATER, CALENDAR), BANK)
    assert story.state.funds_status is FundsStatus.RETURNED
    assert story.state.step(K.REMIT_PERSONAL_ACCOUNT).state is StepState.OPEN
    story.remit()
    order = story.state.on_its_way
    assert order is not None
    assert (order.kind, order.amount_fen, order.corrects) == (RemittanceKind.RESIDUAL, 1_250, reference)
    take(story)
    confirm(story, 1_250, bank_reference="B-3")
    assert story.state.status is TransferStatus.COMPLETED


def test_an_order_of_a_region_with_a_cycle_waits_for_its_day_and_nobody_looks_for_it_before() -> None:
    story = completed()
    batch = date(2027, 3, 10)
    sweep(story, ONE, policy=c.RemitFacts(send_on=batch))
    order, step = story.state.on_its_way, story.state.step(K.CONFIRM_RECEIPT)
    assert order is not None
    assert (order.send_on, order.waits_for_cycle) == (batch, True)
    assert step.deadline is not None
    assert step.deadline.starts_on == batch
    story.now = at("2027-03-09 10:00")
    early = story.decide(receipt(1_250, received_on=date(2027, 3, 9), bank_reference="B-2"), R_FINANCE, NOT_PAID)
    assert early == invalid("receivedOn", "BEFORE_THE_BATCH", send_on="2027-03-10")


@pytest.mark.parametrize("status", [each for each in TransferStatus if each is not TransferStatus.COMPLETED])
def test_only_a_completed_case_is_followed(status: TransferStatus) -> None:
    state = completed().state.model_copy(update={"status": status})
    assert sweep_along(state, (ONE,), AT_ONCE, LATER, CALENDAR) == ()


def test_nothing_late_reopens_nothing() -> None:
    assert sweep_along(completed().state, (), AT_ONCE, LATER, CALENDAR) == ()


@pytest.mark.parametrize(
    ("completed_on", "until"),
    [
        ("2026-03-05", "2029-03-05"),
        ("2024-02-29", "2027-02-28"),
        ("2025-02-28", "2028-02-28"),
        ("2026-12-31", "2029-12-31"),
    ],
)
def test_the_36_months_end_on_the_day_of_completion(completed_on: str, until: str) -> None:
    first, last = date.fromisoformat(completed_on), date.fromisoformat(until)
    assert swept_along_until(first) == last
    assert in_time(first, last)
    assert not in_time(first, date.fromordinal(last.toordinal() + 1))
