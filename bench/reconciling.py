"""Reconciliation of many lines: the processor's seconds for a million lines of all three streams, beside a merge of the same that does nothing."""

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterator
from datetime import date
from operator import attrgetter
from typing import Final, NamedTuple

from activities.calendar_data import published_editions, statutory_days
from activities.reconciliation.compare import AgeOf, ages, differences
from activities.reconciliation.lines import (
    BankDirection,
    BankLine,
    Booked,
    LedgerLine,
    RegisterDirection,
    RegisterLine,
)
from bench import figures
from bench.figures import Figure
from workflows.workdays import WorkingCalendar

UNTIL: Final = date(2026, 3, 11)
ORDERED_ON, CREDITED_ON = date(2026, 1, 6), date(2026, 1, 8)
# One order in so many is not credited at the bank.
ONE_IN: Final = 1_000
FEN: Final = 420_000
ORIGIN, DESTINATION = "110000", "319900"
PER_MILLION: Final = 1_000_000
LINES_OF_ORDER: Final = 9


class Streams(NamedTuple):
    ledger: Iterator[LedgerLine]
    bank: Iterator[BankLine]
    registers: Iterator[RegisterLine]


def streams(orders: int) -> Streams:
    """Made as they are read: orders that were credited, nine lines each."""
    return Streams(_ledger(orders), _bank(orders), _registers(orders))


def _ledger(orders: int) -> Iterator[LedgerLine]:
    booked = (
        (Booked.ORDERED, FEN, ORDERED_ON),
        (Booked.REMITTED, FEN, ORDERED_ON),
        (Booked.RECEIVED, FEN, CREDITED_ON),
        (Booked.RECEIVED, -FEN, CREDITED_ON),
        (Booked.CREDITED, FEN, CREDITED_ON),
    )
    for number in range(orders):
        no = f"ZY-{DESTINATION}-20260106-{number:07d}"
        for what, fen, on in booked:
            yield LedgerLine(f"{no}-01", what, fen, on, no, ORIGIN, DESTINATION)


def _bank(orders: int) -> Iterator[BankLine]:
    for number in range(orders):
        reference = f"ZY-{DESTINATION}-20260106-{number:07d}-01"
        yield BankLine(reference, ORIGIN, BankDirection.DEBIT, FEN, ORDERED_ON, f"D{number}", reference)
        if number % ONE_IN:
            yield BankLine(reference, DESTINATION, BankDirection.CREDIT, FEN, CREDITED_ON, f"C{number}", reference)


def _registers(orders: int) -> Iterator[RegisterLine]:
    for number in range(orders):
        reference = f"ZY-{DESTINATION}-20260106-{number:07d}-01"
        yield RegisterLine(reference, ORIGIN, RegisterDirection.OUT, FEN, ORDERED_ON)
        yield RegisterLine(reference, DESTINATION, RegisterDirection.IN, FEN, CREDITED_ON)


def reconciling(*, thousands: tuple[int, ...], repetitions: int) -> list[Figure]:
    """For each size, in thousand lines times three, and its baseline in turn. Where the cost is linear they are alike."""
    age_of = ages(UNTIL, WorkingCalendar.of(published_editions(), statutory_days()))
    return [_figure(size, age_of, repetitions) for size in thousands]


def _figure(thousand: int, age_of: AgeOf, repetitions: int) -> Figure:
    lines = 3 * 1_000 * thousand
    orders = lines // LINES_OF_ORDER
    values, baselines, found = [], [], 0
    for _ in range(repetitions):
        baselines.append(_seconds(lambda: _drain(heapq.merge(*streams(orders), key=attrgetter("reference")))))
        began = time.process_time()
        found = sum(1 for _ in differences(*streams(orders), age_of))
        values.append(time.process_time() - began)
    assert found == -(-orders // ONE_IN)
    million = lines / PER_MILLION
    return figures.of(
        f"reconcile {thousand:,}k lines × 3",
        "s/million lines",
        [each / million for each in values],
        [each / million for each in baselines],
        baseline_is="a sorted merge of the same lines",
        orders=orders,
        differences=found,
    )


def _seconds(act: Callable[[], None]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def _drain(lines: Iterator[object]) -> None:
    deque(lines, maxlen=0)
