"""Any commands in any order, with any answers of the registers: nothing ever raises, and what must hold holds after each."""

from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.workflows.invariants import check_case, purse_after
from tests.workflows.pure_cases import (
    ACCEPTANCE,
    CALENDAR,
    DESTINATION,
    EMPLOYER,
    NO,
    O_CHECKER,
    O_CLERK,
    O_FINANCE,
    O_PERIODS,
    PERSON,
    R_CLERK,
    R_FINANCE,
    STOP,
    SUPERVISOR,
    Story,
)
from tests.workflows.state_space import ALL_WORLDS, begin, rechecks
from workflows import commands as c
from workflows.actors import BANK, PLATFORM, Actor
from workflows.clocks import next_alarm, tick
from workflows.conclusion import conclude
from workflows.decide import issue_certificate, recheck
from workflows.money import bank_took_order
from workflows.policy import Disposition
from workflows.rules import RULES, Invalid, NotAllowed, Stale, allowed_actions
from workflows.state import TransferState
from workflows.vocabulary import (
    CLOSED_STATUSES,
    CorrectionReason,
    MailItem,
    MatchDecision,
    RefusalCode,
    ReturnReason,
    TransferAction,
    TransferStatus,
)

# Whole yuan, few enough that the same amounts meet again.
HELD_FEN = 900
O_SECOND = O_FINANCE.model_copy(update={"subject": "another of O's finance"})
EVERYBODY = (PERSON, EMPLOYER, O_CLERK, O_CHECKER, O_FINANCE, O_SECOND, R_CLERK, R_FINANCE, SUPERVISOR)
REFERENCES = (None, None, f"{NO}-01", f"{NO}-02", "Z-01")
A = TransferAction
WAYS_OUT = (A.WITHDRAW_TRANSFER, A.TERMINATE_TRANSFER, A.RETURN_TRANSFER, A.DECLINE_TRANSFER)


class Walk:
    """A case that is carried along by whatever chance says."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.world = chance.choice(ALL_WORLDS)
        self.story = Story()
        node = begin(self.world)
        self.story.take_over(node.events, node.state, when=node.now)

    @property
    def state(self) -> TransferState:
        return self.story.state

    def step(self) -> None:
        story, before = self.story, self.state
        story.now += timedelta(days=self.chance.randint(0, 12))
        self._by_themselves()
        action, actor = self._turn()
        ask = self._ask(action)
        decided = story.decide(ask, actor, self._facts(ask))
        if isinstance(decided, tuple):
            assert not before.closed
            assert decided
            story.happen(decided, actor)
        else:
            assert isinstance(decided, NotAllowed | Stale | Invalid)
        check_case(story.events, self.state, HELD_FEN)

    def _turn(self) -> tuple[TransferAction, Actor]:
        """Mostly somebody whose turn it is: whatever anybody asks at random is hardly ever to be done."""
        turns = [(action, actor) for actor in EVERYBODY for action in allowed_actions(self.state, actor)]
        # Ways out are taken now and then, or no walk would go far.
        further = [turn for turn in turns if turn[0] not in WAYS_OUT]
        chosen = self.chance.random()
        if further and chosen < 0.8:
            return self.chance.choice(further)
        if turns and chosen < 0.85:
            return self.chance.choice(turns)
        return self.chance.choice(list(RULES)), self.chance.choice(EVERYBODY)

    def _day(self) -> date:
        return self.story.now.date() + timedelta(days=self.chance.choice((-40, -7, -1, 0, 0, 0, 1)))

    def _fen(self) -> int:
        return self.chance.choice((-100, 0, 100, 400, 800, HELD_FEN, HELD_FEN, HELD_FEN + 100))

    def _note(self) -> str | None:
        return self.chance.choice((None, " ", "note", "note", "note"))

    def _ask(self, action: TransferAction) -> c.AnyAsk:
        """The ask of `action`, with input that may fit or not."""
        order, prepared, chance = self.state.on_its_way, self.state.to_release, self.chance
        given: dict[TransferAction, dict[str, Any]] = {
            A.DECLINE_TRANSFER: {"reasons": tuple(chance.choices(list(RefusalCode), k=chance.randint(0, 2)))},
            A.STOP_COVERAGE: {"stopped_on": self._day()},
            A.RETURN_TRANSFER: {"reason": chance.choice(list(ReturnReason)), "note": "note"},
            A.REISSUE_CERTIFICATE: {"reason": "lost"},
            A.RECORD_MAIL: {
                "item": chance.choice(list(MailItem)),
                "carrier": "EMS",
                "tracking_no": "1",
                "sent_on": chance.choice((None, self._day())),
                "arrived_on": chance.choice((None, self._day())),
            },
            A.DELIVER_INFORMATION_FORM: {
                "periods": chance.choice((None, (c.FormPeriod(first_month="2015-01", last_month="2026-07"),))),
                "balance_fen": chance.choice((None, self._fen())),
                "note": self._note(),
            },
            A.REQUEST_CORRECTION: {"reason": chance.choice(list(CorrectionReason)), "note": "note"},
            A.PROVIDE_PAYOUT_ACCOUNT: {"sealed": chance.choice(("", "00")), "masked_account": "…1234"},
            A.CONFIRM_RECEIPT: {
                "remittance_reference": chance.choice(REFERENCES),
                "amount_fen": chance.choice((order.amount_fen, order.amount_fen, self._fen())) if order else 0,
                "bank_reference": "B-1",
                "received_on": self._day(),
                "note": self._note(),
            },
            A.APPROVE_REVERSE_REMITTANCE: {
                "remittance_reference": order.reference if order and chance.random() < 0.8 else "Z-01"
            },
            A.RELEASE_REMITTANCE: {"remittance_reference": prepared.reference if prepared else "Z-01"},
            A.MATCH_FUNDS: {
                "remittance_reference": order.reference if order and chance.random() < 0.8 else "Z-01",
                "decision": chance.choice(list(MatchDecision)),
                "reason": chance.choice((" ", "reason", "reason")),
            },
            A.WITHDRAW_TRANSFER: {"reason": "reason"},
            A.TERMINATE_TRANSFER: {"reason": "reason"},
        }
        seen = chance.choice((None, None, None, self.state.revision, self.state.revision - 2))
        return ASK.validate_python({"action": action, "expected_revision": seen} | given.get(action, {}))

    def _facts(self, ask: c.AnyAsk) -> c.StepFacts | None:
        """What the registers may say to it."""
        match ask:
            case c.AcceptTransfer():
                return ACCEPTANCE
            case c.StopCoverage():
                stopped = self.chance.choice((None, None, ask.stopped_on, date(2026, 8, 31)))
                elsewhere = self.chance.random() < 0.8
                return STOP.model_copy(update={"already_stopped_on": stopped, "covered_elsewhere": elsewhere})
            case c.DeliverInformationForm() | c.CheckInformationForm():
                return c.FormFacts(
                    periods=O_PERIODS,
                    balance_fen=HELD_FEN - self.state.frozen_fen - self.state.moved_fen,
                    destination=DESTINATION,
                    needs_checker=self.world.needs_checker and self.chance.random() < 0.8,
                    # The region may change its policy in between.
                    disposition=self.chance.choice((self.world.disposition, *Disposition)),
                )
            case _:
                return self._facts_of_r(ask)

    def _facts_of_r(self, ask: c.AnyAsk) -> c.StepFacts | None:
        match ask:
            case c.RemitPersonalAccount():
                return c.RemitFacts(release_threshold_fen=self.chance.choice((None, None, 0, 400)))
            case c.ReleaseRemittance():
                return c.RemitFacts()
            case c.ConfirmReceipt() | c.MatchFunds():
                return c.ReceiptFacts(paid_by_bank_reference=self.chance.choice((None, None, None, "Z-01")))
            case c.ApproveReverseRemittance():
                held_fen = purse_after(self.story.events, HELD_FEN).at_r
                return c.ReverseFacts(balance_fen=self.chance.choice((0, held_fen, held_fen)))
            case c.ConfirmContinuation():
                return DESTINATION
            case _:
                return None

    def _by_themselves(self) -> None:
        """The platform, the clocks, the registers and the bank, each at its time."""
        story = self.story
        story.happen(
            tuple(each.model_copy(update={"number": "京2026000001"}) for each in issue_certificate(self.state))
        )
        alarm = next_alarm(self.state)
        if alarm is not None and alarm.at <= story.now:
            said = tick(self.state, story.now, CALENDAR)
            assert said
            story.happen(said)
        order = self.state.on_its_way
        if order is not None and self.chance.random() < 0.5 and (took := bank_took_order(self.state, order.reference)):
            story.happen(conclude(self.state, took, at=story.now, actor=BANK, calendar=CALENDAR), BANK)
        if self.state.waiting:
            _, again = self.chance.choice(list(rechecks(self.world)))
            story.happen(recheck(self.state, again, story.now, CALENDAR), PLATFORM)


ASK: TypeAdapter[c.AnyAsk] = TypeAdapter(c.AnyAsk)


@given(st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_any_walk_keeps_what_must_hold(seed: int) -> None:
    walk = Walk(Random(seed))
    for _ in range(30):
        walk.step()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_long_walks_keep_what_must_hold_and_come_to_every_end() -> None:
    ends: Counter[TransferStatus] = Counter()
    for seed in range(1_500):
        walk = Walk(Random(seed))
        for _ in range(60):
            walk.step()
        ends[walk.state.status] += 1
    print(f"\n{sum(ends.values())} walks: {dict(ends)}")  # noqa: T201 - for the reader of -s
    assert ends.keys() >= CLOSED_STATUSES
