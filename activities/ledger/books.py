"""What the auditor reads: the books of some cases, and of money without one, as one snapshot of the database has them."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import ValidationError

from activities.database import Connection
from activities.ledger.accounts import AccountName
from workflows.state import TransferState


class Line(NamedTuple):
    """An entry as it is written; one of `transfer_id` and `unmatched` says whose it is."""

    line: int
    account: AccountName
    region: str
    scheme: str
    amount_fen: int
    transfer_id: UUID | None
    unmatched: str | None


@dataclass
class Posting:
    posting_id: int
    transfer_id: UUID | None
    seq: int | None
    reference: str | None
    lines: int
    reverses: int | None
    entries: list[Line] = field(default_factory=list)


class MoneyEvent(NamedTuple):
    """An event of a case; `fact` only where it is about money."""

    type: str
    fact: dict[str, Any]


class Order(NamedTuple):
    """A row of the list of orders."""

    reference: str
    kind: str
    amount_fen: int
    status: str


@dataclass
class Case:
    """One transfer: its state, its orders, its events and its postings.

    `registers` is what each side's register has set aside for the person, beside what the ledger has for all cases of
    theirs: (region, scheme) → (register, ledger), in fen.
    """

    state: TransferState
    orders: list[Order] = field(default_factory=list)
    events: dict[int, MoneyEvent] = field(default_factory=dict)
    postings: list[Posting] = field(default_factory=list)
    registers: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)


@dataclass
class Books:
    """`undone` are postings that those of the cases reverse; `strays` are entries whose posting is not there.

    `unreadable` are the numbers of cases whose state cannot be read: nothing is known of their money.
    """

    cases: list[Case]
    undone: dict[int, Posting]
    strays: list[tuple[int, Line]]
    unreadable: list[str]


POSTING_COLUMNS = "posting_id, transfer_id, seq, reference, lines, reverses"
LINE_COLUMNS = "line, account, region, scheme, amount_fen, transfer_id, unmatched"
# An event is what a posting belongs to; of those about money what they say is read too.
EVENTS_SQL = """
select transfer_id, seq, type,
       case when type like 'funds\\_%' or type like 'form\\_delivered%' then event -> 'fact' end as fact
  from transfer_events where transfer_id = any($1) order by transfer_id, seq
"""
# What is frozen, or stands at O as returned or missing, is set aside in the register of that side.
REGISTERS_SQL = """
select t.transfer_id, e.region, e.scheme, e.frozen_fen, coalesce((
           select sum(l.amount_fen) from transfers o join ledger_entries l on l.transfer_id = o.transfer_id
            where o.person_id = e.person_id and l.region = e.region and l.scheme = e.scheme
              and (l.account in ('FROZEN', 'RETURNED')
                   or l.account = 'SUSPENSE' and l.region = o.from_region and l.scheme = o.from_scheme)), 0)::bigint as fen
  from transfers t join enrolments e on e.person_id = t.person_id
       and (e.region, e.scheme) in ((t.from_region, t.from_scheme), (t.to_region, t.to_scheme))
 where t.transfer_id = any($1)
"""


async def read_books(connection: Connection, transfer_ids: Sequence[UUID]) -> Books:
    """The books of these transfers."""
    cases: dict[UUID, Case] = {}
    unreadable: list[str] = []
    states_sql = "select transfer_id, no, state from transfers where transfer_id = any($1)"
    for row in await connection.fetch(states_sql, list(transfer_ids)):
        try:
            cases[row["transfer_id"]] = Case(TransferState.model_validate_json(row["state"]))
        except ValidationError:
            unreadable.append(row["no"])
    ids = list(cases)
    orders = await connection.fetch(
        "select transfer_id, reference, kind, amount_fen, status from remittances where transfer_id = any($1)", ids
    )
    for row in orders:
        cases[row["transfer_id"]].orders.append(Order(*tuple(row.values())[1:]))
    for row in await connection.fetch(EVENTS_SQL, ids):
        fact = json.loads(row["fact"]) if row["fact"] else {}
        cases[row["transfer_id"]].events[row["seq"]] = MoneyEvent(row["type"], fact)
    for row in await connection.fetch(REGISTERS_SQL, ids):
        cases[row["transfer_id"]].registers[row["region"], row["scheme"]] = row["frozen_fen"], row["fen"]
    query = f"select {POSTING_COLUMNS} from ledger_postings where transfer_id = any($1) order by 1"  # noqa: S608 - our own columns
    postings = await _postings(connection, query, ids)
    strays = await connection.fetch(
        f"""select posting_id, {LINE_COLUMNS} from ledger_entries e where transfer_id = any($1)
               and not exists (select from ledger_postings p where p.posting_id = e.posting_id)""",  # noqa: S608 - our own columns
        ids,
    )
    for posting in postings.values():
        if posting.transfer_id is not None:
            cases[posting.transfer_id].postings.append(posting)
    undone = await read_postings(connection, {each.reverses for each in postings.values() if each.reverses is not None})
    lines = [(row[0], Line(*tuple(row.values())[1:])) for row in strays]
    return Books(list(cases.values()), undone, lines, unreadable)


async def read_postings(connection: Connection, posting_ids: Iterable[int]) -> dict[int, Posting]:
    """These postings with their entries, by id."""
    wanted = list(posting_ids)
    if not wanted:
        return {}
    query = f"select {POSTING_COLUMNS} from ledger_postings where posting_id = any($1::bigint[]) order by 1"  # noqa: S608 - our own columns
    return await _postings(connection, query, wanted)


async def read_unmatched(connection: Connection, unmatched: Sequence[str]) -> dict[str, list[tuple[int, Line]]]:
    """The entries of money that no case owns, by the bank's id of it, in the order of their postings."""
    rows = await connection.fetch(
        f"select posting_id, {LINE_COLUMNS} from ledger_entries where unmatched = any($1) order by posting_id, line",  # noqa: S608 - our own columns
        list(unmatched),
    )
    found: dict[str, list[tuple[int, Line]]] = {}
    for row in rows:
        found.setdefault(row["unmatched"], []).append((row["posting_id"], Line(*tuple(row.values())[1:])))
    return found


async def _postings(connection: Connection, query: str, values: Sequence[Any]) -> dict[int, Posting]:
    postings = {row["posting_id"]: Posting(*row.values()) for row in await connection.fetch(query, values)}
    rows = await connection.fetch(
        f"select posting_id, {LINE_COLUMNS} from ledger_entries where posting_id = any($1::bigint[]) order by posting_id, line",  # noqa: S608 - our own columns
        list(postings),
    )
    for row in rows:
        postings[row["posting_id"]].entries.append(Line(*tuple(row.values())[1:]))
    return postings
