"""The sandbox bank's books: orders, bookings on accounts, and an outbox of messages, in a file that a restart forgets nothing of.

Time passes when somebody looks: what was handed in long enough ago is carried out then, as of its own time.
"""

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from activities.bank import PaymentOrder
from activities.bank.advices import Statement
from activities.bank.advising import advice_of
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.reports import REFUSED_CODE, report_of
from stack.atomic_files import private_file
from stack.bank_faults import BankFault, FaultKind
from workflows.deadlines import shanghai_date

# Those of a message; who has more sends several.
MOST_ENTRIES: Final = 200

TABLES = """
create table if not exists orders (reference text primary key, document text not null, handed_in_at real not null);
create table if not exists carried_out (reference text primary key, lines text not null);
create table if not exists bookings (
    number integer primary key autoincrement, account text not null, day text not null, entry text not null,
    visible_at real not null, alone int not null, times int not null, message_id text);
create index if not exists bookings_of_day on bookings (account, day);
create index if not exists bookings_unadvised on bookings (visible_at) where message_id is null;
create table if not exists messages (cursor integer primary key autoincrement, message_id text not null, document text not null);
"""


class BankBooks:
    """Every method may be called from any thread."""

    def __init__(self, file: Path) -> None:
        # It names payees and their accounts.
        self._database = sqlite3.connect(private_file(file), check_same_thread=False, isolation_level=None)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")
        self._database.executescript(TABLES)
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("begin immediate")
        try:
            yield
        except BaseException:
            self._database.execute("rollback")
            raise
        self._database.execute("commit")

    def hand_in(self, order: PaymentOrder, now: float) -> bool:
        """Keep the order; False when another one stands under its reference already."""
        with self._lock:
            self._database.execute(
                "insert into orders values (?, ?, ?) on conflict do nothing",
                (order.reference, order.model_dump_json(), now),
            )
            (kept,) = self._database.execute(
                "select document from orders where reference = ?", (order.reference,)
            ).fetchone()
        return bool(kept == order.model_dump_json())

    def order(self, reference: str) -> tuple[PaymentOrder | None, float] | None:
        """An order and when it was handed in; without its content, one of an earlier version of this bank."""
        row = self._database.execute(
            "select document, handed_in_at from orders where reference = ?", (reference,)
        ).fetchone()
        return None if row is None else (_read(row[0]), row[1])

    def lines(self, reference: str) -> list[tuple[str, str, str | None]] | None:
        """What became of the payments of an order, None while nothing has."""
        row = self._database.execute("select lines from carried_out where reference = ?", (reference,)).fetchone()
        return None if row is None else [tuple(line) for line in json.loads(row[0])]

    def carry_out_due(self, before: float, faults: Sequence[BankFault]) -> None:
        """Carry out what was handed in `before` that instant."""
        with self._lock:
            due = self._database.execute(
                """select document, handed_in_at from orders
                    where handed_in_at <= ? and reference not in (select reference from carried_out)
                    order by handed_in_at limit 500""",
                (before,),
            ).fetchall()
            if not due:
                return
            with self._transaction():
                for document, handed_in_at in due:
                    order = _read(document)
                    if order is not None:
                        self._carry_out(order, handed_in_at, faults)
                    else:
                        self._database.execute(
                            "insert into carried_out values (?, '[]')", (json.loads(document)["reference"],)
                        )

    def _carry_out(self, order: PaymentOrder, at: float, faults: Sequence[BankFault]) -> None:
        day = shanghai_date(datetime.fromtimestamp(at, UTC))
        lines: list[tuple[str, str, str | None]] = []
        for number, payment in enumerate(order.payments, 1):
            met = {each.kind: each for each in faults if each.meets(order, number)}
            refused = met.get(FaultKind.REFUSE)
            lines.append(
                (payment.end_to_end_id, REFUSED_CODE if refused else "ACSC", refused.code if refused else None)
            )
            if refused:
                continue
            name = f"{order.reference}-{number}"
            bookings = [_debit(order, payment.end_to_end_id, payment.amount_fen, f"D{name}"[:35], day)]
            back = met.get(FaultKind.RETURN)
            # Who has no clearing code is no agency: of its account nobody is told.
            if order.payee_bank_code is not None and (back is None or back.after_credit):
                credit = _credit(order, payment.end_to_end_id, payment.amount_fen, f"C{name}"[:35], day, met)
                bookings.append(credit)
                if back is not None:
                    bookings.append(_taken_back(credit, f"B{name}"[:35], payment.end_to_end_id))
                if FaultKind.CREDIT_TWICE in met:
                    bookings.append(credit.model_copy(update={"entry_reference": f"T{name}"[:35]}))
            if back is not None:
                bookings.append(
                    bookings[0].model_copy(
                        update={"kind": EntryKind.RETURN, "entry_reference": f"R{name}"[:35], "code": back.code}
                    )
                )
            if FaultKind.REORDER in met:
                bookings.reverse()
            times = 2 if FaultKind.DUPLICATE in met else 1
            for each in bookings:
                later = at + _delay(order, each, met)
                on = shanghai_date(datetime.fromtimestamp(later, UTC))
                dated = each.model_copy(update={"booked_on": on, "value_on": on})
                self._book(dated, later, alone=FaultKind.REORDER in met, times=times)
        if any(code is not None for _, _, code in lines):
            self._post(f"S{order.reference}", report_of(f"S{order.reference}", order.reference, lines, _at(at)))
        self._database.execute("insert into carried_out values (?, ?)", (order.reference, json.dumps(lines)))

    def _book(self, entry: BankEntry, visible_at: float, *, alone: bool = False, times: int = 1) -> None:
        self._database.execute(
            "insert into bookings (account, day, entry, visible_at, alone, times) values (?, ?, ?, ?, ?, ?)",
            (entry.account, entry.booked_on.isoformat(), entry.model_dump_json(), visible_at, alone, times),
        )

    def book(self, entry: BankEntry, now: float) -> None:
        """A booking that no order of ours has made: money that somebody pays in."""
        with self._lock:
            self._book(entry, now)

    def advise_due(self, now: float) -> None:
        """Write the messages of the bookings that can be seen by now: many in one, but for those that go out alone."""
        with self._lock:
            due = self._database.execute(
                """select number, entry, alone, times from bookings where message_id is null and visible_at <= ?
                    order by number limit ?""",
                (now, MOST_ENTRIES),
            ).fetchall()
            if not due:
                return
            together = [row for row in due if not row[2] and row[3] == 1]
            with self._transaction():
                for group in ([together] if together else []) + [[row] for row in due if row[2] or row[3] > 1]:
                    message_id = f"A{group[0][0]:08d}"
                    document = advice_of(message_id, [BankEntry.model_validate_json(row[1]) for row in group], _at(now))
                    for _ in range(group[0][3]):
                        self._post(message_id, document)
                    marks = [(message_id, row[0]) for row in group]
                    self._database.executemany("update bookings set message_id = ? where number = ?", marks)

    def post(self, message_id: str, document: bytes) -> None:
        """Put a message into the outbox as it is, however wrong."""
        with self._lock:
            self._post(message_id, document)

    def _post(self, message_id: str, document: bytes) -> None:
        self._database.execute(
            "insert into messages (message_id, document) values (?, ?)",
            (message_id, document.decode("utf-8", "replace")),
        )

    def messages(self, after: int, limit: int) -> list[dict[str, Any]]:
        """The outbox behind a place."""
        rows = self._database.execute(
            "select cursor, message_id, document from messages where cursor > ? order by cursor limit ?", (after, limit)
        ).fetchall()
        return [{"cursor": str(row[0]), "message_id": row[1], "document": row[2]} for row in rows]

    def statement(self, account: str, day: date, now: float) -> Statement:
        """The account on a day, by what can be seen by now; it held nothing before its first booking."""
        rows = self._database.execute(
            "select entry from bookings where account = ? and day <= ? and visible_at <= ? order by number",
            (account, day.isoformat(), now),
        ).fetchall()
        entries = [BankEntry.model_validate_json(row[0]) for row in rows]
        opening = sum(_signed(each) for each in entries if each.booked_on < day)
        today = tuple(each for each in entries if each.booked_on == day)
        return Statement(account, day, opening, opening + sum(_signed(each) for each in today), today)


def _debit(order: PaymentOrder, reference: str, fen: int, entry: str, day: date) -> BankEntry:
    return BankEntry(
        kind=EntryKind.DEBIT,
        entry_reference=entry,
        account=order.payer_account,
        amount_fen=fen,
        end_to_end_id=reference,
        booked_on=day,
        value_on=day,
        other_name=order.payee_name or None,
        other_account=order.payee_account,
    )


def _credit(
    order: PaymentOrder, reference: str, fen: int, entry: str, day: date, met: dict[FaultKind, BankFault]
) -> BankEntry:
    carried: str | None = reference
    if FaultKind.NO_REFERENCE in met:
        carried = None
    elif FaultKind.CUT_REFERENCE in met:
        carried = reference[:-4]
    name = order.payee_name
    if FaultKind.CUT_NAME in met:
        rare = next((each for each in name if ord(each) > 0xFFFF or not "\u4e00" <= each <= "\u9fa5"), name[-1])
        name = name.replace(rare, "", 1)
    return BankEntry(
        kind=EntryKind.CREDIT,
        entry_reference=entry,
        account=order.payee_account,
        amount_fen=fen - 1 if FaultKind.WRONG_AMOUNT in met and fen > 1 else fen,
        end_to_end_id=carried,
        booked_on=day,
        value_on=day,
        own_name=name,
        other_name=order.payer_name,
        other_account=order.payer_account,
        other_bank=order.payer_bank or None,
    )


def _taken_back(credit: BankEntry, entry: str, reference: str) -> BankEntry:
    """What had arrived leaves the payee's account again, as it came; the order is named even where the credit did not."""
    return credit.model_copy(update={"kind": EntryKind.DEBIT, "entry_reference": entry, "end_to_end_id": reference})


def _delay(order: PaymentOrder, entry: BankEntry, met: dict[FaultKind, BankFault]) -> float:
    taken_back = entry.kind is EntryKind.DEBIT and entry.account != order.payer_account
    kind = (
        FaultKind.RETURN
        if taken_back or entry.kind is EntryKind.RETURN
        else FaultKind.LATE
        if entry.kind is EntryKind.CREDIT
        else None
    )
    return met[kind].later_seconds if kind in met else 0.0


def _signed(entry: BankEntry) -> int:
    return -entry.amount_fen if entry.kind is EntryKind.DEBIT else entry.amount_fen


def _read(document: str) -> PaymentOrder | None:
    try:
        return PaymentOrder.model_validate_json(document)
    except ValidationError:
        return None


def _at(instant: float) -> datetime:
    return datetime.fromtimestamp(instant, UTC)
