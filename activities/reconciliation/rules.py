"""The table of causes: which readings together are which difference, and whose it is.

A row that applies explains the sides that it names, and no later row explains them again: one fault is one difference,
and two that have nothing to do with each other are two. What no row explains is COMBINATION_UNKNOWN.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import NamedTuple

from activities.reconciliation.kinds import DifferenceKind as Kind
from activities.reconciliation.readings import Age, Books, Dates, Reading, Readings, Stage

R, S = Reading, Stage


class Holder(StrEnum):
    """Whose a difference is, before it is known which agency pays and which is paid."""

    PAYER = "PAYER"
    PAYEE = "PAYEE"
    BANK = "BANK"
    PLATFORM = "PLATFORM"


class Rule(NamedTuple):
    """`when` names the readings that a station may have; a station that it leaves out may have any.

    `explains`: the stations that are understood by it, the one whose figures it shows first.
    """

    kind: Kind
    holder: Holder
    explains: tuple[str, ...]
    when: Mapping[str, frozenset[StrEnum]]


def _row(kind: Kind, holder: Holder, explains: str, **when: StrEnum | tuple[StrEnum, ...]) -> Rule:
    met = {name: frozenset(each if isinstance(each, tuple) else (each,)) for name, each in when.items()}
    return Rule(kind, holder, tuple(explains.split()), met)


# The bank's statement of a day may come a working day later: what it lacks is looked at when it had the time.
DUE = (Age.WAITING, Age.OVERDUE)
RULES: tuple[Rule, ...] = (
    # The ledger against itself: nothing can be held against figures that do not agree.
    _row(Kind.LEDGER_NOT_WHOLE, Holder.PLATFORM, "books debit credit returned out into back", books=Books.DIFFER),
    # Money that no order allows.
    _row(Kind.GIVEN_UP_BUT_DEBITED, Holder.PAYER, "debit credit returned", stage=S.GIVEN_UP, debit=R.STRAY),
    _row(Kind.DEBIT_WITHOUT_ORDER, Holder.BANK, "debit credit returned", stage=S.NONE, debit=R.STRAY),
    _row(Kind.RETURNED_YET_CREDITED, Holder.BANK, "credit", stage=S.RETURNED, credit=R.STRAY),
    _row(Kind.CREDIT_WITHOUT_ORDER, Holder.PAYEE, "credit", credit=R.STRAY),
    _row(Kind.RETURN_WITHOUT_ORDER, Holder.PAYER, "returned", returned=R.STRAY),
    # The bank's debit.
    _row(Kind.WRONG_PAYER_ACCOUNT, Holder.BANK, "debit", debit=R.ELSEWHERE),
    _row(Kind.WRONG_PAYER_ACCOUNT, Holder.BANK, "returned", returned=R.ELSEWHERE),
    _row(Kind.WRONG_PAYEE_ACCOUNT, Holder.BANK, "credit", credit=R.ELSEWHERE),
    # A debit of too much, or twice, takes its credit along.
    _row(Kind.PAID_TWICE, Holder.BANK, "debit credit", debit=R.TWICE),
    _row(Kind.DEBIT_AMOUNT_DIFFERS, Holder.BANK, "debit credit", debit=R.DIFFERS),
    _row(Kind.VALUE_DATE_BEFORE_ORDER, Holder.BANK, "dates", dates=Dates.EARLY),
    _row(Kind.REMITTED_NOT_DEBITED, Holder.BANK, "debit", debit=R.MISSING, age=DUE),
    # Credited, or come back, with no debit before it.
    _row(Kind.REMITTED_NOT_DEBITED, Holder.BANK, "debit credit returned", debit=R.NONE, credit=R.AHEAD, stage=S.ORDERED, age=DUE),
    _row(Kind.REMITTED_NOT_DEBITED, Holder.BANK, "debit credit returned", debit=R.NONE, returned=R.AHEAD, stage=S.ORDERED, age=DUE),
    _row(Kind.ORDERED_NOT_AT_BANK, Holder.BANK, "debit credit", debit=R.NONE, stage=S.ORDERED, age=DUE),
    # Its return.
    _row(Kind.RETURN_AMOUNT_DIFFERS, Holder.PAYER, "returned credit", returned=(R.DIFFERS, R.TWICE)),
    _row(Kind.RETURNED_WITHOUT_BANK, Holder.PAYER, "returned", returned=R.MISSING, age=DUE),
    # Until the debit is booked, nothing that follows it can be.
    _row(Kind.DEBIT_NOT_BOOKED, Holder.PLATFORM, "debit credit returned", debit=R.AHEAD, stage=S.ORDERED, age=DUE),
    _row(Kind.RETURN_NOT_BOOKED, Holder.PAYER, "returned credit", returned=R.AHEAD, age=DUE),
    # Its credit.
    _row(Kind.BANK_CREDITED_TWICE, Holder.BANK, "credit", credit=R.TWICE),
    _row(Kind.CREDIT_AMOUNT_DIFFERS, Holder.PAYEE, "credit", credit=R.DIFFERS),
    _row(Kind.CREDITED_WITHOUT_BANK, Holder.PAYEE, "credit", credit=R.MISSING, age=DUE),
    _row(Kind.CREDIT_NOT_BOOKED, Holder.PAYEE, "credit", credit=R.AHEAD, age=DUE),
    _row(Kind.CREDIT_LATE, Holder.BANK, "credit", credit=R.NONE, debit=(R.AGREES, R.UNSEEN), stage=S.REMITTED, age=Age.OVERDUE),
    _row(Kind.RECEIVED_NOT_CREDITED, Holder.PAYEE, "stage", stage=S.RECEIVED, age=DUE),
    # The registers, which move with the ledger: nothing is waited for.
    _row(Kind.REGISTER_WITHOUT_LEDGER, Holder.PLATFORM, "out into back", out=R.STRAY),
    _row(Kind.REGISTER_WITHOUT_LEDGER, Holder.PLATFORM, "into", into=R.STRAY),
    _row(Kind.REGISTER_WITHOUT_LEDGER, Holder.PLATFORM, "back", back=R.STRAY),
    _row(Kind.REGISTER_NOT_DEBITED, Holder.PAYER, "out", out=R.MISSING),
    _row(Kind.REGISTER_DEBITED_TWICE, Holder.PAYER, "out", out=R.TWICE),
    _row(Kind.REGISTER_DEBIT_DIFFERS, Holder.PAYER, "out", out=R.DIFFERS),
    _row(Kind.REGISTER_NOT_CREDITED, Holder.PAYEE, "into", into=R.MISSING),
    _row(Kind.REGISTER_CREDITED_TWICE, Holder.PAYEE, "into", into=R.TWICE),
    _row(Kind.REGISTER_CREDIT_DIFFERS, Holder.PAYEE, "into", into=R.DIFFERS),
    _row(Kind.REGISTER_NOT_GIVEN_BACK, Holder.PAYER, "back", back=R.MISSING),
    _row(Kind.REGISTER_GIVEN_BACK_DIFFERS, Holder.PAYER, "back", back=(R.DIFFERS, R.TWICE)),
)  # fmt: skip
UNKNOWN = Rule(Kind.COMBINATION_UNKNOWN, Holder.PLATFORM, ("debit",), {})

BANK_SIDES = ("debit", "credit", "returned")
REGISTER_SIDES = ("out", "into", "back")
# What must be explained wherever it is met. At the bank what is MISSING may yet come while it is FRESH.
NEVER_RIGHT = frozenset({R.DIFFERS, R.TWICE, R.STRAY, R.ELSEWHERE})


@cache
def causes(readings: Readings) -> tuple[Rule, ...]:
    """The rows that explain these readings, none where all is well. There are few readings: each is looked up once."""
    found: list[Rule] = []
    unexplained = set(Readings._fields)
    for rule in RULES:
        applies = all(getattr(readings, name) in allowed for name, allowed in rule.when.items())
        if applies and rule.explains[0] in unexplained:
            found.append(rule)
            unexplained.difference_update(rule.explains)
    if any(wrong(readings, name) for name in unexplained):
        found.append(UNKNOWN)
    return tuple(found)


def wrong(readings: Readings, station: str) -> bool:
    """Whether a station by itself cannot stay as it is."""
    reading = getattr(readings, station)
    if station in BANK_SIDES:
        return reading in NEVER_RIGHT or (reading is R.MISSING and readings.age is not Age.FRESH)
    if station in REGISTER_SIDES:
        return reading in NEVER_RIGHT or reading is R.MISSING
    return reading in (Books.DIFFER, Dates.EARLY)
