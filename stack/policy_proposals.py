"""New editions of policies on their way into force: the difference is shown first, then asked for, then stored."""

import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import asyncpg
import click

from activities.directory import DirectoryRegion
from activities.reference import put_region, set_policy
from activities.region_policies import PolicyEdition, edition_on, keep_others_from_setting_policies
from activities.register_load import today_in_shanghai
from activities.worklist import redate_worklist
from stack.connection import on_database
from stack.errors import StackError
from stack.policy_keys import DEFAULT, Fault, difference, flat
from workflows.policy import RegionPolicy

# Whole or absent.
ACCOUNT_KEYS = ("receiving_account", "receiving_account_name", "receiving_bank", "receiving_bank_code")


@dataclass(frozen=True)
class Proposal:
    """A policy of region `code` that would be in force from a day on, in the place of `before`.

    `following` is the next edition, entered already for a later day. `account`: the directory's row with the agency's
    receiving account, before and after, when that changes too.
    """

    code: str
    effective_from: date
    before: RegionPolicy
    after: RegionPolicy
    following: PolicyEdition | None
    account: tuple[DirectoryRegion, DirectoryRegion] | None = None

    @property
    def changes(self) -> list[str]:
        """A line for each key that changes."""
        lines = []
        if self.account is not None:
            old, new = (each.model_dump() for each in self.account)
            lines = [
                f"{key}: {old[key] or 'none'} -> {new[key] or 'none'}" for key in ACCOUNT_KEYS if old[key] != new[key]
            ]
        return lines + difference(self.before, self.after)

    def lines(self) -> Iterator[str]:
        yield f"{self.code}, in force from {self.effective_from}:"
        for line in self.changes or ["no change"]:
            yield f"  {line}"
        if self.following is not None:
            yield from self._undone_by(self.following)

    def _undone_by(self, edition: PolicyEdition) -> Iterator[str]:
        """An edition is whole: one that was entered earlier for a later day does not have this change."""
        before, after, later = flat(self.before), flat(self.after), flat(edition.policy)
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key) != later.get(key):
                values = f"{after.get(key, DEFAULT)} -> {later.get(key, DEFAULT)}"
                yield f"  until {edition.effective_from}, when edition {edition.number} says: {key}: {values}"

    @property
    def moves_days_off(self) -> bool:
        return self.after.regional_holidays != self.before.regional_holidays

    async def store(self, connection: asyncpg.Connection) -> None:
        if self.account is not None:
            await put_region(connection, self.account[1])
        if self.after != self.before:
            await set_policy(connection, self.code, self.after, self.effective_from)


def propose(
    code: str,
    effective_from: date,
    policy: RegionPolicy,
    editions: Sequence[PolicyEdition],
    account: tuple[DirectoryRegion, DirectoryRegion] | None = None,
) -> Proposal:
    """`policy` against the one of the region's `editions` that is in force on its first day."""
    before = edition_on(editions, effective_from)
    following = next((each for each in editions if each.effective_from > effective_from), None)
    return Proposal(code, effective_from, before.policy if before else RegionPolicy(), policy, following, account)


def put_in_force(
    data_dir: Path,
    read: Callable[[asyncpg.Connection], Awaitable[tuple[Proposal, ...]]],
    *,
    dry_run: bool,
    yes: bool,
) -> None:
    """Print the difference that each proposal of `read` makes, ask a person at a terminal unless `yes`, and store them.

    Raises `StackError` and changes nothing when the answer is no, or when somebody else changed the same meanwhile.
    """
    proposals = on_database(data_dir, read)
    for proposal in proposals:
        for line in proposal.lines():
            click.echo(line)
    if not any(proposal.changes for proposal in proposals):
        return
    if dry_run:
        click.echo("dry run: nothing is stored")
        return
    if not (yes or _agreed()):
        raise StackError("nothing is stored")

    redated = on_database(data_dir, lambda connection: _store(connection, read, proposals))
    click.echo("stored")
    if redated:
        click.echo(f"open steps with another due date: {redated:,}")


async def _store(
    connection: asyncpg.Connection,
    read: Callable[[asyncpg.Connection], Awaitable[tuple[Proposal, ...]]],
    proposals: tuple[Proposal, ...],
) -> int:
    """Store them if they are still what `read` says; how many open steps have another due date by it."""
    await keep_others_from_setting_policies(connection)
    if await read(connection) != proposals:
        raise StackError("somebody changed these policies meanwhile: nothing is stored, look at the difference again")
    for proposal in proposals:
        await proposal.store(connection)
    if not any(proposal.moves_days_off for proposal in proposals):
        return 0
    return await redate_worklist(connection, today_in_shanghai())


def _agreed() -> bool:
    """What a person at a terminal says; without one nobody is asked."""
    at_a_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    return not at_a_terminal or click.confirm("Put this in force?")


def past(effective_from: date, today: date) -> str | None:
    """Why an edition may not take effect on this day, None if it may."""
    if effective_from >= today:
        return None
    return f"{effective_from} is past: an edition takes effect today ({today}) or later, and what has been stays"


async def unknown_provinces(connection: asyncpg.Connection, policy: RegionPolicy) -> list[Fault]:
    """The rules of `policy` that name a province of no region, and so would never match."""
    named = [rule.to_province for rule in policy.disposition]
    if not any(named):
        return []
    rows = await connection.fetch("select province from pooling_regions group by province order by min(code)")
    known = [row["province"] for row in rows]
    return [
        Fault(f"disposition.{index}.to_province", f"{province} is not allowed: {', '.join(known)}")
        for index, province in enumerate(named)
        if province is not None and province not in known
    ]
