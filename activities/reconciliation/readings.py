"""What the lines of one order say: a few readings, each out of a short list, which the table of causes is about."""

from collections.abc import Iterable, Sequence
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from activities.reconciliation.lines import (
    BankDirection,
    BankLine,
    Booked,
    LedgerLine,
    Line,
    RegisterDirection,
    RegisterLine,
)


class Reading(StrEnum):
    """A side of the bank or of a register, held against the ledger.

    NONE: nothing is booked and nothing there. MISSING: booked, not there. AHEAD: there as ordered, not booked yet.
    STRAY: there without an order that allows it. ELSEWHERE: on the account of another agency. UNSEEN: the bank does not
    tell us of that account.
    """

    NONE = "NONE"
    AGREES = "AGREES"
    MISSING = "MISSING"
    AHEAD = "AHEAD"
    DIFFERS = "DIFFERS"
    TWICE = "TWICE"
    STRAY = "STRAY"
    ELSEWHERE = "ELSEWHERE"
    UNSEEN = "UNSEEN"


class Stage(StrEnum):
    """How far the ledger has the order; NONE: it has none."""

    NONE = "NONE"
    GIVEN_UP = "GIVEN_UP"
    ORDERED = "ORDERED"
    REMITTED = "REMITTED"
    RETURNED = "RETURNED"
    RECEIVED = "RECEIVED"
    SUSPENDED = "SUSPENDED"
    CREDITED = "CREDITED"


class Age(StrEnum):
    """Since the newest line. FRESH: what is not there may yet come. OVERDUE: the alarm of law.md, ten working days."""

    FRESH = "FRESH"
    WAITING = "WAITING"
    OVERDUE = "OVERDUE"


class Dates(StrEnum):
    """EARLY: the bank's value date is before the order."""

    IN_ORDER = "IN_ORDER"
    EARLY = "EARLY"


class Books(StrEnum):
    """DIFFER: the ledger's own lines of the order do not agree."""

    WHOLE = "WHOLE"
    DIFFER = "DIFFER"


class Side(NamedTuple):
    """A reading with its figures."""

    reading: Reading
    expected_fen: int
    found_fen: int


class Readings(NamedTuple):
    """Everything that the table of causes looks at, in the order of its stations."""

    stage: Stage
    age: Age
    debit: Reading
    credit: Reading
    returned: Reading
    out: Reading
    into: Reading
    back: Reading
    dates: Dates
    books: Books


class Said(NamedTuple):
    """The bank's and the registers' six sides, and what the ledger says of the order."""

    stage: Stage
    debit: Side
    credit: Side
    returned: Side
    out: Side
    into: Side
    back: Side
    dates: Dates
    books: Books
    # What was ordered, and what the ledger says has left.
    sent: Side
    newest: date

    def side(self, station: str) -> Side:
        """The figures of a station: its own, or those of the side that it is about."""
        if station == "stage":
            return self.credit
        if station == "dates":
            return self.debit
        return self.sent if station == "books" else getattr(self, station)

    def at(self, age: Age) -> Readings:
        return Readings(
            self.stage,
            age,
            self.debit[0],
            self.credit[0],
            self.returned[0],
            self.out[0],
            self.into[0],
            self.back[0],
            self.dates,
            self.books,
        )


NOTHING = Side(Reading.NONE, 0, 0)
_NOTHING_BOOKED = dict.fromkeys(Booked, 0)
_STAGES = (
    (Booked.CREDITED, Stage.CREDITED),
    (Booked.SUSPENDED, Stage.SUSPENDED),
    (Booked.RECEIVED, Stage.RECEIVED),
)


def said_of_order(ledger: Sequence[LedgerLine], bank: Sequence[BankLine], registers: Sequence[RegisterLine]) -> Said:
    """What the lines of one order say; `ledger` is not empty."""
    booked = _NOTHING_BOOKED.copy()
    for each in ledger:
        booked[each.what] += each.amount_fen
    order = ledger[0]
    ordered_fen, remitted_fen, returned_fen = booked[Booked.ORDERED], booked[Booked.REMITTED], booked[Booked.RETURNED]
    credited_fen = booked[Booked.CREDITED]
    stage = _stage(booked)
    alive = stage is not Stage.GIVEN_UP
    debits: list[BankLine] = []
    credits_: list[BankLine] = []
    returns: list[BankLine] = []
    elsewhere: set[BankDirection] = set()
    for line in bank:
        if line.direction is BankDirection.CREDIT:
            credits_.append(line)
            at_home = line.account == order.payee
        elif line.direction is BankDirection.DEBIT and line.account == order.payee:
            # A credit that was taken back.
            credits_.append(line._replace(amount_fen=-line.amount_fen))
            at_home = True
        else:
            (debits if line.direction is BankDirection.DEBIT else returns).append(line)
            at_home = line.account == order.payer
        if not at_home:
            elsewhere.add(line.direction)
    outs: list[RegisterLine] = []
    ins: list[RegisterLine] = []
    backs: list[RegisterLine] = []
    for movement in registers:
        if movement.direction is RegisterDirection.OUT and movement.region == order.payee:
            # A late return takes back what was credited.
            ins.append(movement._replace(amount_fen=-movement.amount_fen))
        elif movement.direction is RegisterDirection.OUT:
            outs.append(movement)
        else:
            (backs if movement.region == order.payer else ins).append(movement)
    # What differs from the order is credited as it came, or lies under search: both are booked.
    arrived_fen = credited_fen + booked[Booked.SUSPENDED] + booked[Booked.RECEIVED]
    still_fen = ordered_fen - returned_fen - booked[Booked.MISSED]
    debit = _bank_side(debits, remitted_fen, ordered_fen if alive else 0, seen=order.debit_seen)
    credit = _bank_side(credits_, arrived_fen, still_fen if alive else 0, seen=order.credit_seen)
    returned = _returned(returns, returned_fen, ordered_fen if alive else 0, seen=order.debit_seen)
    if elsewhere:
        debit, credit, returned = (
            side._replace(reading=Reading.ELSEWHERE) if direction in elsewhere else side
            for direction, side in zip(BankDirection, (debit, credit, returned), strict=True)
        )
    ordered_on = min(each.on for each in ledger)
    early = order.debit_seen and any(each.on < ordered_on for each in (*debits, *credits_))
    whole = not remitted_fen or remitted_fen == ordered_fen
    in_transit_fen = remitted_fen - returned_fen - booked[Booked.MISSED]
    return Said(
        stage,
        debit,
        credit,
        returned,
        _register_side(outs, 0 if order.uncredited else remitted_fen),
        _register_side(ins, credited_fen if order.payee is not None else 0),
        # What never came is the payer's again, too.
        _register_side(backs, 0 if order.uncredited else returned_fen + booked[Booked.MISSED]),
        Dates.EARLY if early else Dates.IN_ORDER,
        Books.WHOLE if whole and credited_fen <= max(in_transit_fen, 0) else Books.DIFFER,
        Side(Reading.NONE, ordered_fen, remitted_fen),
        _newest([*ledger, *bank, *registers]),
    )


def said_of_nothing_ordered(bank: Sequence[BankLine], registers: Sequence[RegisterLine]) -> Said:
    """What lines say whose reference the ledger does not have, or that have none."""
    debit, credit, returned = (
        _stray(sum(each.amount_fen for each in bank if each.direction is direction)) for direction in BankDirection
    )
    out, into = (
        _stray(sum(each.amount_fen for each in registers if each.direction is direction))
        for direction in RegisterDirection
    )
    newest = _newest([*bank, *registers])
    return Said(Stage.NONE, debit, credit, returned, out, into, NOTHING, Dates.IN_ORDER, Books.WHOLE, NOTHING, newest)


def _newest(lines: Iterable[Line]) -> date:
    return max(each.on for each in lines)


def _stray(found_fen: int) -> Side:
    return Side(Reading.STRAY, 0, found_fen) if found_fen else NOTHING


def _stage(booked: dict[Booked, int]) -> Stage:
    if booked[Booked.GIVEN_UP]:
        return Stage.GIVEN_UP
    for what, stage in _STAGES:
        if booked[what]:
            return stage
    back_fen = booked[Booked.RETURNED] + booked[Booked.MISSED]
    if back_fen and back_fen >= booked[Booked.REMITTED]:
        return Stage.RETURNED
    return Stage.REMITTED if booked[Booked.REMITTED] else Stage.ORDERED


def _bank_side(lines: Sequence[BankLine], booked_fen: int, allowed_fen: int, *, seen: bool) -> Side:
    """A side of the bank: as booked, or before it is booked as the order allows."""
    found_fen = sum(each.amount_fen for each in lines)
    if not found_fen:
        if not seen:
            return Side(Reading.UNSEEN, booked_fen, 0)
        return Side(Reading.MISSING, booked_fen, 0) if booked_fen else Side(Reading.NONE, allowed_fen, 0)
    expected_fen = booked_fen or allowed_fen
    if not expected_fen:
        return Side(Reading.STRAY, 0, found_fen)
    if found_fen == expected_fen:
        return Side(Reading.AGREES if booked_fen else Reading.AHEAD, expected_fen, found_fen)
    twice = len(lines) > 1 and len({each.payment for each in lines}) < len(lines)
    return Side(Reading.TWICE if twice else Reading.DIFFERS, expected_fen, found_fen)


def _returned(lines: Sequence[BankLine], booked_fen: int, allowed_fen: int, *, seen: bool) -> Side:
    """The bank's return: before it is booked, any part of the order may come back."""
    side = _bank_side(lines, booked_fen, allowed_fen, seen=seen)
    part = side.reading is Reading.DIFFERS and side.found_fen < allowed_fen and not booked_fen
    return side._replace(reading=Reading.AHEAD) if part else side


def _register_side(lines: Sequence[RegisterLine], booked_fen: int) -> Side:
    """A side of a register, which moves in the same transaction as the ledger."""
    found_fen = sum(each.amount_fen for each in lines)
    if not found_fen:
        return Side(Reading.MISSING, booked_fen, 0) if booked_fen else NOTHING
    if found_fen == booked_fen:
        return Side(Reading.AGREES, booked_fen, found_fen)
    if not booked_fen:
        return Side(Reading.STRAY, 0, found_fen)
    twice = len(lines) > 1 and found_fen > booked_fen
    return Side(Reading.TWICE if twice else Reading.DIFFERS, booked_fen, found_fen)
