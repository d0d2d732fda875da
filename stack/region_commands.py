"""What `yibao region set` does: change some keys of a policy, or the agency's receiving account, as a new edition."""

from datetime import date
from pathlib import Path

import asyncpg
from pydantic import ValidationError

from activities.directory import DirectoryRegion
from activities.reference import RegionEntry, directory_region, regions_on
from activities.region_policies import policy_editions
from activities.register_load import today_in_shanghai
from stack.errors import StackError
from stack.policy_keys import changed, keys_below
from stack.policy_proposals import ACCOUNT_KEYS, Proposal, past, propose, put_in_force, unknown_provinces


def set_and_print(
    code: str, changes: tuple[str, ...], data_dir: Path, effective_from: date | None, *, dry_run: bool, yes: bool
) -> None:
    """Show what `changes` make of the edition in force on their first day, and store that as a new edition.

    Raises `StackError` and changes nothing when one of them may not be.
    """
    today = today_in_shanghai()
    day = effective_from or today
    if reason := past(day, today):
        raise StackError(reason)
    wanted = dict(_change(each) for each in changes)
    account = {key: wanted.pop(key) for key in ACCOUNT_KEYS if key in wanted}
    for key in wanted:
        if key.partition(".")[0] not in keys_below(""):
            known = ", ".join((*keys_below(""), *ACCOUNT_KEYS))
            raise StackError(f"{key} is no key of a policy; the keys are {known}")

    async def read(connection: asyncpg.Connection) -> tuple[Proposal, ...]:
        entry = await region_entry(connection, code, day)
        policy = changed(entry.policy, wanted)
        if faults := await unknown_provinces(connection, policy):
            raise StackError(str(faults[0]))
        editions = await policy_editions(connection, [code])
        rows = await _with_account(connection, code, day, account) if account else None
        return (propose(code, day, policy, editions[code], rows),)

    put_in_force(data_dir, read, dry_run=dry_run, yes=yes)


async def region_entry(connection: asyncpg.Connection, code: str, day: date) -> RegionEntry:
    """The region as the directory has it on `day`. Raises `StackError` for one that it lacks."""
    entry = (await regions_on(connection, day, [code])).get(code)
    if entry is None:
        raise StackError(f"{code} is no pooling region of the directory on {day}")
    return entry


def _change(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise StackError(f"{text}: a change has the form KEY=VALUE, e.g. arrears=block")
    return key.strip(), value.strip()


async def _with_account(
    connection: asyncpg.Connection, code: str, day: date, wanted: dict[str, str]
) -> tuple[DirectoryRegion, DirectoryRegion] | None:
    """The directory's row before and after, with another receiving account or with `receiving_account=none` no account.

    None when it is the same. Raises `StackError` when the account would not be whole.
    """
    before = await directory_region(connection, code, day)
    account: dict[str, str | None] = {key: None if value in ("none", "") else value for key, value in wanted.items()}
    if ACCOUNT_KEYS[0] in account and account[ACCOUNT_KEYS[0]] is None:
        account = dict.fromkeys(ACCOUNT_KEYS) | account
    edition = {"effective_from": day, "source": "yibao region set"}
    try:
        after = DirectoryRegion.model_validate(before.model_dump() | account | edition)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        message = first["msg"].removeprefix("Value error, ")
        raise StackError(f"{where}{message} ({', '.join(ACCOUNT_KEYS)})") from None
    same = all(getattr(before, key) == getattr(after, key) for key in ACCOUNT_KEYS)
    return None if same else (before, after)
