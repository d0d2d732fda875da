"""The agencies' registers: what the pre-check reads on both sides, and what the steps change in them."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from activities.database import Connection
from activities.keyring import Keyring
from activities.people import PersonRef, name_key, open_name
from activities.reference import RegionEntry, regions_on
from activities.sight import Applicant, Sight, employers, sight_of
from activities.ties import PERSON_ID_SQL
from workflows.commands import Application, DestinationFacts, FormFacts, ReverseFacts, StopFacts
from workflows.contribution import ContributionPeriod
from workflows.identity import comparable_name
from workflows.precheck import CompletedTransfer, Enrolment, PreCheck, Region
from workflows.state import TransferState
from workflows.ties import Tie
from workflows.vocabulary import InsuranceScheme, Role, TransferStepKind


@dataclass(frozen=True)
class Reading:
    """What both registers say: the check to assess, the person if any register knows them, and the hash of the name.

    `tie`: by which an agency may know it all; None for an agency without one and for every other caller. Without a right
    to know the whole, only the caller's own register is read, and `person` is None where that has nobody.
    """

    check: PreCheck
    person: PersonRef | None
    name_key: bytes | None
    regions: dict[str, RegionEntry]
    tie: Tie | None = None

    @property
    def employer_ids(self) -> tuple[str, ...]:
        """The employers, on either side, that may follow the case of their employee."""
        return tuple(sorted(employers(self.check)))


ENROLMENTS_SQL = """
select p.person_id, p.wrapped_key, p.resident_id_sealed, e.*
  from persons p left join enrolments e using (person_id)
 where p.person_key = any($1)
 order by e.region, e.scheme
"""
# What one region's register alone has of the person: for whom it does not know, no row, whoever else knows them.
OWN_ENROLMENTS_SQL = f"""
select p.person_id, p.wrapped_key, p.resident_id_sealed, e.*
  from enrolments e join persons p using (person_id)
 where e.person_id = {PERSON_ID_SQL.format(keys="$1")} and e.region = $2
 order by e.scheme
"""  # noqa: S608 - put together from constants of this system
# A completed case whose money is under way again is completed for every later application.
# An application that is taken but not yet carried out counts as open, for every later one: nobody slips in between, and of
# two that came at once the first is carried out. $3 is the application's own command, or none yet.
OWN_RECORD_SQL = """
select t.no, t.status, t.from_region, t.from_scheme, t.state->>'stopped_on' as stopped_on,
       coalesce(t.closed_at, t.reopened_at) as closed_at
  from transfers t
 where t.person_id = $1 and (t.closed_at is null or t.status = 'COMPLETED') and t.transfer_id <> $4
 union all
select c.transfer_no, 'SUBMITTED', '', 'EMPLOYEE', null, null
  from commands c where c.person_key = any($2) and c.outcome is null and c.kind = 'SUBMIT_TRANSFER'
   and not exists (select from commands own where own.command_id = $3
                      and (own.received_at, own.command_id) <= (c.received_at, c.command_id))
"""


async def read_precheck(
    connection: Connection,
    keyring: Keyring,
    applicant: Applicant,
    application: Application,
    *,
    today: date,
    resident_id_fault: str | None = None,
    command_id: str = "",
) -> Reading:
    """Read both registers, the directory and our own record for the pre-check of `application`.

    `command_id` is the application's own command, which does not stand in its own way. Raises `KeyError` with the code of
    a region that the directory lacks.
    """
    regions = await regions_on(connection, today, [application.from_region, application.to_region])
    for code in (application.from_region, application.to_region):
        if code not in regions:
            raise KeyError(code)
    base = PreCheck(
        origin=_region(regions[application.from_region]),
        destination=_region(regions[application.to_region]),
        from_scheme=application.from_scheme,
        to_scheme=application.to_scheme,
        request_stop=application.request_stop,
        wait_for_register=application.wait_for_register,
        resident_id_fault=resident_id_fault,
        certificate_shown=applicant.agency is not None and applicant.agency.certificate is not None,
    )
    if resident_id_fault is not None:
        return Reading(base, None, None, regions)
    sight = await sight_of(connection, applicant, base)
    rows = await _enrolments(connection, applicant, sight)
    person = None
    if rows:
        first = rows[0]
        person = PersonRef(first["person_id"], keyring.unwrap(first["wrapped_key"]), first["resident_id_sealed"])
    given = applicant.name_key
    if person is not None and applicant.name is not None:
        given = name_key(person.data_key, applicant.name)
    held = [row for row in rows if row["region"] is not None]
    check = base.model_copy(update={"enrolments": tuple(_enrolment(row, given) for row in held)})
    if applicant.actor.has(Role.EMPLOYER) and applicant.actor.subject in employers(check):
        sight = Sight(authorised=True)
    check = check.model_copy(update={"authorised": sight.authorised, "only_side": sight.only_side})
    if sight.whole:
        agreed = person is None or _names_agree(person, check, held)
        fault = await _certificate_fault(connection, person, application, today)
        own = await _own_record(connection, person, applicant, application.transfer_id, command_id)
        check = check.model_copy(update={"names_agree": agreed, "certificate_fault": fault} | own)
    return Reading(check, person, given, regions, sight.tie)


async def _enrolments(connection: Connection, applicant: Applicant, sight: Sight) -> list[Any]:
    """The rows of the person that the caller may know, that say whether it is their employer, or that a taken case needs."""
    if sight.whole or applicant.taken or applicant.actor.has(Role.EMPLOYER):
        return await connection.fetch(ENROLMENTS_SQL, applicant.person_keys)
    if sight.only_side is None:
        return []
    return await connection.fetch(OWN_ENROLMENTS_SQL, applicant.person_keys, applicant.actor.region)


async def _certificate_fault(
    connection: Connection, person: PersonRef | None, application: Application, today: date
) -> str | None:
    """What is wrong with the certificate that the application names: a key of words, None when nothing is."""
    if application.certificate_number is None:
        return None
    row = await connection.fetchrow(
        """select voided_at, valid_until from documents
            where kind = 'ENROLMENT_CERTIFICATE' and number = $1 and person_id = $2 and issued_by = $3
            order by version desc limit 1""",
        application.certificate_number, person.person_id if person else None, application.from_region,
    )  # fmt: skip
    if row is None:
        return "UNKNOWN"
    if row["voided_at"] is not None:
        return "VOID"
    return "EXPIRED" if row["valid_until"] is not None and row["valid_until"] < today else None


async def _own_record(
    connection: Connection, person: PersonRef | None, applicant: Applicant, transfer_id: UUID, command_id: str
) -> dict[str, Any]:
    person_id = person.person_id if person else None
    rows = await connection.fetch(OWN_RECORD_SQL, person_id, applicant.person_keys, command_id, transfer_id)
    completed = tuple(
        CompletedTransfer(
            no=row["no"],
            from_region=row["from_region"],
            from_scheme=InsuranceScheme(row["from_scheme"]),
            stopped_on=date.fromisoformat(row["stopped_on"]) if row["stopped_on"] else None,
        )
        for row in rows
        if row["closed_at"] is not None
    )
    still_open = next((row["no"] for row in rows if row["closed_at"] is None), None)
    return {"completed": completed, "open_transfer_no": still_open}


def _names_agree(person: PersonRef, check: PreCheck, rows: list[Any]) -> bool:
    sides = {(check.origin.code, check.from_scheme), (check.destination.code, check.to_scheme)}
    named = [row for row in rows if (row["region"], row["scheme"]) in sides]
    if len({row["name_key"] for row in named}) < 2:
        return True
    # Hashes made under different versions may differ for one name: only the names themselves decide.
    return len({comparable_name(open_name(person.data_key, row["name_sealed"])) for row in named}) < 2


def _region(entry: RegionEntry) -> Region:
    return Region(code=entry.code, policy=entry.policy, has_receiving_account=entry.receiving_account is not None)


def _enrolment(row: Any, given: bytes | None) -> Enrolment:
    same = {name: row[name] for name in Enrolment.model_fields if name in row and name != "periods"}
    return Enrolment(
        **same,
        active=row["status"] == "ACTIVE",
        name_agrees=None if given is None else row["name_key"] == given,
        periods=periods_of(row["contribution_periods"]),
    )


def periods_of(document: str) -> tuple[ContributionPeriod, ...]:
    """The contribution periods of an enrolment's column."""
    return tuple(ContributionPeriod.model_validate(each) for each in json.loads(document))


# ------------------------------------------------------------------ what the steps read and change

ENROLMENT_SQL = "select * from enrolments where person_id = $1 and region = $2 and scheme = $3 for update"


BOTH_SQL = """
select * from enrolments where person_id = $1 and (region, scheme) in (($2, $3), ($4, $5))
 order by region, scheme for update
"""


class BothSides(NamedTuple):
    """The person's enrolments at O and at R, locked; None where the register no longer has one."""

    origin: Any | None
    destination: Any | None


async def lock_both(connection: Connection, state: TransferState) -> BothSides:
    """Both enrolments, locked in the order in which a register load locks them, so that neither waits for the other.

    Whatever touches both sides begins with this.
    """
    sides = (state.from_region, state.from_scheme), (state.to_region, state.to_scheme)
    rows = await connection.fetch(BOTH_SQL, state.person_id, *sides[0], *sides[1])
    held = {(row["region"], row["scheme"]): row for row in rows}
    return BothSides(*(held.get(side) for side in sides))


async def origin_row(connection: Connection, state: TransferState) -> Any:
    """O's enrolment, locked. Raises LookupError when the register no longer has it."""
    return held(await origin_row_if_any(connection, state), state.from_region)


async def origin_row_if_any(connection: Connection, state: TransferState) -> Any | None:
    """O's enrolment, locked, where its register has one."""
    return await connection.fetchrow(ENROLMENT_SQL, state.person_id, state.from_region, state.from_scheme)


# The person, named as O's register spells it, by whatever a statement calls the person, O's region and its scheme.
NAMED_PERSON_SQL = """
select person_id, wrapped_key, resident_id_sealed, name_sealed
  from persons join enrolments using (person_id) where person_id = {person}
 order by (region = {region} and scheme = {scheme}) desc, region, scheme limit 1
"""


async def named_person(connection: Connection, keyring: Keyring, state: TransferState) -> tuple[PersonRef, bytes]:
    """The person and their name, sealed, as O's register spells it, or as another does when O has no such enrolment.

    Raises LookupError when no register has the person.
    """
    statement = NAMED_PERSON_SQL.format(person="$1", region="$2", scheme="$3")
    row = await connection.fetchrow(statement, state.person_id, state.from_region, state.from_scheme)
    if row is None:
        raise LookupError(f"no register has person {state.person_id} any more")
    return as_named_person(keyring, row)


def as_named_person(keyring: Keyring, row: Any) -> tuple[PersonRef, bytes]:
    """A row of `NAMED_PERSON_SQL`, opened."""
    person = PersonRef(row["person_id"], keyring.unwrap(row["wrapped_key"]), row["resident_id_sealed"])
    return person, row["name_sealed"]


async def stop_facts(connection: Connection, state: TransferState, periods: dict[TransferStepKind, int]) -> StopFacts:
    """The first and the last day of cover at O, as far as its register says; `periods` are the regions' of the day."""
    origin, destination = await lock_both(connection, state)
    row = held(origin, state.from_region)
    first_day: date | None = row["enrolled_on"]
    months = periods_of(row["contribution_periods"])
    if first_day is None and months:
        first_day = date.fromisoformat(f"{min(each.first_month for each in months)}-01")
    return StopFacts(
        covered_from=first_day,
        already_stopped_on=row["stopped_on"],
        covered_elsewhere=destination is not None and destination["status"] == "ACTIVE",
        periods=periods,
    )


def form_facts(state: TransferState, sides: BothSides, today: date, regions: dict[str, RegionEntry]) -> FormFacts:
    """What the information form takes from O's register, and from R's for the outlook; `regions` are both, as of today.

    Raises LookupError when O's register no longer has the enrolment.
    """
    row, destination = held(sides.origin, state.from_region), sides.destination
    policy = regions[state.from_region].policy
    return FormFacts(
        periods=periods_of(row["contribution_periods"]),
        balance_fen=row["personal_account_fen"],
        destination=_destination_facts(regions[state.to_region], destination, today),
        needs_checker=policy.form_needs_checker,
        disposition=policy.disposition_of(
            from_scheme=state.from_scheme,
            to_scheme=state.to_scheme,
            to_province=regions[state.to_region].province,
        ),
    )


async def reverse_facts(connection: Connection, state: TransferState) -> ReverseFacts:
    """What the person's account at R holds, from which money goes home."""
    _, destination = await lock_both(connection, state)
    return ReverseFacts(balance_fen=destination["personal_account_fen"] if destination else 0)


async def destination_facts(
    connection: Connection, state: TransferState, today: date, region: RegionEntry
) -> DestinationFacts:
    """R's own periods, the first day of its cover and its rule for waiting periods. O's row is locked with it."""
    _, destination = await lock_both(connection, state)
    return _destination_facts(region, destination, today)


def _destination_facts(region: RegionEntry, row: Any, today: date) -> DestinationFacts:
    return DestinationFacts(
        periods=periods_of(row["contribution_periods"]) if row else (),
        covered_from=(row["enrolled_on"] if row else None) or today,
        waiting=region.policy.waiting,
    )


async def stop_coverage(connection: Connection, state: TransferState, stopped_on: date, today: date) -> None:
    """O's register: the coverage has stopped. A stop that the register knows already stays as it is."""
    await connection.execute(
        """update enrolments set status = 'STOPPED', stopped_on = $4, moved_on = $5, moved_by = $6
            where person_id = $1 and region = $2 and scheme = $3 and status = 'ACTIVE'""",
        state.person_id, state.from_region, state.from_scheme, stopped_on, today, state.no,
    )  # fmt: skip


class Enrolled(NamedTuple):
    """One side of a transfer: whose account in which register."""

    region: str
    scheme: InsuranceScheme


async def freeze(connection: Connection, state: TransferState, side: Enrolled, amount_fen: int, today: date) -> None:
    """The side's register: so much is set aside for the transfer; a negative amount is the person's to use again."""
    await connection.execute(
        """update enrolments set personal_account_fen = personal_account_fen - $4, frozen_fen = frozen_fen + $4,
                  moved_on = $5, moved_by = $6 where person_id = $1 and region = $2 and scheme = $3""",
        state.person_id, *side, amount_fen, today, state.no,
    )  # fmt: skip


async def add_contribution(
    connection: Connection, state: TransferState, side: Enrolled, amount_fen: int, today: date
) -> None:
    """The side's register: a contribution came from outside, by no order. Raises LookupError when it has no such enrolment."""
    done = await connection.execute(
        """update enrolments set personal_account_fen = personal_account_fen + $4, moved_on = $5, moved_by = $6
            where person_id = $1 and region = $2 and scheme = $3""",
        state.person_id, *side, amount_fen, today, state.no,
    )  # fmt: skip
    _one_row(done, side.region)


async def set_months(
    connection: Connection, state: TransferState, months: tuple[ContributionPeriod, ...], today: date
) -> None:
    """R's register: its own months and those of O, each once. Raises LookupError without an enrolment at R."""
    done = await connection.execute(
        """update enrolments set contribution_periods = $4, moved_on = $5, moved_by = $6
            where person_id = $1 and region = $2 and scheme = $3""",
        state.person_id, state.to_region, state.to_scheme,
        json.dumps([each.model_dump(mode="json") for each in months]), today, state.no,
    )  # fmt: skip
    _one_row(done, state.to_region)


def held(row: Any | None, region: str) -> Any:
    """The row. Raises LookupError where the register of `region` has none."""
    if row is None:
        raise gone(region)
    return row


def _one_row(done: str, region: str) -> None:
    if done != "UPDATE 1":
        raise gone(region)


def gone(region: str) -> LookupError:
    return LookupError(f"the register of {region} has no such enrolment any more")
