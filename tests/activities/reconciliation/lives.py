"""Orders of money as they live, in lines of all three streams; and the faults that can be put into them, one an order."""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import NamedTuple

from activities.calendar_data import published_editions, statutory_days
from activities.reconciliation.compare import ages
from activities.reconciliation.kinds import Difference
from activities.reconciliation.kinds import DifferenceKind as Kind
from activities.reconciliation.lines import (
    BankDirection,
    BankLine,
    Booked,
    LedgerLine,
    RegisterDirection,
    RegisterLine,
)
from workflows.workdays import WorkingCalendar

# A Wednesday. From the 4th on nothing is FRESH any more: the 5th is two working days away.
UNTIL = date(2026, 3, 11)
TODAY, YESTERDAY, LAST_WEEK, LONG_AGO = UNTIL, date(2026, 3, 10), date(2026, 3, 4), date(2026, 1, 6)
AGE_OF = ages(UNTIL, WorkingCalendar.of(published_editions(), statutory_days()))
REGIONS = ("110000", "319900", "339900", "421099", "440343")
STRANGER = "500000"


@dataclass(frozen=True)
class Order:
    """One order's lines."""

    reference: str
    payer: str
    payee: str | None
    amount_fen: int
    comes_home: bool = False
    uncredited: bool = False
    debit_seen: bool = True
    credit_seen: bool = True
    ledger: tuple[LedgerLine, ...] = ()
    bank: tuple[BankLine, ...] = ()
    registers: tuple[RegisterLine, ...] = ()

    def book(self, what: Booked, on: date, fen: int | None = None) -> "Order":
        line = LedgerLine(
            self.reference,
            what,
            self.amount_fen if fen is None else fen,
            on,
            self.reference.rpartition("-")[0],
            self.payer,
            self.payee,
            self.comes_home,
            self.uncredited,
            self.debit_seen,
            self.credit_seen,
        )
        return replace(self, ledger=(*self.ledger, line))

    def pay(
        self, direction: BankDirection, on: date, fen: int | None = None, *, account: str | None = None, part: str = ""
    ) -> "Order":
        """An entry at the bank, on the account of the side that it belongs to unless another is named."""
        side = self.payee if direction is BankDirection.CREDIT else self.payer
        line = BankLine(
            self.reference,
            account or str(side),
            direction,
            self.amount_fen if fen is None else fen,
            on,
            f"E-{self.reference}-{len(self.bank)}",
            f"{self.reference}{part}",
        )
        return replace(self, bank=(*self.bank, line))

    def move(
        self, direction: RegisterDirection, on: date, fen: int | None = None, *, region: str | None = None
    ) -> "Order":
        side = self.payer if direction is RegisterDirection.OUT else self.payee
        fen = self.amount_fen if fen is None else fen
        line = RegisterLine(self.reference, region or str(side), direction, fen, on)
        return replace(self, registers=(*self.registers, line))

    # ---------------------------------------------------------------- the way of an order

    def ordered(self, on: date) -> "Order":
        return self.book(Booked.ORDERED, on)

    def debited(self, on: date) -> "Order":
        return self.pay(BankDirection.DEBIT, on) if self.debit_seen else self

    def remitted(self, on: date) -> "Order":
        return self.book(Booked.REMITTED, on).move(RegisterDirection.OUT, on)

    def sent(self, on: date) -> "Order":
        return self.ordered(on).debited(on).remitted(on)

    def arrived(self, on: date, fen: int | None = None) -> "Order":
        return self.pay(BankDirection.CREDIT, on, fen) if self.credit_seen else self

    def received(self, on: date, fen: int | None = None) -> "Order":
        return self.book(Booked.RECEIVED, on, fen)

    def credited(self, on: date, fen: int | None = None) -> "Order":
        fen = self.amount_fen if fen is None else fen
        booked = self.received(on, fen).book(Booked.RECEIVED, on, -fen).book(Booked.CREDITED, on, fen)
        return booked.move(RegisterDirection.IN, on, fen)

    def returned(self, on: date, fen: int | None = None) -> "Order":
        return self.pay(BankDirection.RETURN, on, fen).given_back(on, fen)

    def given_back(self, on: date, fen: int | None = None) -> "Order":
        return self.book(Booked.RETURNED, on, fen).move(RegisterDirection.IN, on, fen, region=self.payer)


Life = Callable[[Order], Order]


def _split(order: Order) -> Order:
    """Two payments of one order, each within the bank's limit."""
    first = order.amount_fen // 2
    rest = order.amount_fen - first
    order = order.ordered(LAST_WEEK).remitted(LAST_WEEK).credited(YESTERDAY)
    for part, fen in (("/1", first), ("/2", rest)):
        order = order.pay(BankDirection.DEBIT, LAST_WEEK, fen, part=part)
        order = order.pay(BankDirection.CREDIT, YESTERDAY, fen, part=part)
    return order


def _accepted_less(order: Order) -> Order:
    came = order.amount_fen - 7
    order = order.sent(LAST_WEEK).arrived(LAST_WEEK, came).credited(YESTERDAY, came)
    return order.book(Booked.MISSED, YESTERDAY, 7).move(RegisterDirection.IN, YESTERDAY, 7, region=order.payer)


def _accepted_more(order: Order) -> Order:
    came = order.amount_fen + 7
    return order.sent(LAST_WEEK).arrived(LAST_WEEK, came).credited(YESTERDAY).book(Booked.SUSPENDED, YESTERDAY, 7)


def _returned_late(order: Order) -> Order:
    """R's account and its register give back what they had, then O's have it again."""
    order = CLEAN["credited"](order).pay(BankDirection.DEBIT, YESTERDAY, account=order.payee)
    order = order.book(Booked.CREDITED, TODAY, -order.amount_fen).move(RegisterDirection.OUT, TODAY, region=order.payee)
    return order.returned(TODAY)


# Every way that is in order on `UNTIL`, by name.
CLEAN: dict[str, Life] = {
    "ordered today": lambda order: order.ordered(TODAY),
    "debited, not yet booked": lambda order: order.ordered(TODAY).debited(TODAY),
    "sent, no statement yet": lambda order: order.ordered(YESTERDAY).remitted(TODAY),
    "on its way": lambda order: order.sent(LAST_WEEK),
    "arrived yesterday": lambda order: order.sent(LAST_WEEK).arrived(YESTERDAY),
    "credited, no statement yet": lambda order: order.sent(LAST_WEEK).credited(TODAY),
    "credited": lambda order: order.sent(LONG_AGO).arrived(LONG_AGO).credited(LAST_WEEK),
    "credited in two parts": _split,
    "received today": lambda order: order.sent(LAST_WEEK).arrived(YESTERDAY).received(TODAY),
    "came back yesterday": lambda order: order.sent(LAST_WEEK).pay(BankDirection.RETURN, YESTERDAY),
    "returned": lambda order: order.sent(LONG_AGO).returned(LAST_WEEK),
    "returned in part": lambda order: (
        order.sent(LONG_AGO)
        .returned(LAST_WEEK, 3)
        .arrived(LAST_WEEK, order.amount_fen - 3)
        .credited(YESTERDAY, order.amount_fen - 3)
    ),
    "given up": lambda order: order.ordered(LONG_AGO).book(Booked.GIVEN_UP, LAST_WEEK, 1),
    "by post": lambda order: (
        replace(order, debit_seen=False).sent(LAST_WEEK).arrived(LONG_AGO).credited(YESTERDAY)
    ),
    "to an agency without statements": lambda order: (
        replace(order, credit_seen=False).sent(LONG_AGO).credited(LONG_AGO)
    ),
    "paid out": lambda order: (
        replace(order, payee=None, credit_seen=False).sent(LONG_AGO).book(Booked.CREDITED, LONG_AGO)
    ),
    "came home": lambda order: replace(order, comes_home=True).sent(LONG_AGO).arrived(LONG_AGO).credited(LAST_WEEK),
    "came home, never credited": lambda order: _without(
        replace(order, comes_home=True, uncredited=True).sent(LONG_AGO).arrived(LONG_AGO).credited(LAST_WEEK),
        RegisterDirection.OUT,
    ),
    "returned after it was credited": _returned_late,
    "less was accepted": _accepted_less,
    "more was accepted": _accepted_more,
    "under search": lambda order: (
        order.sent(LAST_WEEK).arrived(LAST_WEEK, order.amount_fen - 7).book(
            Booked.SUSPENDED, YESTERDAY, order.amount_fen - 7
        )
    ),
}  # fmt: skip


def _credited(order: Order) -> Order:
    return CLEAN["credited"](order)


def _sent_long_ago(order: Order) -> Order:
    return order.sent(LONG_AGO)


def _without(order: Order, what: Booked | BankDirection | RegisterDirection) -> Order:
    return replace(
        order,
        ledger=tuple(each for each in order.ledger if each.what != what),
        bank=tuple(each for each in order.bank if each.direction != what),
        registers=tuple(each for each in order.registers if each.direction != what),
    )


def _nameless(order: Order) -> Order:
    """The bank names no reference."""
    return replace(order, reference="", bank=tuple(each._replace(reference="", payment="") for each in order.bank))


def _fen_more(order: Order, direction: BankDirection | RegisterDirection) -> Order:
    """One fen too much on every line of that direction."""
    return replace(
        order,
        bank=tuple(e._replace(amount_fen=e.amount_fen + 1) if e.direction == direction else e for e in order.bank),
        registers=tuple(
            e._replace(amount_fen=e.amount_fen + 1) if e.direction == direction else e for e in order.registers
        ),
    )


DEBIT, CREDIT, RETURN = BankDirection
OUT, IN = RegisterDirection
# How each difference comes about: one fault in an order that is otherwise in order.
FAULTS: dict[Kind, Life] = {
    Kind.ORDERED_NOT_AT_BANK: lambda order: order.ordered(LAST_WEEK),
    Kind.REMITTED_NOT_DEBITED: lambda order: _without(_credited(order), DEBIT),
    Kind.DEBIT_NOT_BOOKED: lambda order: order.ordered(LAST_WEEK).debited(LAST_WEEK),
    Kind.DEBIT_WITHOUT_ORDER: lambda order: order.pay(DEBIT, LAST_WEEK).pay(CREDIT, LAST_WEEK),
    Kind.GIVEN_UP_BUT_DEBITED: lambda order: CLEAN["given up"](order).debited(YESTERDAY),
    Kind.CREDIT_WITHOUT_ORDER: lambda order: _nameless(order.pay(CREDIT, LAST_WEEK)),
    Kind.RETURN_WITHOUT_ORDER: lambda order: order.pay(RETURN, LAST_WEEK),
    Kind.RETURNED_YET_CREDITED: lambda order: CLEAN["returned"](order).pay(CREDIT, LAST_WEEK),
    Kind.WRONG_PAYER_ACCOUNT: lambda order: _without(_credited(order), DEBIT).pay(DEBIT, LONG_AGO, account=STRANGER),
    Kind.WRONG_PAYEE_ACCOUNT: lambda order: _sent_long_ago(order).pay(CREDIT, LAST_WEEK, account=STRANGER),
    Kind.PAID_TWICE: lambda order: _credited(order).pay(DEBIT, LAST_WEEK).pay(CREDIT, LAST_WEEK),
    Kind.BANK_CREDITED_TWICE: lambda order: _credited(order).pay(CREDIT, LAST_WEEK),
    Kind.DEBIT_AMOUNT_DIFFERS: lambda order: _fen_more(_fen_more(_credited(order), DEBIT), CREDIT),
    Kind.CREDIT_AMOUNT_DIFFERS: lambda order: _fen_more(_sent_long_ago(order).arrived(LAST_WEEK), CREDIT),
    Kind.VALUE_DATE_BEFORE_ORDER: lambda order: (
        order.ordered(LAST_WEEK)
        .debited(LAST_WEEK - timedelta(days=1))
        .remitted(LAST_WEEK)
        .arrived(LAST_WEEK)
        .credited(YESTERDAY)
    ),
    Kind.CREDIT_LATE: _sent_long_ago,
    Kind.CREDITED_WITHOUT_BANK: lambda order: _without(_credited(order), CREDIT),
    Kind.CREDIT_NOT_BOOKED: lambda order: _sent_long_ago(order).arrived(LAST_WEEK),
    Kind.RECEIVED_NOT_CREDITED: lambda order: _sent_long_ago(order).arrived(LAST_WEEK).received(LAST_WEEK),
    Kind.RETURN_NOT_BOOKED: lambda order: _credited(order).pay(RETURN, LAST_WEEK),
    Kind.RETURNED_WITHOUT_BANK: lambda order: _without(CLEAN["returned"](order), RETURN),
    Kind.RETURN_AMOUNT_DIFFERS: lambda order: _fen_more(CLEAN["returned"](order), RETURN),
    Kind.REGISTER_NOT_DEBITED: lambda order: _without(_credited(order), OUT),
    Kind.REGISTER_DEBITED_TWICE: lambda order: _credited(order).move(OUT, LAST_WEEK),
    Kind.REGISTER_DEBIT_DIFFERS: lambda order: _fen_more(_credited(order), OUT),
    Kind.REGISTER_NOT_CREDITED: lambda order: _without(_credited(order), IN),
    Kind.REGISTER_CREDITED_TWICE: lambda order: _credited(order).move(IN, LAST_WEEK),
    Kind.REGISTER_CREDIT_DIFFERS: lambda order: _fen_more(_credited(order), IN),
    Kind.REGISTER_NOT_GIVEN_BACK: lambda order: _without(CLEAN["returned"](order), IN),
    Kind.REGISTER_GIVEN_BACK_DIFFERS: lambda order: _fen_more(CLEAN["returned"](order), IN),
    Kind.REGISTER_WITHOUT_LEDGER: lambda order: order.move(IN, LAST_WEEK),
    Kind.LEDGER_NOT_WHOLE: lambda order: _without(_credited(order), Booked.REMITTED),
}


class Streams(NamedTuple):
    ledger: list[LedgerLine]
    bank: list[BankLine]
    registers: list[RegisterLine]


@dataclass
class Population:
    """Orders in order and orders with one fault each; `injected` is what must be found, and nothing else."""

    random: random.Random
    orders: list[Order] = field(default_factory=list)
    injected: set[tuple[Kind, str]] = field(default_factory=set)

    def add(self, life: Life) -> Order:
        payer, payee = self.random.sample(REGIONS, 2)
        no = f"ZY-{payee}-20260106-{len(self.orders):06d}"
        order = life(Order(f"{no}-01", payer, payee, self.random.randint(10, 5_000_000)))
        self.orders.append(order)
        return order

    def inject(self, kind: Kind) -> None:
        order = self.add(FAULTS[kind])
        self.injected.add((kind, order.reference or order.bank[0].entry))

    def streams(self) -> Streams:
        """Sorted by reference; the lines of one reference in any order."""
        return Streams(
            self._sorted(line for each in self.orders for line in each.ledger),
            self._sorted(line for each in self.orders for line in each.bank),
            self._sorted(line for each in self.orders for line in each.registers),
        )

    def _sorted(self, lines: Iterable[LedgerLine] | Iterable[BankLine] | Iterable[RegisterLine]) -> list:  # type: ignore[type-arg] # three kinds of lines
        return sorted(lines, key=lambda each: (each.reference, self.random.random()))


def found(differences: Iterable[Difference]) -> Iterator[tuple[Kind, str]]:
    return ((each.kind, each.reference or each.entry) for each in differences)
