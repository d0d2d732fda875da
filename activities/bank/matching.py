"""Which order a line of the bank belongs to, and what all lines of an order say together. Pure: the order they came in is nothing.

Money that names no order, another's account or another name, or comes twice, is UNMATCHED, and nobody's yet.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from itertools import groupby
from typing import Final, NamedTuple

from activities.bank import Payment
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.reasons import law_reason
from workflows.identity import comparable_name


class Why(StrEnum):
    """Why money that came is nobody's yet."""

    NO_REFERENCE = "NO_REFERENCE"
    UNKNOWN_REFERENCE = "UNKNOWN_REFERENCE"
    ANOTHER_ACCOUNT = "ANOTHER_ACCOUNT"
    NAME_DIFFERS = "NAME_DIFFERS"
    DUPLICATE = "DUPLICATE"
    # Of an order that was accepted with the amount that came: what came beyond it.
    EXCESS = "EXCESS"
    # It came back after the person had spent it at R.
    RETURN_AFTER_SPENT = "RETURN_AFTER_SPENT"


class Said(StrEnum):
    TAKEN = "TAKEN"
    CREDITED = "CREDITED"
    RETURNED = "RETURNED"


# The order in which a case is told.
RANK: Final = {Said.TAKEN: 1, Said.CREDITED: 2, Said.RETURNED: 3}


class Ordered(NamedTuple):
    """An order as the border knows it. `payee_region` is None when a person is paid; `payee_names` are the agency's."""

    reference: str
    amount_fen: int
    payer_region: str
    payee_region: str | None
    payee_names: frozenset[str]
    payments: tuple[Payment, ...]


class Line(NamedTuple):
    """An entry and the region whose account it is on, None for an account that is no agency's. `confirmed`: finance has entered it."""

    entry: BankEntry
    region: str | None
    confirmed: bool = False


class Verdict(NamedTuple):
    state: str
    why: Why | None = None


class Word(NamedTuple):
    """What the bank says of an order. `bank_reference`: of the booking that said it, the last one of several."""

    said: Said
    amount_fen: int
    said_on: date
    reason: str | None = None
    bank_reference: str | None = None


MATCHED, FOREIGN, CONFIRMED = Verdict("MATCHED"), Verdict("FOREIGN"), Verdict("CONFIRMED")


def judged(order: Ordered | None, lines: Iterable[Line]) -> dict[BankEntry, Verdict]:
    """What each line is, of those that name `order`; without one, of those that name none that is known.

    Of two credits of a payment the one that finance has confirmed pays, or else the one that was booked first.
    """
    verdicts: dict[BankEntry, Verdict] = {}
    paid: set[str] = set()
    for line in sorted(lines, key=_place):
        entry = line.entry
        verdict = CONFIRMED if line.confirmed else _of_line(order, entry, line.region)
        if verdict is CONFIRMED and order is not None:
            paid |= _confirmed(order, entry)
        elif verdict is MATCHED and entry.kind is EntryKind.CREDIT and entry.end_to_end_id is not None:
            if entry.end_to_end_id in paid:
                verdict = Verdict("UNMATCHED", Why.DUPLICATE)
            paid.add(entry.end_to_end_id)
        verdicts[entry] = verdict
    return verdicts


def _place(line: Line) -> tuple[bool, date, str, str]:
    return not line.confirmed, line.entry.booked_on, line.entry.entry_reference, line.entry.account


def _confirmed(order: Ordered, entry: BankEntry) -> set[str]:
    """The payments that the confirmed money is: the one that it names, or one of its amount, or else the whole order."""
    named = [each for each in order.payments if each.end_to_end_id == entry.end_to_end_id]
    alike = [each for each in order.payments if each.amount_fen == entry.amount_fen]
    return {each.end_to_end_id for each in (named or alike[:1] or order.payments)}


def _of_line(order: Ordered | None, entry: BankEntry, region: str | None) -> Verdict:
    comes_in = entry.kind in (EntryKind.CREDIT, EntryKind.RETURN)
    if order is None or entry.end_to_end_id not in {each.end_to_end_id for each in order.payments}:
        if not comes_in or region is None:
            return FOREIGN
        return Verdict("UNMATCHED", Why.NO_REFERENCE if entry.end_to_end_id is None else Why.UNKNOWN_REFERENCE)
    if not comes_in:
        return MATCHED
    if region != (order.payee_region if entry.kind is EntryKind.CREDIT else order.payer_region):
        return FOREIGN if region is None else Verdict("UNMATCHED", Why.ANOTHER_ACCOUNT)
    if entry.kind is EntryKind.CREDIT and entry.own_name is not None:
        names = {comparable_name(each) for each in order.payee_names}
        if comparable_name(entry.own_name) not in names:
            return Verdict("UNMATCHED", Why.NAME_DIFFERS)
    return MATCHED


def joined(order: Ordered, entries: Sequence[BankEntry]) -> list[Word]:
    """What the matched entries of an order say together: TAKEN when all payments are, the others with their sums.

    A payment that was refused never left: it counts as come back, and TAKEN is said of the rest when that has left.
    """
    by_payment = {
        key: list(group)
        for key, group in groupby(sorted(entries, key=_payment), key=_payment)
        if key in {each.end_to_end_id for each in order.payments}
    }
    refused = [each for each in order.payments if _only_refused(by_payment.get(each.end_to_end_id, []))]
    taken = [each for each in order.payments if each not in refused and each.end_to_end_id in by_payment]
    words = []
    if taken and len(taken) + len(refused) == len(order.payments):
        on = max(_first_day(by_payment[each.end_to_end_id]) for each in taken)
        words.append(Word(Said.TAKEN, order.amount_fen, on))
    came = _all(by_payment, EntryKind.CREDIT)
    back = _all(by_payment, EntryKind.RETURN)
    at_an_end = {each.end_to_end_id for each in (*came, *back)} | {each.end_to_end_id for each in refused}
    if came and len(at_an_end) == len(order.payments):
        words.append(_word(Said.CREDITED, came, sum(each.amount_fen for each in came)))
    if (back or refused) and (words or len(refused) == len(order.payments)):
        refusals = [
            next(entry for entry in by_payment[each.end_to_end_id] if entry.kind is EntryKind.REFUSED)
            for each in refused
        ]
        fen = sum(each.amount_fen for each in back) + sum(each.amount_fen for each in refused)
        words.append(_word(Said.RETURNED, [*back, *refusals], min(fen, order.amount_fen)))
    return words


def _word(said: Said, entries: Sequence[BankEntry], fen: int) -> Word:
    last = max(entries, key=_when)
    codes = sorted((each.value_on, each.code) for each in entries if each.code is not None)
    reason = law_reason(codes[0][1] if codes else None) if said is Said.RETURNED else None
    booked = [each for each in entries if each.kind is not EntryKind.REFUSED]
    reference = max(booked, key=_when).entry_reference if booked else None
    return Word(said, fen, last.value_on, reason, reference)


def _when(entry: BankEntry) -> tuple[date, str]:
    return entry.value_on, entry.entry_reference


def _payment(entry: BankEntry) -> str:
    return entry.end_to_end_id or ""


def _only_refused(entries: Sequence[BankEntry]) -> bool:
    return bool(entries) and all(each.kind is EntryKind.REFUSED for each in entries)


def _first_day(entries: Sequence[BankEntry]) -> date:
    return min(each.booked_on for each in entries)


def _all(by_payment: dict[str, list[BankEntry]], kind: EntryKind) -> list[BankEntry]:
    return [each for entries in by_payment.values() for each in entries if each.kind is kind]
