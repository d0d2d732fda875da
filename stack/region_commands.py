"""What `yibao region` does: read the policy in force, change it as a new edition, and print the difference."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import click
from pydantic import ValidationError

from activities.directory import DirectoryRegion
from activities.reference import RegionEntry, directory_region, put_region, regions_on, set_policy
from activities.register_load import today_in_shanghai
from activities.worklist import redate_worklist
from stack.connection import on_database
from stack.errors import StackError
from workflows.policy import RegionPolicy

RECEIVING_ACCOUNT = "receiving_account"
# Whole or absent.
ACCOUNT_KEYS = (RECEIVING_ACCOUNT, "receiving_account_name", "receiving_bank", "receiving_bank_code")


def set_and_print(code: str, changes: tuple[str, ...], data_dir: Path, effective_from: date | None) -> None:
    """Put a changed policy in force and print what it changes. Raises `StackError` and changes nothing otherwise."""
    day = effective_from or today_in_shanghai()
    wanted = dict(_change(each) for each in changes)

    async def act(connection: asyncpg.Connection) -> list[str]:
        before = await _entry(connection, code, day)
        lines: list[str] = []
        account = {key: wanted.pop(key) for key in ACCOUNT_KEYS if key in wanted}
        if account:
            lines += await _set_account(connection, code, day, account)
        if wanted:
            policy = changed(before.policy, wanted)
            await set_policy(connection, code, policy, day)
            lines += difference(before.policy, policy)
            if policy.regional_holidays != before.policy.regional_holidays:
                moved = await redate_worklist(connection, today_in_shanghai())
                lines += [f"open steps with another due date: {moved:,}"] if moved else []
        return lines

    lines = on_database(data_dir, act)
    click.echo(f"{code}, in force from {day}:")
    for line in lines or ["no change"]:
        click.echo(f"  {line}")


def show_and_print(code: str, data_dir: Path, day: date | None) -> None:
    """Print the region's agency and the policy in force on `day`. Raises `StackError` for an unknown region."""

    async def act(connection: asyncpg.Connection) -> RegionEntry:
        return await _entry(connection, code, day or today_in_shanghai())

    entry = on_database(data_dir, act)
    click.echo(f"{entry.code} {entry.name} ({entry.province})")
    click.echo(f"  {entry.agency_code} {entry.agency_name}, {entry.service_phone or 'no phone'}")
    for key in ACCOUNT_KEYS:
        click.echo(f"  {key}: {getattr(entry, key) or 'none'}")
    for key, value in flat(entry.policy).items():
        click.echo(f"  {key}: {value}")


def changed(policy: RegionPolicy, wanted: dict[str, str]) -> RegionPolicy:
    """`policy` with the dotted keys of `wanted` changed. Raises `StackError` that names the key and what it may be."""
    document = policy.model_dump(mode="json")
    for key, value in wanted.items():
        *path, last = key.split(".")
        place: dict[str, Any] = document
        for name in path:
            inner = place.setdefault(name, {})
            if not isinstance(inner, dict):
                raise StackError(f"{key}: {name} holds no further keys")
            place = inner
        if value == "default":
            place.pop(last, None)
        else:
            place[last] = _value(value)
    try:
        return RegionPolicy.model_validate(document)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join((*RegionPolicy.model_fields, *ACCOUNT_KEYS))
        hint = f"; the keys are {known}" if first["type"] == "extra_forbidden" else ""
        raise StackError(f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}{hint}") from None


def difference(before: RegionPolicy, after: RegionPolicy) -> list[str]:
    """What changes from one edition to the next, a line for each key."""
    old, new = flat(before), flat(after)
    keys = sorted(old.keys() | new.keys())
    return [
        f"{key}: {old.get(key, 'default')} -> {new.get(key, 'default')}" for key in keys if old.get(key) != new.get(key)
    ]


def flat(policy: RegionPolicy) -> dict[str, str]:
    """The policy as dotted keys."""
    lines: dict[str, str] = {}
    for key, value in policy.model_dump(mode="json").items():
        if isinstance(value, dict):
            lines |= {f"{key}.{name}": str(inner) for name, inner in value.items()}
        else:
            lines[key] = {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
    return lines


def _change(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise StackError(f"{text}: a change has the form KEY=VALUE, e.g. arrears=block")
    return key.strip(), value.strip()


def _value(text: str) -> Any:
    """A list or an object in JSON, e.g. of `regional_holidays`; anything else is the word that it is."""
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise StackError(f"{text}: is no JSON: {error}") from None


async def _entry(connection: asyncpg.Connection, code: str, day: date) -> RegionEntry:
    entry = (await regions_on(connection, day, [code])).get(code)
    if entry is None:
        raise StackError(f"{code} is no pooling region of the directory on {day}")
    return entry


async def _set_account(connection: asyncpg.Connection, code: str, day: date, wanted: dict[str, str]) -> list[str]:
    """Another receiving account from `day` on, or with `receiving_account=none` no account; a line for each change.

    Raises `StackError` and changes nothing when the account would not be whole.
    """
    before = await directory_region(connection, code, day)
    account: dict[str, str | None] = {key: None if value in ("none", "") else value for key, value in wanted.items()}
    if RECEIVING_ACCOUNT in account and account[RECEIVING_ACCOUNT] is None:
        account = dict.fromkeys(ACCOUNT_KEYS) | account
    edition = {"effective_from": day, "source": "yibao region set"}
    try:
        after = DirectoryRegion.model_validate(before.model_dump() | account | edition)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        where = f"{first['loc'][0]}: " if first["loc"] else ""
        message = first["msg"].removeprefix("Value error, ")
        raise StackError(f"{where}{message} ({', '.join(ACCOUNT_KEYS)})") from None
    await put_region(connection, after)
    old, new = before.model_dump(), after.model_dump()
    return [f"{key}: {old[key] or 'none'} -> {new[key] or 'none'}" for key in ACCOUNT_KEYS if old[key] != new[key]]
