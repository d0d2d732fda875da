"""Every state that a case can reach, found breadth first over a small finite world.

The world: three balances, two corrections, both registers and the bank with a few answers each. What two states have in
common is left out of their `signature` when no rule and no event depends on it: instants, numbers, and how far the clocks
are, of which `test_state_space` proves that they change nothing else.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from itertools import product
from typing import Any, NamedTuple

from tests.workflows.invariants import purse_after
from tests.workflows.pure_cases import (
    ACCEPTANCE,
    CALENDAR,
    DESTINATION,
    NOT_PAID,
    O_PERIODS,
    PERSON,
    STOP,
    SUBMITTED_AT,
    SUPERVISOR,
    O,
    R,
    receipt,
    returned,
    submission,
)
from workflows import commands as c
from workflows import events as e
from workflows.actors import BANK, PLATFORM, Actor
from workflows.bank_word import bank_reopens, bank_says
from workflows.conclusion import conclude
from workflows.coverage_gap import open_gap
from workflows.decide import Recheck, decide, decide_submission, issue_certificate, recheck
from workflows.findings import Finding, finding
from workflows.fold import Facts, advance
from workflows.messages import BankSaid
from workflows.money import bank_took_order
from workflows.policy import Disposition
from workflows.remittance import Remittance
from workflows.residuals import sweep_along
from workflows.rules import RULES, Objection
from workflows.state import TransferState
from workflows.vocabulary import (
    BankReturnReason,
    CorrectionReason,
    MailItem,
    MatchDecision,
    RefusalClass,
    RefusalCode,
    RemittanceStatus,
    Role,
    StepState,
    TransferAction,
    TransferRoute,
    TransferStatus,
)
from workflows.vocabulary import TransferStepKind as K

# What the person's account at O holds before the transfer, in fen, and what a form may say of it.
HELD_FEN, LOWER_FEN = 420_000, 300_000
# What comes late at a time.
LATE_FEN = 1_250
BALANCES = (HELD_FEN, LOWER_FEN, 0)
STOPPED_ON = SUBMITTED_AT.date() - timedelta(days=1)

WAITS = finding(RefusalCode.CURRENT_MONTH_UNPAID, cls=RefusalClass.RETRIED, region=R, month="2026-09")
WAITS_FOR_ANOTHER = finding(RefusalCode.UNSETTLED_CLAIMS, cls=RefusalClass.RETRIED, region=O)
DOUBTFUL = finding(RefusalCode.ACCOUNT_FROZEN, cls=RefusalClass.MANUAL, region=O)
ARREARS = e.ArrearsNotified(arrears_fen=12_300, first_month="2026-01", last_month="2026-03")
FORBIDS = finding(RefusalCode.RETIRED, region=O)


class World(NamedTuple):
    """How a case begins, and what the regions' policies say, and how often the bank and R's finance find something wrong."""

    unconnected: tuple[str, ...] = ()
    manual: bool = False
    stop_needed: bool = False
    waiting: bool = False
    disposition: Disposition = Disposition.REMIT
    needs_checker: bool = False
    # How often R asks for a correction.
    corrections: int = 2
    # How often money comes back or comes with another amount and is matched; and over how many fen an order is released.
    returns: int = 0
    release_threshold_fen: int | None = None
    # How many contributions come late, each after the case was completed.
    late: int = 0

    @property
    def route(self) -> TransferRoute:
        return TransferRoute.PAPER if self.unconnected else TransferRoute.PLATFORM

    def actor(self, region: str, role: Role, subject: str | None = None) -> Actor:
        """Who acts for the agency of `region`: for one that is not connected the other side enters what came by post."""
        by = region if region not in self.unconnected else (R if region == O else O)
        return Actor(subject=subject or f"{role}-{by}", roles=(role,), region=by)


PATHS = ((), (O,), (R,), (O, R))
ALL_WORLDS = tuple(
    World(unconnected, bool(unconnected) or manual, stop_needed, waiting, disposition, needs_checker)
    for unconnected, manual, stop_needed, waiting, disposition, needs_checker in product(
        PATHS, (False, True), (False, True), (False, True), Disposition, (False, True)
    )
    # 94号: on the paper route R accepts in any case.
    if not (unconnected and manual)
)
# What the bank sends back, what comes with another amount, and what another person must release.
MONEY_WORLDS = (
    World(corrections=0, returns=2),
    World(corrections=1, returns=1),
    World(corrections=1, release_threshold_fen=HELD_FEN - 1),
    World(corrections=0, returns=2, disposition=Disposition.PAY_OUT),
    *(World(corrections=0, late=2, disposition=disposition) for disposition in Disposition),
    World(corrections=0, late=1, returns=1),
    World(corrections=0, late=1, release_threshold_fen=LATE_FEN - 1),
)
# Of these, what every way of the money can be seen in, each once.
FEW_MONEY_WORLDS = (
    World(corrections=0, returns=1),
    World(corrections=1, release_threshold_fen=HELD_FEN - 1),
    World(corrections=0, returns=1, disposition=Disposition.PAY_OUT),
    *(World(corrections=0, late=1, disposition=disposition) for disposition in Disposition),
    World(corrections=0, late=1, returns=1),
    World(corrections=0, late=1, release_threshold_fen=LATE_FEN - 1),
)
# The platform route whole; by post, where many more orders of events are possible, with one correction, and on each path once.
FEW_WORLDS = (
    *(each for each in ALL_WORLDS if not each.unconnected),
    World((O,), manual=True, corrections=1),
    World((R,), manual=True, stop_needed=True, waiting=True, disposition=Disposition.PAY_OUT, corrections=1),
    World((O, R), manual=True, stop_needed=True, disposition=Disposition.RETAIN, needs_checker=True, corrections=1),
    *FEW_MONEY_WORLDS,
)


Signature = tuple[Any, ...]


class Move(NamedTuple):
    """An ask, by whom, and what the registers say; `refused` when it must not come to pass with that."""

    ask: Any
    actor: Actor
    facts: c.StepFacts | None = None
    refused: bool = False


@dataclass(slots=True)
class Node:
    """A state, one way to it, and where it leads: the signature of the next state by what led there, and what then happened."""

    world: World
    state: TransferState
    events: tuple[e.TransferEvent, ...]
    leads_to: dict[str, Signature] = field(default_factory=dict)
    happened: set[type[e.Fact]] = field(default_factory=set)
    # What was refused here, and what came to pass or was refused although it should not have been.
    refused: list[tuple[Move, Objection]] = field(default_factory=list)
    wrong: list[Move] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        return self.events[-1].occurred_at


Space = dict[Signature, Node]


def begin(world: World) -> Node:
    findings: tuple[Finding, ...] = (WAITS,) if world.waiting else (DOUBTFUL,) if world.manual else ()
    # The person's own clock runs while nobody covers them, and the arrears are told once the case goes on.
    waits: dict[str, Any] = {"waiting": True, "gap": open_gap(date(2026, 8, 31), 3)} if world.waiting else {}
    begins = submission(
        manual=world.manual,
        stop_needed=world.stop_needed,
        route=world.route,
        unconnected=world.unconnected,
        findings=findings,
        **waits,
    )
    facts = decide_submission(begins, SUBMITTED_AT, CALENDAR)
    events, state = advance(None, facts[:1], at=SUBMITTED_AT, actor=PERSON)
    return after(Node(world, state, events), facts[1:], PERSON, SUBMITTED_AT)


@cache
def explore(worlds: tuple[World, ...]) -> Space:
    """Every state of `worlds`, to closure, in the order in which it is found. Explored once, however many look at it."""
    found: Space = {}
    for world in worlds:
        start = begin(world)
        waiting = deque([(signature(start), start)])
        found.setdefault(*waiting[0])
        while waiting:
            _, node = waiting.popleft()
            for by, then in following(node):
                known = signature(then)
                node.leads_to[by] = known
                node.happened.update(type(event.fact) for event in then.events[len(node.events) :])
                if known not in found:
                    found[known] = then
                    waiting.append((known, then))
    return found


def following(node: Node) -> Iterator[tuple[str, Node]]:
    """What can come next, by name: by a command, by the platform, the registers or the bank."""
    # The next day: what is done on one day is one thing, and what happens a day later another.
    now = node.now + timedelta(days=1)
    if node.state.closed and node.state.status is not TransferStatus.COMPLETED:
        return
    for move in moves(node.world, node.state, now.date()):
        decided = decided_on(node, move, now)
        if isinstance(decided, tuple) is move.refused:
            node.wrong.append(move)
        if not isinstance(decided, tuple):
            node.refused.append((move, decided))
        else:
            yield f"{move.ask.action}{_with(move.ask)}", after(node, decided, move.actor, now)
    for name, actor, facts in by_itself(node, now):
        yield name, after(node, facts, actor, now)


def decided_on(node: Node, move: Move, now: datetime) -> Facts | Objection:
    command = c.Command(command_id="c", actor=move.actor, received_at=now, ask=move.ask)
    return decide(node.state, command, move.facts, CALENDAR)


def after(node: Node, facts: Facts, actor: Actor, when: datetime) -> Node:
    """The certificate, which the platform issues in the same breath as the acceptance, included."""
    events, state = advance(node.state, facts, at=when, actor=actor)
    if issued := issue_certificate(state):
        # The step's activity writes the document and numbers it.
        numbered = tuple(fact.model_copy(update={"number": "京2026000001"}) for fact in issued)
        more, state = advance(state, numbered, at=when, actor=PLATFORM)
        events += more
    return Node(node.world, state, node.events + events)


def by_itself(node: Node, now: datetime) -> Iterator[tuple[str, Actor, Facts]]:
    """What happens without anybody's command, the clocks apart."""
    state = node.state
    order = state.on_its_way
    if order is not None and (facts := bank_took_order(state, order.reference)):
        yield "bank", BANK, conclude(state, facts, at=now, actor=BANK, calendar=CALENDAR)
    for name, said in bank_words(node.world, state):
        held_fen = purse_after(node.events, HELD_FEN).at_r
        facts = bank_says(state, said, held_fen, now, CALENDAR) or bank_reopens(state, said, held_fen, now, CALENDAR)
        if facts:
            yield name, BANK, facts
    if state.late_fen < node.world.late * LATE_FEN:
        late = e.LateContribution(contribution_id=f"L{state.late_fen}", month="2026-08", amount_fen=LATE_FEN)
        policy = c.RemitFacts(release_threshold_fen=node.world.release_threshold_fen)
        if facts := sweep_along(state, (late,), policy, now, CALENDAR):
            yield "late contribution", PLATFORM, facts
    for name, again in rechecks(node.world):
        if facts := recheck(state, again, now, CALENDAR):
            yield f"registers: {name}", PLATFORM, facts


def _found_wrong(state: TransferState) -> int:
    """How often money came back, or was matched or sent home."""
    return sum(len(each.returns) + bool(each.missing_fen or each.sent_home_fen) for each in state.remittances)


def bank_words(world: World, state: TransferState) -> Iterator[tuple[str, BankSaid]]:
    """What a bank may say of any order: that all of its money came back, or a part of it."""
    if _found_wrong(state) >= world.returns:
        return
    for order in state.remittances:
        for name, amount_fen in (("all", order.expected_fen), ("a part", 1)):
            said = BankSaid(
                reference=order.reference,
                said="RETURNED",
                amount_fen=amount_fen,
                reason=BankReturnReason.ACCOUNT_UNKNOWN,
                bank_reference=f"R{len(order.returns)}",
            )
            yield f"bank: {name} of {order.reference[-2:]} came back", said


def rechecks(world: World) -> Iterator[tuple[str, Recheck]]:
    """What both registers may say of an application that waits for them."""

    def said(*findings: Finding, waiting: bool = False, manual: bool = False) -> e.RegisterChecked:
        return e.RegisterChecked(
            findings=findings,
            waiting=waiting,
            manual=manual,
            stop_needed=world.stop_needed,
            stopped_on=None if world.stop_needed else date(2026, 8, 31),
        )

    yield "another reason", Recheck(said(WAITS_FOR_ANOTHER, waiting=True), (), None, {})
    yield "nothing any more", Recheck(said(), (), ARREARS, {})
    yield "a doubt", Recheck(said(DOUBTFUL, manual=True), (), None, {})
    yield "forbidden", Recheck(said(), (FORBIDS,), None, {})


Asks = Callable[[World, TransferState, date], Iterator[Move]]


def moves(world: World, state: TransferState, today: date) -> Iterator[Move]:
    """Every ask by one who may put it, with answers of the registers that let it pass, and with such as must not."""
    for action, asks in MOVES.items():
        # What is never allowed in this state is asked by `test_transitions`, of everybody.
        if not state.closed and RULES[action].when(state):
            yield from asks(world, state, today)


def _accept(world: World, _: TransferState, __: date) -> Iterator[Move]:
    yield Move(c.AcceptTransfer(), world.actor(R, Role.CLERK), ACCEPTANCE)


def _decline(world: World, _: TransferState, __: date) -> Iterator[Move]:
    yield Move(c.DeclineTransfer(reasons=(RefusalCode.ACCOUNT_FROZEN,)), world.actor(R, Role.CLERK))
    yield Move(c.DeclineTransfer(reasons=()), world.actor(R, Role.CLERK), refused=True)


def _stop(world: World, _: TransferState, today: date) -> Iterator[Move]:
    clerk = world.actor(O, Role.CLERK)
    alone = STOP.model_copy(update={"covered_elsewhere": False})
    stopped = alone.model_copy(update={"already_stopped_on": STOPPED_ON})
    yield Move(c.StopCoverage(stopped_on=STOPPED_ON), clerk, STOP)
    yield Move(c.StopCoverage(stopped_on=STOPPED_ON), clerk, stopped)
    yield Move(c.StopCoverage(stopped_on=today), clerk, stopped, refused=True)
    yield Move(c.StopCoverage(stopped_on=today + timedelta(days=1)), clerk, STOP, refused=True)
    yield Move(c.StopCoverage(stopped_on=STOPPED_ON), clerk, alone, refused=True)


def _return(world: World, _: TransferState, __: date) -> Iterator[Move]:
    yield Move(returned(), world.actor(O, Role.CLERK))


def _reissue(_: World, __: TransferState, ___: date) -> Iterator[Move]:
    yield Move(c.ReissueCertificate(reason="lost"), PERSON)


def _letter(world: World, _: TransferState, __: date) -> Iterator[Move]:
    yield Move(c.IssueContactLetter(), world.actor(R, Role.CLERK))


def _mail(world: World, state: TransferState, today: date) -> Iterator[Move]:
    letter = state.step(K.ISSUE_CONTACT_LETTER).done_at
    sent: dict[str, Any] = {"carrier": "EMS", "tracking_no": "1", "sent_on": letter.date() if letter else today}
    clerk = world.actor(R, Role.CLERK)
    for item in MailItem:
        no_letter_yet = item is not MailItem.CERTIFICATE and not state.is_done(K.ISSUE_CONTACT_LETTER)
        yield Move(c.RecordMail(item=item, **sent), clerk, refused=no_letter_yet)
        yield Move(c.RecordMail(item=item, **sent, arrived_on=today), clerk, refused=no_letter_yet)
        yield Move(c.RecordMail(item=item, **sent, arrived_on=today + timedelta(days=1)), clerk, refused=True)


def _form(world: World, state: TransferState, _: date) -> Iterator[Move]:
    facts, clerk = form_facts(world, state), world.actor(O, Role.CLERK)
    # What a bank has paid to the person it cannot call back.
    paid_fen = state.moved_fen if state.pays_out else 0
    for balance_fen in BALANCES:
        given = c.DeliverInformationForm(balance_fen=balance_fen, note="by the ledger")
        yield Move(given, clerk, facts, refused=balance_fen < paid_fen)
    yield Move(c.DeliverInformationForm(balance_fen=HELD_FEN + 1, note="interest"), clerk, facts, refused=True)
    yield Move(c.DeliverInformationForm(balance_fen=LOWER_FEN), clerk, facts, refused=True)


def _check(world: World, state: TransferState, _: date) -> Iterator[Move]:
    facts, maker = form_facts(world, state), world.actor(O, Role.CLERK)
    yield Move(c.CheckInformationForm(), world.actor(O, Role.CHECKER), facts)
    yield Move(c.CheckInformationForm(), world.actor(O, Role.CHECKER, subject=maker.subject), facts, refused=True)


def _correction(world: World, state: TransferState, _: date) -> Iterator[Move]:
    if len(state.corrections) < world.corrections:
        asked = c.RequestCorrection(reason=CorrectionReason.AMOUNT_DISPUTED, note="another amount")
        yield Move(asked, world.actor(R, Role.CLERK))


def _remit(world: World, _: TransferState, __: date) -> Iterator[Move]:
    facts = c.RemitFacts(release_threshold_fen=world.release_threshold_fen)
    yield Move(c.RemitPersonalAccount(), world.actor(O, Role.FINANCE), facts)


def _release(world: World, state: TransferState, _: date) -> Iterator[Move]:
    order = state.to_release
    assert order is not None, "nothing is released that was not prepared"
    release = c.ReleaseRemittance(remittance_reference=order.reference)
    another = world.actor(O, Role.FINANCE, subject="another of O's finance")
    yield Move(release, another, c.RemitFacts())
    yield Move(release, world.actor(O, Role.FINANCE, subject=order.prepared_by), c.RemitFacts(), refused=True)
    yield Move(release.model_copy(update={"remittance_reference": "Z-01"}), another, c.RemitFacts(), refused=True)


def _match(world: World, state: TransferState, _: date) -> Iterator[Move]:
    order, payee = state.on_its_way, state.step(K.CONFIRM_RECEIPT).region
    assert order is not None, "nothing came with another amount"
    finance, home = world.actor(payee, Role.FINANCE), order.comes_home
    for decision in MatchDecision:
        match = c.MatchFunds(remittance_reference=order.reference, decision=decision, reason="by the statement")
        nothing_to_send = home and decision is MatchDecision.SEND_HOME
        nothing_came = not order.received_fen and decision is MatchDecision.ACCEPT_AMOUNT
        if nothing_to_send or nothing_came or _found_wrong(state) < world.returns:
            yield Move(match, finance, NOT_PAID, refused=nothing_to_send or nothing_came)
        paid = c.ReceiptFacts(paid_by_bank_reference="Z-01")
        yield Move(match, finance, paid, refused=True)
        yield Move(match.model_copy(update={"reason": " "}), finance, NOT_PAID, refused=True)
        yield Move(match.model_copy(update={"remittance_reference": "Z-01"}), finance, NOT_PAID, refused=True)


def _account(_: World, __: TransferState, ___: date) -> Iterator[Move]:
    yield Move(c.ProvidePayoutAccount(sealed="00", masked_account="…1234"), PERSON)
    # Nothing is sealed for somebody who acts for the person.
    yield Move(c.ProvidePayoutAccount(sealed="", masked_account=""), PERSON, refused=True)


def _receipt(world: World, state: TransferState, today: date) -> Iterator[Move]:
    order, payee = state.on_its_way, state.step(K.CONFIRM_RECEIPT).region
    assert order is not None, "nobody looks for money that is not on its way"
    finance = world.actor(payee, Role.FINANCE)
    paid = c.ReceiptFacts(paid_by_bank_reference="Z-01")
    yield Move(receipt(order.expected_fen, received_on=today), finance, NOT_PAID)
    yield Move(receipt(order.expected_fen - 1, received_on=today), finance, NOT_PAID)
    if world.returns:
        yield Move(receipt(order.expected_fen + 1, received_on=today), finance, NOT_PAID)
    yield Move(receipt(order.amount_fen, received_on=today), finance, paid, refused=True)
    yield Move(receipt(order.amount_fen, received_on=today + timedelta(days=1)), finance, NOT_PAID, refused=True)
    yield Move(
        receipt(order.amount_fen, received_on=today, remittance_reference="Z-01"), finance, NOT_PAID, refused=True
    )
    if order.status is RemittanceStatus.MISMATCHED:
        yield Move(receipt(order.amount_fen, received_on=today, note=" "), finance, NOT_PAID, refused=True)


def _continuation(world: World, _: TransferState, __: date) -> Iterator[Move]:
    yield Move(c.ConfirmContinuation(), world.actor(R, Role.CLERK), DESTINATION)


def _approval(_: World, state: TransferState, __: date) -> Iterator[Move]:
    order = state.on_its_way
    assert order is not None, "nothing is approved that was not proposed"
    approve = c.ApproveReverseRemittance(remittance_reference=order.reference)
    yield Move(approve, SUPERVISOR, c.ReverseFacts(balance_fen=order.amount_fen))
    yield Move(approve, SUPERVISOR, c.ReverseFacts(balance_fen=order.amount_fen - 1), refused=not order.uncredited)
    another = approve.model_copy(update={"remittance_reference": "Z-01"})
    yield Move(another, SUPERVISOR, c.ReverseFacts(balance_fen=order.amount_fen), refused=True)


def _withdraw(_: World, __: TransferState, ___: date) -> Iterator[Move]:
    yield Move(c.WithdrawTransfer(reason="changed my mind"), PERSON)


def _terminate(_: World, __: TransferState, ___: date) -> Iterator[Move]:
    yield Move(c.TerminateTransfer(reason="double transfer"), SUPERVISOR)


MOVES: dict[TransferAction, Asks] = {
    TransferAction.ACCEPT_TRANSFER: _accept,
    TransferAction.DECLINE_TRANSFER: _decline,
    TransferAction.STOP_COVERAGE: _stop,
    TransferAction.REISSUE_CERTIFICATE: _reissue,
    TransferAction.ISSUE_CONTACT_LETTER: _letter,
    TransferAction.RECORD_MAIL: _mail,
    TransferAction.DELIVER_INFORMATION_FORM: _form,
    TransferAction.CHECK_INFORMATION_FORM: _check,
    TransferAction.RETURN_TRANSFER: _return,
    TransferAction.REQUEST_CORRECTION: _correction,
    TransferAction.REMIT_PERSONAL_ACCOUNT: _remit,
    TransferAction.RELEASE_REMITTANCE: _release,
    TransferAction.PROVIDE_PAYOUT_ACCOUNT: _account,
    TransferAction.CONFIRM_RECEIPT: _receipt,
    TransferAction.MATCH_FUNDS: _match,
    TransferAction.CONFIRM_CONTINUATION: _continuation,
    TransferAction.APPROVE_REVERSE_REMITTANCE: _approval,
    TransferAction.WITHDRAW_TRANSFER: _withdraw,
    TransferAction.TERMINATE_TRANSFER: _terminate,
}


def form_facts(world: World, state: TransferState) -> c.FormFacts:
    """O's register as this case alone has moved it: what is frozen or gone is not in the person's account."""
    return c.FormFacts(
        periods=O_PERIODS,
        balance_fen=HELD_FEN - state.frozen_fen - state.moved_fen,
        destination=DESTINATION,
        needs_checker=world.needs_checker,
        disposition=world.disposition,
    )


def _with(ask: Any) -> str:
    """What of an ask matters for where it leads."""
    named = ("balance_fen", "item", "arrived_on", "amount_fen", "decision")
    said = [
        name if isinstance(value, date) else str(value)
        for name in named
        if (value := getattr(ask, name, None)) is not None
    ]
    return f"({', '.join(said)})" if said else ""


# ------------------------------------------------------------------ what tells two states apart


def signature(node: Node) -> Signature:
    """What tells two states apart for the rules and for what follows: instants, dates and numbers do not."""
    state, world = node.state, node.world
    if state.closed and not ((world.returns or world.late) and state.status is TransferStatus.COMPLETED):
        return _of_a_closed_case(state)
    begun = state.accepted_at is not None
    form, prepared, order = state.form, state.prepared, state.on_its_way
    arrived = {each.item for each in state.mail if each.arrived_on is not None}
    before = (state.waiting, tuple(each.code for each in state.findings), world.stop_needed, world.manual)
    return (
        *(state.route, state.unconnected, world.disposition, world.needs_checker, state.status, state.funds_status),
        # Which agency acted before acceptance matters for a withdrawal alone.
        None if begun else before,
        any(step.state is StepState.DONE and step.kind is not K.ISSUE_CERTIFICATE for step in state.steps),
        tuple(_of_step(state, kind) for kind in K if not begun or kind not in _BEFORE),
        *(MailItem.CONTACT_LETTER in arrived, MailItem.INFORMATION_FORM in arrived),
        *(prepared and prepared.balance_fen, form and form.balance_fen, len(state.corrections), state.correction is not None),
        *(order and (order.kind, order.expected_fen, order.status, order.uncredited, order.received_fen), state.settled_fen),
        *(bool(state.remittances), any(each.given_up for each in state.remittances)),
        *(state.to_release and state.to_release.amount_fen, state.returned_fen, state.missing_fen, state.uncredited_fen),
        *(_found_wrong(state), state.reopenings, tuple(_of_order(each) for each in state.remittances if node.world.returns)),
        *(world.returns, world.release_threshold_fen, world.late, state.late_fen, state.reopened_for),
        *(state.payout_account, state.released, state.continued, state.statements > 0, state.terminating),
    )  # fmt: skip


def _of_order(order: Remittance) -> tuple[Any, ...]:
    """What of an order its late return, and the next order, rest on."""
    return (order.kind, order.status, order.expected_fen, order.uncredited, len(order.returns), bool(order.missing_fen))


_BEFORE = (K.ACCEPT_APPLICATION, K.STOP_COVERAGE)


def _of_step(state: TransferState, kind: K) -> tuple[Any, ...] | None:
    """The latest round of a step; of its clock, whether it runs or stands still, and what keeps it from starting anew."""
    step = next((each for each in reversed(state.steps) if each.kind is kind), None)
    if step is None or step.state is not StepState.OPEN:
        return None if step is None else (step.state,)
    deadline = step.deadline
    clock = (deadline is None, deadline is not None and deadline.paused_since is not None)
    by_post = state.route is TransferRoute.PAPER and (step.round > 1, deadline is not None and bool(deadline.pauses))
    return (step.state, step.region, clock, by_post)


def _of_a_closed_case(state: TransferState) -> Signature:
    """Nothing follows from a closed case: its kind of end is enough."""
    moved = tuple(sorted({(order.kind, order.status) for order in state.remittances}))
    return (state.status, state.funds_status, state.returned, state.statements > 0, moved, state.form is not None)
