"""What `yibao region` does: read the policy in force, change it as a new edition, and print the difference."""

from datetime import date
from pathlib import Path
from typing import Any

import asyncpg
import click
from pydantic import ValidationError

from activities.reference import RegionEntry, regions_on, set_policy
from activities.register_load import today_in_shanghai
from stack.connection import on_database
from stack.errors import StackError
from workflows.policy import RegionPolicy

RECEIVING_ACCOUNT = "receiving_account"


def set_and_print(code: str, changes: tuple[str, ...], data_dir: Path, effective_from: date | None) -> None:
    """Put a changed policy in force and print what it changes. Raises `StackError` and changes nothing otherwise."""
    day = effective_from or today_in_shanghai()
    wanted = dict(_change(each) for each in changes)

    async def act(connection: asyncpg.Connection) -> list[str]:
        before = await _entry(connection, code, day)
        lines: list[str] = []
        if RECEIVING_ACCOUNT in wanted:
            account = wanted.pop(RECEIVING_ACCOUNT)
            await _set_account(connection, code, day, None if account in ("none", "") else account)
            lines.append(f"{RECEIVING_ACCOUNT}: {before.receiving_account or 'none'} -> {account or 'none'}")
        if wanted:
            policy = changed(before.policy, wanted)
            await set_policy(connection, code, policy, day)
            lines += difference(before.policy, policy)
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
    click.echo(f"  {RECEIVING_ACCOUNT}: {entry.receiving_account or 'none'}")
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
            place[last] = value
    try:
        return RegionPolicy.model_validate(document)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(RegionPolicy.model_fields)
        hint = f"; the keys are {known}, {RECEIVING_ACCOUNT}" if first["type"] == "extra_forbidden" else ""
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


async def _entry(connection: asyncpg.Connection, code: str, day: date) -> RegionEntry:
    entry = (await regions_on(connection, day, [code])).get(code)
    if entry is None:
        raise StackError(f"{code} is no pooling region of the directory on {day}")
    return entry


async def _set_account(connection: asyncpg.Connection, code: str, day: date, account: str | None) -> None:
    """A new edition of the region's directory row from `day` on, with another receiving account or none."""
    await connection.execute(
        """insert into pooling_regions
           select code, $2, null, name, province, agency_code, agency_name, service_phone, address,
                  case when $3::text is null then null else coalesce(receiving_account_name, agency_name) end,
                  case when $3::text is null then null else receiving_bank end,
                  case when $3::text is null then null else receiving_bank_code end, $3, 'yibao region set'
             from pooling_regions where code = $1 and effective_from <= $2 order by effective_from desc limit 1
           on conflict (code, effective_from) do update set receiving_account = excluded.receiving_account,
                  receiving_account_name = excluded.receiving_account_name, source = excluded.source""",
        code, day, account,
    )  # fmt: skip
