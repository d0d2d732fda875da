"""What `yibao region show` and `list` do: the policies in force, where each value comes from, and what is to come."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import asyncpg
import click

from activities.reference import RegionEntry, regions_on
from activities.region_policies import PolicyEdition, edition_on, policy_editions
from activities.register_load import today_in_shanghai
from stack.connection import on_database
from stack.policy_keys import difference, flat
from stack.policy_proposals import ACCOUNT_KEYS
from stack.region_commands import region_entry
from workflows.policy import RegionPolicy


@dataclass(frozen=True)
class Shown:
    """A region on a day, and its editions: those until then, and those to come."""

    entry: RegionEntry
    day: date
    until_then: tuple[PolicyEdition, ...]
    to_come: tuple[PolicyEdition, ...]

    @property
    def edition(self) -> PolicyEdition | None:
        """The edition in force; None: the defaults are."""
        return edition_on(self.until_then, self.day)

    def origins(self) -> dict[str, PolicyEdition | None]:
        """For each key the edition since which it has its value, None for the default."""
        return {key: self._origin(key, value) for key, value in flat(self.entry.policy).items()}

    def _origin(self, key: str, value: str) -> PolicyEdition | None:
        if flat(RegionPolicy()).get(key) == value:
            return None
        origin = None
        for edition in reversed(self.until_then):
            if flat(edition.policy).get(key) != value:
                break
            origin = edition
        return origin


def show_and_print(code: str, data_dir: Path, day: date | None, *, as_json: bool) -> None:
    """Print the region's agency and the policy in force on `day`. Raises `StackError` for an unknown region."""
    on = day or today_in_shanghai()

    async def read(connection: asyncpg.Connection) -> Shown:
        entry = await region_entry(connection, code, on)
        editions = (await policy_editions(connection, [code]))[code]
        until_then = tuple(each for each in editions if each.effective_from <= on)
        return Shown(entry, on, until_then, editions[len(until_then) :])

    shown = on_database(data_dir, read)
    if as_json:
        click.echo(json.dumps(_document(shown), ensure_ascii=False))
    else:
        _print(shown)


def list_and_print(data_dir: Path, day: date | None, *, unconnected: bool) -> None:
    """Print a line for each region of the directory on `day`, or for those only that are not connected."""
    on = day or today_in_shanghai()

    async def read(
        connection: asyncpg.Connection,
    ) -> tuple[dict[str, RegionEntry], dict[str, tuple[PolicyEdition, ...]]]:
        return await regions_on(connection, on), await policy_editions(connection)

    regions, editions = on_database(data_dir, read)
    listed = [entry for entry in regions.values() if not (unconnected and entry.policy.connected)]
    for entry in listed:
        connected = "connected" if entry.policy.connected else "not connected"
        edition = edition_on(editions.get(entry.code, ()), on)
        click.echo(f"{entry.code} {entry.name} ({entry.province}): {connected}, {_name(edition)}")
    click.echo(f"{len(listed):,} of {len(regions):,} regions")


def _name(edition: PolicyEdition | None) -> str:
    return f"edition {edition.number} of {edition.effective_from}" if edition else "default"


def _print(shown: Shown) -> None:
    entry = shown.entry
    click.echo(f"{entry.code} {entry.name} ({entry.province})")
    click.echo(f"  {entry.agency_code} {entry.agency_name}, {entry.service_phone or 'no phone'}")
    for key in ACCOUNT_KEYS:
        click.echo(f"  {key}: {getattr(entry, key) or 'none'}")
    click.echo(f"policy on {shown.day}: {_name(shown.edition)}")
    origins = shown.origins()
    for key, value in flat(entry.policy).items():
        click.echo(f"  {key}: {value} ({_name(origins[key])})")
    before = entry.policy
    for edition in shown.to_come:
        click.echo(f"to come on {edition.effective_from}: edition {edition.number}")
        for line in difference(before, edition.policy) or ["no change"]:
            click.echo(f"  {line}")
        before = edition.policy


def _document(shown: Shown) -> dict[str, object]:
    entry = shown.entry
    said = entry.model_dump(mode="json", exclude={"policy"})
    origins = {key: _reference(edition) for key, edition in shown.origins().items()}
    return said | {
        "on": shown.day.isoformat(),
        "edition": _reference(shown.edition),
        "policy": entry.policy.model_dump(mode="json"),
        "origins": origins,
        "to_come": _whole(shown.to_come),
    }


def _reference(edition: PolicyEdition | None) -> dict[str, object] | None:
    return edition.model_dump(mode="json", include={"number", "effective_from"}) if edition else None


def _whole(editions: Sequence[PolicyEdition]) -> list[dict[str, object]]:
    return [edition.model_dump(mode="json", exclude={"region"}) for edition in editions]
