"""What the registers hold about one person, as the public contract shows it."""

import json
from dataclasses import dataclass
from datetime import date

from activities.database import Connection
from activities.keyring import Keyring
from activities.people import find_person, open_identity, open_name
from workflows.contribution import ContributionPeriod, format_months
from workflows.identity import mask_name, mask_resident_id


@dataclass(frozen=True)
class ShownEnrolment:
    """One enrolment; amounts in fen, `contribution_months` in the form of the register extract."""

    region: str
    scheme: str
    status: str
    stopped_on: date | None
    personal_account_fen: int
    frozen_fen: int
    contribution_months: str


@dataclass(frozen=True)
class ShownPerson:
    """A person, masked; `names` are the spellings of their enrolments, each once."""

    resident_id: str
    names: tuple[str, ...]
    enrolments: tuple[ShownEnrolment, ...]


async def show_person(connection: Connection, keyring: Keyring, resident_id: str) -> ShownPerson | None:
    """The person of this number and their enrolments by region and scheme, or None. Raises `KeyringError`."""
    person = await find_person(connection, keyring, resident_id)
    if person is None:
        return None
    rows = await connection.fetch(
        "select region, scheme, name_sealed, status, stopped_on, personal_account_fen, frozen_fen, contribution_periods"
        " from enrolments where person_id = $1 order by region, scheme",
        person.person_id,
    )
    enrolments = tuple(
        ShownEnrolment(
            region=row["region"],
            scheme=row["scheme"],
            status=row["status"],
            stopped_on=row["stopped_on"],
            personal_account_fen=row["personal_account_fen"],
            frozen_fen=row["frozen_fen"],
            contribution_months=format_months(
                ContributionPeriod.model_validate(period) for period in json.loads(row["contribution_periods"])
            ),
        )
        for row in rows
    )
    names = dict.fromkeys(mask_name(open_name(person.data_key, row["name_sealed"])) for row in rows)
    return ShownPerson(mask_resident_id(open_identity(person)), tuple(names), enrolments)
