"""A transfer for the pure tests: synthetic, from Beijing 110000 to Shanghai 319900, without database or Temporal."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from activities.calendar_data import published_calendar
from workflows import commands as c
from workflows import events as e
from workflows.actors import PLATFORM, Actor, ActorKind
from workflows.contribution import ContributionPeriod, parse_months
from workflows.deadlines import SHANGHAI
from workflows.decide import Submission, decide, decide_submission
from workflows.fold import Facts, advance
from workflows.policy import WaitingPolicy
from workflows.rules import Objection
from workflows.state import TransferState
from workflows.vocabulary import InsuranceScheme, ReturnReason, Role, TransferRoute, TransferStepKind

O, R, THIRD = "110000", "319900", "440100"  # noqa: E741 - the law calls the transfer-out side O
NO = "ZY-319900-20260918-000001"
REFERENCE = f"{NO}-01"
CALENDAR = published_calendar()
BALANCE_FEN = 420_000

PERSON = Actor(subject="person-1", roles=(Role.INSURED_PERSON,))
AGENT = Actor(subject="person-2", roles=(Role.INSURED_PERSON,), acts_as=ActorKind.AGENT)
EMPLOYER = Actor(subject="91110000600037341L", roles=(Role.EMPLOYER,))
O_CLERK = Actor(subject="clerk-o", roles=(Role.CLERK,), region=O)
O_FINANCE = Actor(subject="finance-o", roles=(Role.FINANCE,), region=O)
O_CHECKER = Actor(subject="checker-o", roles=(Role.CHECKER,), region=O)
R_CLERK = Actor(subject="clerk-r", roles=(Role.CLERK,), region=R)
R_FINANCE = Actor(subject="finance-r", roles=(Role.FINANCE,), region=R)

# Their region's token shows them cases of their area; the case itself asks for the role alone.
SUPERVISOR = Actor(subject="supervisor", roles=(Role.SUPERVISOR,), region=R)


def at(text: str) -> datetime:
    """`2026-09-18 10:00` in Asia/Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


# A Friday: ten working days end on 2026-10-09.
SUBMITTED_AT = at("2026-09-18 10:00")


def months(text: str, region: str = O) -> tuple[ContributionPeriod, ...]:
    return parse_months(text, region=region, scheme=InsuranceScheme.EMPLOYEE)


O_PERIODS = months("201501-202608")
DESTINATION = c.DestinationFacts(
    periods=months("202609-202609", R), covered_from=date(2026, 9, 1), waiting=WaitingPolicy()
)


def form_facts(balance_fen: int = BALANCE_FEN, periods: tuple[ContributionPeriod, ...] = O_PERIODS) -> c.FormFacts:
    return c.FormFacts(periods=periods, balance_fen=balance_fen, destination=DESTINATION)


NO_SHORTER: dict[TransferStepKind, int] = {}
ACCEPTANCE = c.AcceptanceFacts(periods=NO_SHORTER)
STOP = c.StopFacts(covered_from=date(2015, 1, 1), already_stopped_on=None, periods=NO_SHORTER)
NOT_PAID = c.ReceiptFacts(paid_by_bank_reference=None)


def submission(
    *,
    manual: bool = False,
    stop_needed: bool = False,
    periods: dict[TransferStepKind, int] = NO_SHORTER,
    route: TransferRoute = TransferRoute.PLATFORM,
    **given: Any,
) -> Submission:
    submitted = e.Submitted(
        transfer_id=UUID(int=1),
        no=NO,
        person_id=UUID(int=2),
        route=route,
        from_region=O,
        to_region=R,
        from_scheme=InsuranceScheme.EMPLOYEE,
        to_scheme=InsuranceScheme.EMPLOYEE,
        stop_needed=stop_needed,
        manual=manual,
        stopped_on=None if stop_needed else date(2026, 8, 31),
        employer_ids=(EMPLOYER.subject,),
        **given,
    )
    return Submission(submitted, (), None, periods)


def receipt(amount_fen: int = BALANCE_FEN, **given: Any) -> c.ConfirmReceipt:
    """An advice of the bank that may follow a mismatch too."""
    fields = {"bank_reference": "B-1", "received_on": date(2027, 3, 1), "note": "checked with the bank"}
    return c.ConfirmReceipt(amount_fen=amount_fen, **(fields | given))


def returned(reason: ReturnReason = ReturnReason.NO_RECORD) -> c.ReturnTransfer:
    return c.ReturnTransfer(reason=reason, note="sent back")


class Story:
    """A case as it is carried along: its state and all its events."""

    def __init__(
        self, begins: Submission | None = None, *, when: datetime = SUBMITTED_AT, submitter: Actor = PERSON
    ) -> None:
        self.now = when
        self.events: tuple[e.TransferEvent, ...] = ()
        self._state: TransferState | None = None
        self.happen(decide_submission(begins or submission(), when, CALENDAR), submitter)

    @property
    def state(self) -> TransferState:
        assert self._state is not None
        return self._state

    def take_over(self, events: tuple[e.TransferEvent, ...], state: TransferState, *, when: datetime) -> None:
        """Go on from a case that began elsewhere."""
        self.events, self._state, self.now = events, state, when

    def happen(self, facts: Facts, actor: Actor = PLATFORM, *, when: datetime | None = None) -> tuple[str, ...]:
        """Take the facts in, and return their kinds."""
        self.now = when or self.now
        events, self._state = advance(self._state, facts, at=self.now, actor=actor)
        self.events += events
        return kinds(facts)

    def decide(self, ask: Any, actor: Actor, facts: c.StepFacts | None = None) -> Facts | Objection:
        command = c.Command(command_id="c", actor=actor, received_at=self.now, ask=ask)
        return decide(self.state, command, facts, CALENDAR)

    def do(
        self, ask: Any, actor: Actor, facts: c.StepFacts | None = None, *, when: datetime | None = None
    ) -> tuple[str, ...]:
        """Carry the step out; it must be allowed."""
        self.now = when or self.now
        outcome = self.decide(ask, actor, facts)
        assert isinstance(outcome, tuple), outcome
        return self.happen(outcome, actor)

    def deliver(self, balance_fen: int = BALANCE_FEN, *, when: datetime | None = None) -> tuple[str, ...]:
        return self.do(c.DeliverInformationForm(), O_CLERK, form_facts(balance_fen), when=when)

    def remit(self, *, when: datetime | None = None) -> tuple[str, ...]:
        return self.do(c.RemitPersonalAccount(), O_FINANCE, when=when)

    def confirm_continuation(self, *, when: datetime | None = None) -> tuple[str, ...]:
        return self.do(c.ConfirmContinuation(), R_CLERK, DESTINATION, when=when)


def kinds(facts: Facts | Objection) -> tuple[str, ...]:
    """`form_delivered`, … of the facts that were decided."""
    assert isinstance(facts, tuple), facts
    return tuple(fact.type.partition(".")[0] for fact in facts)
