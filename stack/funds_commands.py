"""What `yibao funds` does: the list, read from the database with the keyring that opens its names."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
import click

from activities.bank.conflicts import Conflict, conflicts
from activities.bank.unmatched import UnmatchedFunds, unmatched_funds
from activities.payout import masked
from stack.connection import database_and_keyring, on_database
from workflows.deadlines import shanghai_date
from workflows.words import say

MOST: Final = 1_000
MOST_CONFLICTS: Final = 20
FAULTS_SQL = """
select message_id, state, fault from bank_messages where state <> 'PROCESSED' order by received_at desc, message_id limit 20
"""


class _Found(NamedTuple):
    listed: list[UnmatchedFunds]
    agencies: dict[str, str]
    faults: list[asyncpg.Record]
    conflicts: list[Conflict]


def list_unmatched(data_dir: Path, region: str | None, *, as_json: bool) -> None:
    """Print the list. Raises `StackError`."""
    _, keyring = database_and_keyring(data_dir)

    async def read(connection: asyncpg.Connection) -> _Found:
        names = await connection.fetch("select code, max(agency_name) as name from pooling_regions group by code")
        agencies = {row["code"]: row["name"] for row in names}
        regions = [region] if region is not None else sorted(agencies)
        listed = await unmatched_funds(connection, keyring, regions, limit=MOST)
        faults = await connection.fetch(FAULTS_SQL)
        return _Found(listed, agencies, faults, await conflicts(connection, region, MOST_CONFLICTS))

    found = on_database(data_dir, read)
    rows = [_row(each, found.agencies) for each in found.listed]
    if as_json:
        faults = [dict(row) for row in found.faults]
        said_twice = [each._asdict() | {"booked_on": each.booked_on.isoformat()} for each in found.conflicts]
        document = {"unmatched": rows, "messages_not_taken": faults, "entries_said_twice": said_twice}
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
        return
    click.echo(f"{len(rows)} unmatched, {sum(row['amount_fen'] for row in rows):,} fen")
    for row in rows:
        click.echo(
            f"{row['received_on']}  {row['region']}  {row['amount_fen']:>14,} fen  {row['age_days']:>4} days  "
            f"{row['why']}  {row['bank_reference']}  from {row['payer_name'] or 'nobody named'} {row['payer_account'] or ''}"
        )
        click.echo(f"    {row['message']}")
        for each in row["proposals"]:
            because = ", ".join(each["because"])
            click.echo(f"    perhaps {each['reference']} of {each['amount_fen']:,} fen: {because}")
    for fault in found.faults:
        click.echo(f"message {fault['message_id'][:60]} of the bank was not taken ({fault['state']}): {fault['fault']}")
    for each in found.conflicts:
        click.echo(
            f"entry {each.entry_reference} of the bank was said in two ways: {each.kept_fen:,} fen holds, "
            f"{each.amount_fen:,} fen of {each.booked_on} does not; ask the bank which is right"
        )


def _row(found: UnmatchedFunds, agencies: dict[str, str]) -> dict[str, Any]:
    entry = found.entry
    key = "unmatched_funds.GOING_HOME" if found.going_home else f"unmatched_funds.{found.why}"
    agency = agencies.get(found.region, found.region)
    return {
        "entry_id": str(entry.entry_id),
        "region": found.region,
        "bank_reference": entry.entry_reference,
        "amount_fen": entry.amount_fen,
        "received_on": entry.booked_on.isoformat(),
        "age_days": found.age_days(shanghai_date(datetime.now(UTC))),
        "why": found.why,
        "message": say("en", key, agency=agency, reference=entry.end_to_end_id or ""),
        "said_reference": entry.end_to_end_id,
        "payer_name": entry.other_name,
        "payer_account": masked(entry.other_account) if entry.other_account is not None else None,
        "going_home": found.going_home,
        "proposals": [
            {"reference": each.candidate.reference, "amount_fen": each.candidate.amount_fen, "because": each.because}
            for each in found.proposals
        ],
    }
