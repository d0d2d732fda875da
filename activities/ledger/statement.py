"""The statement of accounts between two instants: what they held, every entry, what they held then. Whole fen.

A posting counts from its `posted_at`, when the act it books was asked for; it is written later, after an outage much
later, and commits land in any order. So a statement also says by which snapshot of the database it was drawn: drawn again
by that snapshot it is the same for ever, whatever has been posted into its days since. What was written after its end
says so by `late`.
"""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from activities.database import Connection
from activities.ledger.accounts import AccountName
from workflows.vocabulary import InsuranceScheme

# Postings of before 0009 do not say in which transaction they were written: every snapshot has them.
ENTRIES_SQL = """
select e.region, e.scheme, e.account, p.posting_id, e.line, p.posted_at, p.recorded_at, t.no as transfer_no, p.seq, p.reference,
       e.unmatched, p.reverses, e.amount_fen, coalesce(p.recorded_at > $6, false) as late
  from ledger_entries e join ledger_postings p using (posting_id) left join transfers t on t.transfer_id = p.transfer_id
 where ($1::text is null or e.region = $1) and ($2::text is null or e.scheme = $2) and ($3::text is null or e.account = $3)
   and ($4::uuid is null or e.transfer_id = $4) and p.posted_at > coalesce($5::timestamptz, '-infinity') and p.posted_at <= $6
   and coalesce(pg_visible_in_snapshot(p.written_in, $7::text::pg_snapshot), true)
 order by e.region, e.scheme, e.account, p.posted_at, p.posting_id, e.line
"""
OPENING_SQL = """
select e.region, e.scheme, e.account, sum(e.amount_fen)::bigint as fen
  from ledger_entries e join ledger_postings p using (posting_id)
 where ($1::text is null or e.region = $1) and ($2::text is null or e.scheme = $2) and ($3::text is null or e.account = $3)
   and ($4::uuid is null or e.transfer_id = $4) and p.posted_at <= $5
   and coalesce(pg_visible_in_snapshot(p.written_in, $6::text::pg_snapshot), true)
 group by 1, 2, 3 order by 1, 2, 3
"""


class StatementLine(BaseModel, frozen=True):
    """`unmatched`: the bank's id of money that no case owns. `balance_fen`: what the account holds after it."""

    posting_id: int
    line: int
    posted_at: datetime
    recorded_at: datetime | None
    transfer_no: str | None
    seq: int | None
    reference: str | None
    unmatched: str | None
    reverses: int | None
    amount_fen: int
    balance_fen: int
    late: bool


class AccountStatement(BaseModel, frozen=True):
    account: AccountName
    region: str
    scheme: InsuranceScheme
    opening_fen: int
    lines: tuple[StatementLine, ...]
    closing_fen: int


class Statement(BaseModel, frozen=True):
    """Every account in the scope that holds something or moved, after `since` and up to `at`, as `drawn_by` saw the ledger."""

    since: datetime | None
    at: datetime
    drawn_by: str
    accounts: tuple[AccountStatement, ...]


class Scope(BaseModel, frozen=True):
    """Which entries: those of an agency, a scheme, a purpose, a transfer; None is all."""

    region: str | None = None
    scheme: InsuranceScheme | None = None
    account: AccountName | None = None
    transfer_id: UUID | None = None


async def draw_statement(
    connection: Connection,
    scope: Scope,
    *,
    at: datetime,
    since: datetime | None = None,
    drawn_by: str | None = None,
) -> Statement:
    """The statement of `scope` at the instant `at`; its lines begin after `since`, where that is given.

    `drawn_by` is that of a statement drawn before, to have the very same again; left out, it is drawn from what is there
    now. Run it in one transaction of REPEATABLE READ: the opening balance and the entries are two questions.
    """
    if drawn_by is None:
        drawn_by = str(await connection.fetchval("select pg_current_snapshot()::text"))
    chosen = (scope.region, scope.scheme, scope.account, scope.transfer_id)
    opening: dict[tuple[str, str, str], int] = {}
    if since is not None:
        for row in await connection.fetch(OPENING_SQL, *chosen, since, drawn_by):
            opening[row["region"], row["scheme"], row["account"]] = row["fen"]
    balances, lines = dict(opening), dict[tuple[str, str, str], list[StatementLine]]()
    for row in await connection.fetch(ENTRIES_SQL, *chosen, since, at, drawn_by):
        key = row["region"], row["scheme"], row["account"]
        balances[key] = balances.get(key, 0) + row["amount_fen"]
        lines.setdefault(key, []).append(StatementLine(**row, balance_fen=balances[key]))
    accounts = (
        AccountStatement(
            account=account, region=region, scheme=scheme,
            opening_fen=opening.get(key, 0), lines=tuple(lines.get(key, ())), closing_fen=balances[key],
        )
        for key in sorted(balances)
        for region, scheme, account in [key]
        if key in lines or balances[key]
    )  # fmt: skip
    return Statement(since=since, at=at, drawn_by=drawn_by, accounts=tuple(accounts))
