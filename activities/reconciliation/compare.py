"""One pass over three sorted streams. The memory that it takes is the lines of one order, its time is linear."""

from collections.abc import Callable, Iterable, Iterator
from datetime import date
from typing import NamedTuple, TypeVar

from activities.reconciliation.kinds import Difference, Party
from activities.reconciliation.lines import BankDirection, BankLine, LedgerLine, Line, RegisterLine
from activities.reconciliation.readings import Age, Said, said_of_nothing_ordered, said_of_order
from activities.reconciliation.rules import BANK_SIDES, Holder, Rule, causes
from workflows.workdays import WorkingCalendar

Streamed = TypeVar("Streamed", LedgerLine, BankLine, RegisterLine)
AgeOf = Callable[[date], Age]

# Working days for the bank's statement and for R's finance to confirm: law.md's clock.
CONFIRMED_WITHIN_DAYS = 2
# Working days after which money that has not arrived is an alarm: law.md.
ARRIVED_WITHIN_DAYS = 10
# Lines that a difference is shown with.
BASIS_LINES = 12


class OrderLines(NamedTuple):
    """All lines of one reference, from the three streams."""

    reference: str
    ledger: list[LedgerLine]
    bank: list[BankLine]
    registers: list[RegisterLine]


class OutOfOrderError(ValueError):
    """A stream is not sorted by reference: nothing that was compared would hold."""


def differences(
    ledger: Iterable[LedgerLine], bank: Iterable[BankLine], registers: Iterable[RegisterLine], age_of: AgeOf
) -> Iterator[Difference]:
    """What does not agree, order by order. Each stream is sorted by reference. Raises `OutOfOrderError`."""
    for order in by_reference(ledger, bank, registers):
        if order.ledger:
            said = said_of_order(order.ledger, order.bank, order.registers)
            if rules := causes(said.at(age_of(said.newest))):
                yield from (_of_order(rule, said, order) for rule in rules)
        else:
            yield from _without_order(order, age_of)


def by_reference(
    ledger: Iterable[LedgerLine], bank: Iterable[BankLine], registers: Iterable[RegisterLine]
) -> Iterator[OrderLines]:
    """The three streams merged. Raises `OutOfOrderError` where one of them is not sorted."""
    ours, theirs, moved = _references(ledger), _references(bank), _references(registers)
    our, their, move = next(ours, None), next(theirs, None), next(moved, None)
    while our is not None or their is not None or move is not None:
        reference = min(each[0] for each in (our, their, move) if each is not None)
        ledger_lines: list[LedgerLine] = []
        bank_lines: list[BankLine] = []
        movements: list[RegisterLine] = []
        if our is not None and our[0] == reference:
            ledger_lines, our = our[1], next(ours, None)
        if their is not None and their[0] == reference:
            bank_lines, their = their[1], next(theirs, None)
        if move is not None and move[0] == reference:
            movements, move = move[1], next(moved, None)
        yield OrderLines(reference, ledger_lines, bank_lines, movements)


def ages(until: date, calendar: WorkingCalendar) -> AgeOf:
    """How old what happened on a day is on `until`, in working days; each day is counted once."""
    known: dict[date, Age] = {}

    def age_of(on: date) -> Age:
        age = known.get(on)
        if age is None:
            days = calendar.working_days_between(on, until) if on < until else 0
            waiting = Age.WAITING if days > CONFIRMED_WITHIN_DAYS else Age.FRESH
            age = known[on] = Age.OVERDUE if days > ARRIVED_WITHIN_DAYS else waiting
        return age

    return age_of


def _references(lines: Iterable[Streamed]) -> Iterator[tuple[str, list[Streamed]]]:
    """The lines of each reference together. Those without one are each by itself: their number has no limit."""
    reference, held = "", list[Streamed]()
    for line in lines:
        if line.reference == reference and reference:
            held.append(line)
            continue
        if line.reference < reference:
            raise OutOfOrderError(f"{line.reference} comes after {reference}")
        if held:
            yield reference, held
        reference, held = line.reference, [line]
    if held:
        yield reference, held


def _of_order(rule: Rule, said: Said, order: OrderLines) -> Difference:
    first = order.ledger[0]
    payer, payee = (Party.R_FINANCE, Party.O_FINANCE) if first.comes_home else (Party.O_FINANCE, Party.R_FINANCE)
    party = {Holder.PAYER: payer, Holder.PAYEE: payee, Holder.BANK: Party.BANK, Holder.PLATFORM: Party.PLATFORM}
    region = first.payee if rule.explains[0] in AT_THE_PAYEE else first.payer
    ordered_on = min(each.on for each in order.ledger)
    return _difference(rule, said, order, party[rule.holder], region, first.transfer_no, ordered_on)


def _without_order(order: OrderLines, age_of: AgeOf) -> Iterator[Difference]:
    """Of what nobody ordered all that is known is the account, or the register, that it lies in."""
    said = said_of_nothing_ordered(order.bank, order.registers)
    for rule in causes(said.at(age_of(said.newest))):
        accounts = [each.account for each in order.bank if each.direction is _DIRECTION.get(rule.explains[0])]
        region = next(iter((*accounts, *(each.region for each in order.registers))), None)
        yield _difference(rule, said, order, _PARTY_WITHOUT_ORDER[rule.holder], region, None, said.newest)


def _difference(
    rule: Rule,
    said: Said,
    order: OrderLines,
    party: Party,
    region: str | None,
    transfer_no: str | None,
    ordered_on: date,
) -> Difference:
    side = said.side(rule.explains[0])
    basis: list[Line] = [*order.ledger, *order.bank, *order.registers]
    return Difference(
        kind=rule.kind,
        reference=order.reference,
        transfer_no=transfer_no,
        party=party,
        region=region,
        expected_fen=side.expected_fen,
        found_fen=side.found_fen,
        on=said.newest,
        ordered_on=ordered_on,
        entry="" if order.reference or not order.bank else order.bank[0].entry,
        basis=tuple(basis[:BASIS_LINES]),
    )


AT_THE_PAYEE = frozenset({"credit", "into", "stage"})
_PARTY_WITHOUT_ORDER = {
    Holder.PAYER: Party.O_FINANCE,
    Holder.PAYEE: Party.R_FINANCE,
    Holder.BANK: Party.BANK,
    Holder.PLATFORM: Party.PLATFORM,
}
_DIRECTION = dict(zip(BANK_SIDES, BankDirection, strict=True))
