"""The relations of `access_model` to a transfer, as SQL: for whom a row does not match, it does not exist."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from activities.keyring import Keyring
from activities.mandates import in_force
from activities.reference import RegionEntry
from gateway.access_model import AGENCIES, EMPLOYERS, SEES, Relation, Relations
from gateway.auth import Viewer
from workflows.deadlines import shanghai_date
from workflows.state import TransferState
from workflows.vocabulary import AGENCY_STAFF, Role, Side

# A region at the head of its province (北京市 110000) and a province-level pool (319900) stand for the whole province.
PROVINCE_WIDE = ("0000", "9900")


class Scope(NamedTuple):
    """The rows of a caller: those of a person, of an employer's staff, of regions, or all.

    With `at`, those of the persons too whose mandate to the person is in force at that instant. Of `regions`, `agency` is the one
    for whose agency the caller works, and `area` are those that it supervises.
    """

    person_keys: list[bytes]
    employer: str | None
    regions: list[str]
    everything: bool = False
    at: datetime | None = None
    agency: str | None = None
    area: frozenset[str] = frozenset()

    def only(self, relations: Relations) -> "Scope":
        """The rows that are there for the caller by one of `relations`."""
        agency = self.agency if not AGENCIES.isdisjoint(relations) else None
        area = self.area if Relation.SUPERVISOR in relations else frozenset()
        return Scope(
            person_keys=self.person_keys if Relation.SELF in relations else [],
            employer=self.employer if not EMPLOYERS.isdisjoint(relations) else None,
            regions=sorted(area | ({agency} if agency is not None else set())),
            everything=self.everything and Relation.OPERATOR in relations,
            at=self.at if Relation.MANDATE in relations else None,
            agency=agency,
            area=area,
        )

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
        agency=viewer.region if viewer.has(*AGENCY_STAFF) else None,
        area=frozenset(area_of(viewer, directory)),
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


def visible(scope: Scope, parameters: list[Any], persons: str | None = None) -> str:
    """A condition on `transfers t` that holds for the rows of `scope`; its values are appended to `parameters`.

    `persons`: an array of what `persons_of` finds, where the statement has one already.
    """
    if scope.everything:
        return "true"
    conditions = []
    if scope.person_keys:
        own = f"any({persons})" if persons is not None else f"any(array({persons_of(scope, parameters)}))"
        conditions.append(f"t.person_id = {own}")
    if scope.employer is not None:
        parameters.extend(([scope.employer], scope.employer))
        named = f"t.employer_ids @> ${len(parameters) - 1}::text[]"
        conditions.append(f"({named} and exists (select {EMPLOYS.format(f'${len(parameters)}')}))")
    if scope.regions:
        parameters.append(scope.regions)
        place = f"${len(parameters)}::text[]"
        conditions.append(f"(t.from_region = any({place}) or t.to_region = any({place}))")
    return f"({' or '.join(conditions)})" if conditions else "false"


# The rows of the two sides of the transfer that name the employer now. Flexible workers and residents have none.
EMPLOYS = """from enrolments e where e.person_id = t.person_id and e.employer_id = {}::text
    and e.scheme = 'EMPLOYEE' and not e.flexible_employment
    and ((e.region, e.scheme) = (t.from_region, t.from_scheme) or (e.region, e.scheme) = (t.to_region, t.to_scheme))"""


class Employment(NamedTuple):
    """What the register says of an employer of the transfer's person: on which sides, and its last day; None while it lasts."""

    sides: frozenset[Side]
    until: date | None


class Tie(NamedTuple):
    """How a caller is tied to one transfer; `employment` where the register names the caller as the employer."""

    relations: Relations
    employment: Employment | None = None


def one_transfer(scope: Scope, key: str, parameters: list[Any], columns: str = "") -> str:
    """A statement for the transfer whose column `key` is `$1`: one row, all of it null where there is none that `scope` covers.

    Whose cases the caller may see is looked up first, so that one that is another's takes as long as one that there is not.
    """
    persons = f"array({persons_of(scope, parameters)})" if scope.person_keys else "null::uuid[]"
    ties = tie_columns(scope, parameters)
    covered = visible(scope, parameters, "mine.persons")
    return f"""select t.state, {columns}{ties} from (select {persons} as persons offset 0) mine
                 left join transfers t on t.{key} = $1 and {covered}"""  # noqa: S608 - places, not values


def tie_columns(scope: Scope, parameters: list[Any]) -> str:
    """Columns on `transfers t` for `tie_of`; their values are appended to `parameters`."""
    is_self = is_agent = "false"
    if scope.person_keys:
        parameters.append(scope.person_keys)
        keys = f"any(${len(parameters)}::bytea[])"
        is_self = f"t.person_id in (select person_id from persons where person_key = {keys})"  # noqa: S608 - places
        if scope.at is not None:
            parameters.append(scope.at)
            holds = f"m.person_id = t.person_id and m.agent_key = {keys} and {in_force(f'${len(parameters)}')}"
            is_agent = f"exists (select from mandates m where {holds})"
    employed = "null::text"
    if scope.employer is not None:
        parameters.append(scope.employer)
        rows = f"select json_agg(json_build_array(e.region, e.stopped_on)) {EMPLOYS.format(f'${len(parameters)}')}"
        employed = f"({rows})::text"
    return f"{is_self} as is_self, {is_agent} as is_agent, {employed} as employed"


def tie_of(scope: Scope, state: TransferState, row: Mapping[str, Any]) -> Tie:
    """The caller's relations to the transfer of a row that has `tie_columns`."""
    found = set(office_tie(scope, state).relations)
    found |= {Relation.SELF} if row["is_self"] else set()
    found |= {Relation.MANDATE} if row["is_agent"] else set()
    employment = None
    if row["employed"] is not None and scope.employer in state.employer_ids and scope.at is not None:
        employment = _employment(json.loads(row["employed"]), state, shanghai_date(scope.at))
        found.add(Relation.EMPLOYER if employment.until is None else Relation.FORMER_EMPLOYER)
    return Tie(frozenset(found), employment)


def office_tie(scope: Scope, state: TransferState) -> Tie:
    """The relations that an office has to the transfer, which need nothing but the two regions."""
    found = {Relation.OPERATOR} if scope.everything else set()
    found |= {Relation.TRANSFER_OUT} if scope.agency == state.from_region else set()
    found |= {Relation.TRANSFER_IN} if scope.agency == state.to_region else set()
    found |= {Relation.SUPERVISOR} if not scope.area.isdisjoint((state.from_region, state.to_region)) else set()
    return Tie(frozenset(found & SEES))


def _employment(rows: list[tuple[str, str | None]], state: TransferState, today: date) -> Employment:
    """It lasts to the end of its last day."""
    sides = {Side.TRANSFER_OUT if region == state.from_region else Side.TRANSFER_IN for region, _ in rows}
    stopped = [date.fromisoformat(last_day) for _, last_day in rows if last_day is not None]
    lasts = len(stopped) < len(rows) or max(stopped) >= today
    return Employment(frozenset(sides), None if lasts else max(stopped))
