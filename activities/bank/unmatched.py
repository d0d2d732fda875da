"""Money that came and is nobody's yet: the list, oldest first, each with the orders that it may belong to.

It leaves the list when finance confirms a receipt with the bank's reference of it, or when it has gone home.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from difflib import SequenceMatcher
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from activities.bank.entries import BankEntry
from activities.bank.kept import read_entry
from activities.bank.matching import Why
from activities.bank.suspense import set_aside
from activities.database import Connection
from activities.keyring import Keyring
from workflows.identity import comparable_name
from workflows.messages import BankSaid

# A typing slip in an amount, a fee that was taken off.
NEAR_FEN: Final = 5_000
NEAR_SHARE: Final = 0.01
LIKE_A_NAME, LIKE_A_REFERENCE = 0.8, 0.85
SHORTEST_CUT: Final = 8
MOST_CANDIDATES: Final = 1_000
MOST_PROPOSALS: Final = 3

# The order whose receipt finance has entered with this money's reference: it decides what becomes of it.
ENTERED_FOR = """exists (
    select from remittances r where r.bank_reference = e.entry_reference
       and (r.status in ('MISMATCHED', 'CREDITED') or r.status = 'RETURNED' and r.received_fen is not null))"""
LISTED = f"e.state = 'GOING_HOME' or e.state = 'UNMATCHED' and not {ENTERED_FOR}"
LIST_SQL = f"""
select e.* from bank_entries e
 where e.region = any($1::text[]) and e.state in ('UNMATCHED', 'GOING_HOME') and ({LISTED})
   and ($2::date is null or (e.booked_on, e.entry_id) > ($2::date, $3::uuid))
 order by e.booked_on, e.entry_id limit $4
"""  # noqa: S608 - constants
ONE_SQL = f"select e.* from bank_entries e where e.entry_id = $1 and e.region = any($2::text[]) and ({LISTED})"  # noqa: S608 - constants
CANDIDATES_SQL = """
select r.reference, r.amount_fen, r.kind, t.no, t.from_region, t.to_region,
       (select max(coalesce(p.receiving_account_name, p.agency_name)) from pooling_regions p
         where p.code = case when r.kind = 'REVERSE' then t.to_region else t.from_region end) as payer_name
  from remittances r join transfers t using (transfer_id)
 where r.status in ('ORDERED', 'REMITTED', 'MISMATCHED') and r.kind <> 'PAYOUT'
   and case when r.kind = 'REVERSE' then t.from_region else t.to_region end = any($1::text[])
 order by r.ordered_at desc limit $2
"""
# The bookings that the word is about: the last ones of the order to come, up to its amount. The bank may count one that came later from an
# earlier day.
APART_SQL = """
update bank_entries e set state = 'UNMATCHED', why = $3
  from (select entry_id, sum(amount_fen) over (order by received_at desc, entry_reference desc) as fen
          from bank_entries where reference = $1 and kind = 'RETURN') last
 where e.entry_id = last.entry_id and last.fen <= $2 and e.state = 'MATCHED' and e.region is not null
returning e.entry_id, e.region, e.amount_fen
"""
RESOLVE_SQL = (
    "update bank_entries set state = $2, resolved_at = $3, resolved_by = $4, resolution = $5 where entry_id = $1"
)


class Because(StrEnum):
    """Why an order may be the one."""

    SAME_AMOUNT = "SAME_AMOUNT"
    NEAR_AMOUNT = "NEAR_AMOUNT"
    REFERENCE_CUT = "REFERENCE_CUT"
    REFERENCE_TYPO = "REFERENCE_TYPO"
    PAYER_NAME = "PAYER_NAME"


WEIGHT: Final = {
    Because.REFERENCE_CUT: 5,
    Because.REFERENCE_TYPO: 4,
    Because.SAME_AMOUNT: 3,
    Because.NEAR_AMOUNT: 1,
    Because.PAYER_NAME: 1,
}


class Candidate(NamedTuple):
    """An order on its way to the agency that has the money."""

    reference: str
    transfer_no: str
    amount_fen: int
    payee_region: str
    payer_name: str


class Proposal(NamedTuple):
    candidate: Candidate
    because: tuple[Because, ...]


class Place(NamedTuple):
    """A keyset position in the list."""

    booked_on: date
    entry_id: UUID


@dataclass(frozen=True)
class UnmatchedFunds:
    """One of the list. `region` has the money, and its finance must act."""

    entry: BankEntry
    region: str
    why: Why
    going_home: bool
    proposals: tuple[Proposal, ...]

    def age_days(self, today: date) -> int:
        return (today - self.entry.booked_on).days


async def unmatched_funds(
    connection: Connection | asyncpg.Pool,
    keyring: Keyring,
    regions: Sequence[str],
    *,
    limit: int,
    after: Place | None = None,
) -> list[UnmatchedFunds]:
    """A page of the list of these regions, oldest first."""
    place: tuple[Any, Any] = (None, None) if after is None else after
    rows = await connection.fetch(LIST_SQL, list(regions), *place, limit)
    return await _with_proposals(connection, keyring, rows)


async def unmatched_by_id(
    connection: Connection | asyncpg.Pool, keyring: Keyring, regions: Sequence[str], entry_id: UUID
) -> UnmatchedFunds | None:
    """The one of that id, if it is on the list of one of these regions."""
    rows = await connection.fetch(ONE_SQL, entry_id, list(regions))
    found = await _with_proposals(connection, keyring, rows)
    return found[0] if found else None


async def _with_proposals(
    connection: Connection | asyncpg.Pool, keyring: Keyring, rows: Sequence[asyncpg.Record]
) -> list[UnmatchedFunds]:
    if not rows:
        return []
    found = await connection.fetch(CANDIDATES_SQL, sorted({row["region"] for row in rows}), MOST_CANDIDATES)
    candidates = [_candidate(row) for row in found]
    listed = []
    for row in rows:
        entry = read_entry(keyring, row)
        own = [each for each in candidates if each.payee_region == row["region"]]
        going_home = row["state"] == "GOING_HOME"
        listed.append(UnmatchedFunds(entry, row["region"], Why(row["why"]), going_home, proposals(entry, own)))
    return listed


def proposals(entry: BankEntry, candidates: Sequence[Candidate]) -> tuple[Proposal, ...]:
    """The orders that the money may belong to, the likeliest first; a payer's name alone proposes nothing."""
    found = [Proposal(each, _because(entry, each)) for each in candidates]
    likely = [each for each in found if set(each.because) - {Because.PAYER_NAME}]
    likely.sort(
        key=lambda each: (
            -sum(WEIGHT[because] for because in each.because),
            abs(each.candidate.amount_fen - entry.amount_fen),
            each.candidate.reference,
        )
    )
    return tuple(likely[:MOST_PROPOSALS])


def _because(entry: BankEntry, order: Candidate) -> tuple[Because, ...]:
    found = []
    off = abs(order.amount_fen - entry.amount_fen)
    if off == 0:
        found.append(Because.SAME_AMOUNT)
    elif off <= max(NEAR_FEN, int(order.amount_fen * NEAR_SHARE)) and off < order.amount_fen:
        found.append(Because.NEAR_AMOUNT)
    said = [each for each in (entry.end_to_end_id, entry.text) if each]
    if any(_is_cut(each, order.reference) for each in said):
        found.append(Because.REFERENCE_CUT)
    elif any(SequenceMatcher(None, each, order.reference).ratio() >= LIKE_A_REFERENCE for each in said):
        found.append(Because.REFERENCE_TYPO)
    if entry.other_name is not None and _alike(entry.other_name, order.payer_name):
        found.append(Because.PAYER_NAME)
    return tuple(found)


def _is_cut(said: str, reference: str) -> bool:
    return (len(said) >= SHORTEST_CUT and said in reference) or reference in said


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, comparable_name(one), comparable_name(other)).ratio() >= LIKE_A_NAME


def _candidate(row: asyncpg.Record) -> Candidate:
    payee = row["from_region"] if row["kind"] == "REVERSE" else row["to_region"]
    return Candidate(row["reference"], row["no"], row["amount_fen"], payee, row["payer_name"] or "")


async def lay_apart(connection: Connection, said: BankSaid, at: datetime) -> None:
    """Put on the list, for the supervisor, what came back after the person had spent it; what is there already stays."""
    rows = await connection.fetch(APART_SQL, said.reference, said.amount_fen, Why.RETURN_AFTER_SPENT)
    await set_aside(connection, [(row["entry_id"], row["region"], row["amount_fen"]) for row in rows], at)
