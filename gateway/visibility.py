"""What a caller may see, as SQL: for whom a row does not match, it does not exist."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from activities.keyring import Keyring
from activities.mandates import in_force
from activities.reference import RegionEntry
from gateway.auth import Viewer
from workflows.vocabulary import AGENCY_STAFF, Role

# A region at the head of its province (北京市 110000) and a province-level pool (319900) stand for the whole province.
PROVINCE_WIDE = ("0000", "9900")


class Scope(NamedTuple):
    """The rows of a caller: those of a person, of an employer's staff, of regions, or all.

    With `at`, those of the persons too whose mandate to the person is in force at that instant.
    """

    person_keys: list[bytes]
    employer: str | None
    regions: list[str]
    everything: bool = False
    at: datetime | None = None

    @property
    def is_own(self) -> bool:
        """A person's own cases, and no others."""
        return bool(self.person_keys) and self.employer is None and not self.regions and not self.everything


def scope_of(viewer: Viewer, keyring: Keyring, directory: Mapping[str, RegionEntry], at: datetime) -> Scope:
    """What the roles of `viewer` together let it see at the instant `at`."""
    own = viewer.has(Role.INSURED_PERSON) and viewer.resident_id is not None
    return Scope(
        person_keys=_person_keys(keyring, viewer.resident_id) if own and viewer.resident_id else [],
        employer=viewer.subject if viewer.has(Role.EMPLOYER) else None,
        regions=regions_of(viewer, directory),
        everything=viewer.has(Role.OPERATOR),
        at=at,
    )


# Who follows a transfer asks again and again; verified tokens are kept in the same number.
_person_keys = lru_cache(maxsize=10_000)(Keyring.person_keys)


def regions_of(viewer: Viewer, directory: Mapping[str, RegionEntry]) -> list[str]:
    """The regions whose cases an agency's or a bureau's people see: their own, or a supervisor's area."""
    if viewer.region is None:
        return []
    regions = {viewer.region} if viewer.has(*AGENCY_STAFF) else set()
    return sorted(regions | area_of(viewer, directory))


def area_of(viewer: Viewer, directory: Mapping[str, RegionEntry]) -> set[str]:
    """The regions whose supervisor `viewer` is."""
    if viewer.region is None or not viewer.has(Role.SUPERVISOR):
        return set()
    return supervised(viewer.region, directory)


def supervised(region: str, directory: Mapping[str, RegionEntry]) -> set[str]:
    """The area of a supervisor: the province for a province-wide code, else the one region."""
    entry = directory.get(region)
    if entry is None or not region.endswith(PROVINCE_WIDE):
        return {region}
    return {code for code, each in directory.items() if each.province == entry.province}


def persons_of(scope: Scope, parameters: list[Any]) -> str:
    """A query of the `person_id`s for whom an insured person may speak: their own, and by the mandates they hold."""
    parameters.append(scope.person_keys)
    keys = f"any(${len(parameters)}::bytea[])"
    own = f"select person_id from persons where person_key = {keys}"  # noqa: S608 - places, not values
    if scope.at is None:
        return own
    parameters.append(scope.at)
    holds = f"m.agent_key = {keys} and {in_force(f'${len(parameters)}')}"
    return f"{own} union all select m.person_id from mandates m where {holds}"  # noqa: S608


def visible(scope: Scope, parameters: list[Any]) -> str:
    """A condition on `transfers t` that holds for the rows of `scope`; its values are appended to `parameters`."""
    if scope.everything:
        return "true"
    conditions = []
    if scope.person_keys:
        conditions.append(f"t.person_id in ({persons_of(scope, parameters)})")
    if scope.employer is not None:
        parameters.append([scope.employer])
        conditions.append(f"t.employer_ids @> ${len(parameters)}::text[]")
    if scope.regions:
        parameters.append(scope.regions)
        place = f"${len(parameters)}::text[]"
        conditions.append(f"(t.from_region = any({place}) or t.to_region = any({place}))")
    return f"({' or '.join(conditions)})" if conditions else "false"
