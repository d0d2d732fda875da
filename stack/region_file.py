"""What `yibao region load` does: new editions of many regions' policies from one file, all of them or none.

The file is JSON, a list of `{"code", "effective_from", "policy"}`. JSON and not CSV: a policy holds lists and rules, and
what `yibao region show --json` prints as `policy` can be put into it. Each `policy` is whole: what it leaves out is the
default, so that the file alone says what will be in force, and loading it twice changes nothing.
"""

import json
from bisect import insort
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import click
from pydantic import BaseModel, ValidationError

from activities.csv_batches import SHOWN
from activities.reference import regions_on
from activities.region_policies import PolicyEdition, policy_editions
from activities.register_load import today_in_shanghai
from stack.errors import StackError
from stack.policy_keys import Fault, FaultError, faults_of, read_value
from stack.policy_proposals import Proposal, past, propose, put_in_force, unknown_provinces
from workflows.policy import RegionPolicy


class Entry(BaseModel, frozen=True, extra="forbid"):
    """One entry of the file, its policy not judged yet."""

    code: str
    effective_from: date
    policy: dict[str, Any]


class Edition(NamedTuple):
    """A good entry. `position` counts the file's entries from 1."""

    position: int
    code: str
    effective_from: date
    policy: RegionPolicy


def load_and_print(file: Path, data_dir: Path, *, dry_run: bool, yes: bool) -> None:
    """Show what the entries of `file` change, and store them. Raises `StackError` and changes nothing otherwise."""
    documents = _documents(file)

    async def read(connection: asyncpg.Connection) -> tuple[Proposal, ...]:
        editions, faults = await _judge(connection, documents)
        if faults:
            for fault in faults[:SHOWN]:
                click.echo(str(fault))
            if len(faults) > SHOWN:
                click.echo(f"and {len(faults) - SHOWN:,} more")
            raise StackError(f"nothing was loaded: {len(faults):,} errors in {len(documents):,} entries")
        return await _proposals(connection, editions)

    put_in_force(data_dir, read, dry_run=dry_run, yes=yes)


def _documents(file: Path) -> list[Any]:
    try:
        documents = json.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"cannot read {file}: {error}") from None
    except json.JSONDecodeError as error:
        raise StackError(f"{file} is not JSON: {error}") from None
    if not isinstance(documents, list):
        raise StackError(f'{file} must be a list of {{"code": …, "effective_from": …, "policy": {{…}}}}')
    return documents


async def _judge(connection: asyncpg.Connection, documents: list[Any]) -> tuple[list[Edition], list[Fault]]:
    """The good entries, and everything that is wrong with the others."""
    today = today_in_shanghai()
    editions: list[Edition] = []
    faults: list[Fault] = []
    first_of: dict[tuple[str, date], int] = {}
    for position, document in enumerate(documents, start=1):
        entry, policy, found = _parse(document)
        if entry is not None:
            found += await _misplaced(connection, entry, today)
            earlier = first_of.setdefault((entry.code, entry.effective_from), position)
            if earlier != position:
                found.append(Fault("effective_from", f"entry {earlier} is of {entry.code} and this day already"))
        if policy is not None:
            found += [fault.within("policy") for fault in await unknown_provinces(connection, policy)]
        faults += [fault.within(f"entry {position}", ": ") for fault in found]
        if entry is not None and policy is not None:
            editions.append(Edition(position, entry.code, entry.effective_from, policy))
    return editions, faults


def _parse(document: Any) -> tuple[Entry | None, RegionPolicy | None, list[Fault]]:
    """The entry and its policy, as far as they are good, and what is not."""
    try:
        entry = Entry.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_input=False)
        return None, None, [Fault(".".join(map(str, error["loc"])), error["msg"]) for error in errors]
    read: dict[str, Any] = {}
    found: list[Fault] = []
    for key, value in entry.policy.items():
        try:
            read[key] = read_value(key, value) if isinstance(value, str) else value
        except FaultError as error:
            found.append(error.fault.within("policy"))
    try:
        policy = RegionPolicy.model_validate(read)
    except ValidationError as invalid:
        return entry, None, [*found, *(fault.within("policy") for fault in faults_of(invalid))]
    return entry, None if found else policy, found


async def _misplaced(connection: asyncpg.Connection, entry: Entry, today: date) -> list[Fault]:
    if reason := past(entry.effective_from, today):
        return [Fault("effective_from", reason)]
    if not await regions_on(connection, entry.effective_from, [entry.code]):
        return [Fault("code", f"{entry.code} is no pooling region of the directory on {entry.effective_from}")]
    return []


async def _proposals(connection: asyncpg.Connection, editions: list[Edition]) -> tuple[Proposal, ...]:
    """By region and day, each against what is in force then, the file's earlier entries included."""
    known = {
        code: list(each) for code, each in (await policy_editions(connection, [*{e.code for e in editions}])).items()
    }
    proposals = []
    for edition in sorted(editions, key=lambda each: (each.code, each.effective_from)):
        of_region = known[edition.code]
        proposals.append(propose(edition.code, edition.effective_from, edition.policy, of_region))
        new = PolicyEdition(
            region=edition.code,
            number=len(of_region) + 1,
            effective_from=edition.effective_from,
            policy=edition.policy,
        )
        insort(of_region, new, key=lambda each: each.effective_from)
    return tuple(proposals)
