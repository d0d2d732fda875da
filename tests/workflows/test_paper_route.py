"""By post (94号): which clock each arrival starts, and what the connected side enters for the other."""

from datetime import date
from typing import Any

import pytest

from tests.workflows.pure_cases import (
    ACCEPTANCE,
    BALANCE_FEN,
    DESTINATION,
    NOT_PAID,
    O_CLERK,
    O_FINANCE,
    PERSON,
    R_CLERK,
    R_FINANCE,
    O,
    R,
    Story,
    at,
    form_facts,
    kinds,
    receipt,
    submission,
)
from workflows import commands as c
from workflows.decide import issue_certificate
from workflows.policy import Disposition
from workflows.rules import NotAllowed, invalid
from workflows.state import TransferState
from workflows.vocabulary import CorrectionReason, MailItem, TransferRoute
from workflows.vocabulary import TransferStepKind as K

# A Friday.
SUBMITTED = at("2026-09-18 10:00")


def applied(*unconnected: str) -> Story:
    return Story(submission(manual=True, route=TransferRoute.PAPER, unconnected=unconnected), when=SUBMITTED)


def lettered(*unconnected: str) -> Story:
    """Accepted on 21 September, the letter issued on the 22nd."""
    story = applied(*unconnected)
    story.do(c.AcceptTransfer(), _of(story, R, R_CLERK, O_CLERK), ACCEPTANCE, when=at("2026-09-21 10:00"))
    story.happen(issue_certificate(story.state))
    story.do(c.IssueContactLetter(), _of(story, R, R_CLERK, O_CLERK), when=at("2026-09-22 10:00"))
    return story


def _of(story: Story, region: str, own: Any, other: Any) -> Any:
    return other if region in story.state.unconnected else own


def posted(item: MailItem, *, sent_on: date | None = None, arrived_on: date | None = None) -> c.RecordMail:
    return c.RecordMail(item=item, carrier="EMS", tracking_no="EE123", sent_on=sent_on, arrived_on=arrived_on)


def deliver(story: Story, when: str, balance_fen: int = BALANCE_FEN, **facts: Any) -> tuple[str, ...]:
    actor = _of(story, O, O_CLERK, R_CLERK)
    given = c.DeliverInformationForm(balance_fen=balance_fen, note="as entered")
    held_fen = BALANCE_FEN - story.state.frozen_fen - story.state.moved_fen
    return story.do(given, actor, form_facts(held_fen).model_copy(update=facts), when=at(when))


def clock(state: TransferState, kind: K) -> tuple[date, int, str] | None:
    deadline = state.step(kind).deadline
    return None if deadline is None else (deadline.starts_on, deadline.working_days, deadline.basis)


class TestTheClocks:
    def test_acceptance_and_the_letter_have_fifteen_days_each(self) -> None:
        story = applied(O)
        assert clock(story.state, K.ACCEPT_APPLICATION) == (date(2026, 9, 18), 15, "94号 art. 5")
        accepted = story.do(c.AcceptTransfer(), R_CLERK, ACCEPTANCE, when=at("2026-09-21 10:00"))
        assert accepted == ("application_accepted", "accepted", "step_opened")
        assert clock(story.state, K.ISSUE_CONTACT_LETTER) == (date(2026, 9, 21), 15, "94号 art. 5")

    def test_o_s_clock_starts_when_the_letter_arrives_and_not_before(self) -> None:
        story = lettered(O)
        assert clock(story.state, K.DELIVER_INFORMATION_FORM) is None
        said = story.do(
            posted(MailItem.CONTACT_LETTER, sent_on=date(2026, 9, 23), arrived_on=date(2026, 9, 25)),
            R_CLERK,
            when=at("2026-09-28 10:00"),
        )
        assert said == ("mail_recorded", "clock_started")
        step = story.state.step(K.DELIVER_INFORMATION_FORM)
        assert clock(story.state, K.DELIVER_INFORMATION_FORM) == (date(2026, 9, 25), 15, "94号 art. 6")
        recorded = next(event for event in story.events if event.fact.type == "mail_recorded.1")
        assert step.started_seq == recorded.seq

    def test_an_arrival_that_is_corrected_moves_the_clock(self) -> None:
        story = lettered(O)
        story.do(posted(MailItem.CONTACT_LETTER, arrived_on=date(2026, 9, 25)), R_CLERK, when=at("2026-09-28 10:00"))
        again = posted(MailItem.CONTACT_LETTER, arrived_on=date(2026, 9, 24))
        assert story.do(again, R_CLERK) == ("mail_recorded", "clock_started")
        assert clock(story.state, K.DELIVER_INFORMATION_FORM) == (date(2026, 9, 24), 15, "94号 art. 6")
        assert story.do(again, R_CLERK) == ("mail_recorded",)

    def test_r_s_clock_starts_with_form_and_money(self) -> None:
        story = lettered(O)
        deliver(story, "2026-09-29 10:00")
        assert clock(story.state, K.CONFIRM_CONTINUATION) is None
        story.do(c.RemitPersonalAccount(), R_FINANCE, when=at("2026-10-12 10:00"))
        # O told by post that it had sent the money; it came before R's finance entered that.
        got = story.do(receipt(received_on=date(2026, 10, 9)), R_FINANCE, NOT_PAID)
        assert got == ("funds_remitted", "receipt_confirmed", "funds_received", "funds_credited", "clock_started")
        assert clock(story.state, K.CONFIRM_CONTINUATION) == (date(2026, 10, 9), 15, "94号")

    def test_with_a_zero_balance_it_starts_with_the_form_alone(self) -> None:
        story = lettered(O)
        said = deliver(story, "2026-09-29 10:00", 0)
        assert said == ("form_delivered", "funds_not_required", "step_opened", "clock_started")
        assert clock(story.state, K.CONFIRM_CONTINUATION) == (date(2026, 9, 29), 15, "94号")

    @pytest.mark.parametrize("disposition", [Disposition.PAY_OUT, Disposition.RETAIN])
    def test_money_that_does_not_come_to_r_is_not_waited_for(self, disposition: Disposition) -> None:
        story = lettered(O)
        assert deliver(story, "2026-09-29 10:00", disposition=disposition)[-1] == "clock_started"
        assert clock(story.state, K.CONFIRM_CONTINUATION) == (date(2026, 9, 29), 15, "94号")

    def test_a_form_that_came_by_post_counts_from_its_arrival(self) -> None:
        story = lettered(O)
        story.do(posted(MailItem.INFORMATION_FORM, arrived_on=date(2026, 9, 25)), R_CLERK, when=at("2026-09-28 10:00"))
        deliver(story, "2026-09-29 10:00", 0)
        assert clock(story.state, K.CONFIRM_CONTINUATION) == (date(2026, 9, 25), 15, "94号")

    def test_to_an_unconnected_r_it_counts_from_its_arrival_alone(self) -> None:
        story = lettered(R)
        deliver(story, "2026-09-29 10:00", 0)
        assert clock(story.state, K.CONFIRM_CONTINUATION) is None
        said = story.do(
            posted(MailItem.INFORMATION_FORM, sent_on=date(2026, 9, 29), arrived_on=date(2026, 10, 9)),
            O_CLERK,
            when=at("2026-10-12 10:00"),
        )
        assert said == ("mail_recorded", "clock_started")
        assert clock(story.state, K.CONFIRM_CONTINUATION) == (date(2026, 10, 9), 15, "94号")


class TestACorrection:
    ASKED = c.RequestCorrection(reason=CorrectionReason.YEARS_DISPUTED, note="2015 is missing")

    def test_r_s_running_clock_stands_still_and_goes_on_where_it_stood(self) -> None:
        story = lettered(O)
        deliver(story, "2026-09-29 10:00", 0)
        story.do(self.ASKED, R_CLERK, when=at("2026-10-09 10:00"))
        said = deliver(story, "2026-10-13 10:00", 0)
        assert said == ("form_delivered", "correction_answered")
        deadline = story.state.step(K.CONFIRM_CONTINUATION).deadline
        assert deadline is not None
        assert deadline.starts_on == date(2026, 9, 29)
        assert [(each.from_on, each.to_on) for each in deadline.pauses] == [(date(2026, 10, 9), date(2026, 10, 13))]

    def test_money_that_arrives_meanwhile_does_not_start_the_clock(self) -> None:
        story = lettered(O)
        deliver(story, "2026-09-29 10:00")
        story.do(c.RemitPersonalAccount(), R_FINANCE, when=at("2026-09-30 10:00"))
        story.do(self.ASKED, R_CLERK)
        got = story.do(receipt(received_on=date(2026, 10, 9)), R_FINANCE, NOT_PAID, when=at("2026-10-09 10:00"))
        assert got[-1] == "funds_credited"
        assert clock(story.state, K.CONFIRM_CONTINUATION) is None
        assert deliver(story, "2026-10-13 10:00")[-1] == "clock_started"
        assert clock(story.state, K.CONFIRM_CONTINUATION) == (date(2026, 10, 13), 15, "94号")

    def test_the_disputed_form_s_arrival_says_nothing_of_the_next_one(self) -> None:
        story = lettered(R)
        deliver(story, "2026-09-29 10:00")
        story.do(posted(MailItem.INFORMATION_FORM, arrived_on=date(2026, 9, 30)), O_CLERK, when=at("2026-09-30 10:00"))
        story.do(self.ASKED, O_CLERK, when=at("2026-10-09 10:00"))
        assert story.state.arrived_on(MailItem.INFORMATION_FORM) is None
        deliver(story, "2026-10-12 10:00", 0)
        assert clock(story.state, K.CONFIRM_CONTINUATION) is None
        story.do(posted(MailItem.INFORMATION_FORM, arrived_on=date(2026, 10, 14)), O_CLERK, when=at("2026-10-14 10:00"))
        assert clock(story.state, K.CONFIRM_CONTINUATION) == (date(2026, 10, 14), 15, "94号")


class TestThePost:
    @pytest.mark.parametrize(
        ("given", "refused"),
        [
            ({"arrived_on": date(2026, 9, 24)}, invalid("arrivedOn", "IN_THE_FUTURE")),
            ({"sent_on": date(2026, 9, 21)}, invalid("sentOn", "BEFORE_THE_LETTER", letter_on="2026-09-22")),
            (
                {"sent_on": date(2026, 9, 23), "arrived_on": date(2026, 9, 22)},
                invalid("arrivedOn", "BEFORE_SENDING", sent_on="2026-09-23"),
            ),
        ],
    )
    def test_days_that_cannot_be_change_nothing(self, given: dict[str, date], refused: Any) -> None:
        story = lettered(O)
        story.now = at("2026-09-23 10:00")
        before = story.state
        assert story.decide(posted(MailItem.CONTACT_LETTER, **given), R_CLERK) == refused
        assert story.state == before

    def test_a_letter_that_came_by_post_itself_is_entered_after_its_arrival(self) -> None:
        story = lettered(R)
        early = posted(MailItem.CONTACT_LETTER, sent_on=date(2026, 9, 17))
        refused = invalid("sentOn", "BEFORE_THE_APPLICATION", submitted_on="2026-09-18")
        assert story.decide(early, O_CLERK) == refused
        arrived = posted(MailItem.CONTACT_LETTER, sent_on=date(2026, 9, 18), arrived_on=date(2026, 9, 21))
        assert story.do(arrived, O_CLERK) == ("mail_recorded", "clock_started")
        assert clock(story.state, K.DELIVER_INFORMATION_FORM) == (date(2026, 9, 21), 15, "94号 art. 6")

    def test_letter_and_form_are_not_posted_before_the_letter_but_the_certificate_is(self) -> None:
        story = applied(O)
        for item in (MailItem.CONTACT_LETTER, MailItem.INFORMATION_FORM):
            assert story.decide(posted(item, sent_on=date(2026, 9, 18)), R_CLERK) == NotAllowed(why="NOT_YET")
        certificate = posted(MailItem.CERTIFICATE, sent_on=date(2026, 9, 1))
        assert kinds(story.decide(certificate, R_CLERK)) == ("mail_recorded",)

    def test_a_later_record_adds_to_the_earlier_one(self) -> None:
        story = lettered(O)
        story.do(posted(MailItem.CONTACT_LETTER, sent_on=date(2026, 9, 22)), R_CLERK)
        story.do(posted(MailItem.CONTACT_LETTER, arrived_on=date(2026, 9, 24)), R_CLERK, when=at("2026-09-24 10:00"))
        (mail,) = story.state.mail
        assert (mail.sent_on, mail.arrived_on) == (date(2026, 9, 22), date(2026, 9, 24))


class TestMoneyByPost:
    def test_an_unconnected_o_orders_by_itself_and_no_bank_of_ours_is_asked(self) -> None:
        story = lettered(O)
        deliver(story, "2026-09-29 10:00")
        assert story.do(c.RemitPersonalAccount(), R_FINANCE) == ("remittance_ordered", "funds_ordered", "step_opened")
        order = story.state.on_its_way
        assert order is not None
        assert order.by_post

    def test_money_that_it_pays_out_is_paid_with_the_entry(self) -> None:
        story = lettered(O)
        deliver(story, "2026-09-29 10:00", disposition=Disposition.PAY_OUT)
        story.do(c.ProvidePayoutAccount(sealed="00", masked_account="…1234"), PERSON)
        paid = story.do(c.RemitPersonalAccount(), R_FINANCE)
        assert paid == ("remittance_ordered", "funds_ordered", "funds_remitted", "funds_paid_out")
        assert story.state.funds_status == "PAID_OUT_TO_PERSON"

    def test_a_connected_o_orders_through_our_bank_and_a_date_before_the_order_cannot_be(self) -> None:
        story = lettered(R)
        deliver(story, "2026-09-29 10:00")
        story.do(c.RemitPersonalAccount(), O_FINANCE, when=at("2026-10-12 10:00"))
        order = story.state.on_its_way
        assert order is not None
        assert not order.by_post
        early = story.decide(receipt(received_on=date(2026, 10, 9)), O_FINANCE, NOT_PAID)
        assert early == invalid("receivedOn", "BEFORE_THE_ORDER", ordered_on="2026-10-12")

    def test_before_the_application_no_money_of_the_case_came(self) -> None:
        story = lettered(O)
        deliver(story, "2026-09-29 10:00")
        story.do(c.RemitPersonalAccount(), R_FINANCE)
        early = story.decide(receipt(received_on=date(2026, 9, 17)), R_FINANCE, NOT_PAID)
        assert early == invalid("receivedOn", "BEFORE_THE_APPLICATION", submitted_on="2026-09-18")


@pytest.mark.parametrize("unconnected", [(O,), (R,), (O, R)])
def test_by_post_a_case_comes_to_its_end_with_either_side_unconnected_or_both(unconnected: tuple[str, ...]) -> None:
    story = lettered(*unconnected)
    story.do(posted(MailItem.CONTACT_LETTER, arrived_on=date(2026, 9, 22)), _of(story, O, O_CLERK, R_CLERK))
    deliver(story, "2026-09-29 10:00")
    story.do(c.RemitPersonalAccount(), _of(story, O, O_FINANCE, R_FINANCE))
    story.do(c.ConfirmContinuation(), _of(story, R, R_CLERK, O_CLERK), DESTINATION)
    ended = story.do(receipt(received_on=date(2026, 9, 29)), _of(story, R, R_FINANCE, O_FINANCE), NOT_PAID)
    assert ended[-2:] == ("funds_credited", "completed")
