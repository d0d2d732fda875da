"""A look at a person's data: who, in which role, for which purpose, through which operation."""

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple
from uuid import UUID

import orjson

from activities.keyring import DataKey, Keyring
from gateway.access_model import Purpose
from gateway.auth import Viewer
from workflows.vocabulary import AGENCY_STAFF, REGIONAL_ROLES, Role

PURPOSE: Final = "access log looker"
# Operations that check what registers say before there is a case.
PRE_CHECKS: Final = frozenset({"eligibility"})


class LinkHolder(NamedTuple):
    """For whom a document's link was made: all that its download knows about the looker."""

    role: Role
    region: str | None
    looker_key: str


class Look(NamedTuple):
    """One look at a person's data by `looker`, at `at`, through `operation`.

    The person is `person_id`, or else the one of `document_id`, of `transfer_no`, or of a resident number whose keyed hashes are
    `person_keys`. `regions` are those of the transfer.
    """

    at: datetime
    looker: Viewer | LinkHolder
    operation: str
    person_id: UUID | None = None
    transfer_id: UUID | None = None
    transfer_no: str | None = None
    regions: tuple[str, ...] = ()
    document_id: UUID | None = None
    person_keys: tuple[bytes, ...] = ()
    acting_person: str | None = None


@dataclass(slots=True)
class Entry:
    """Equal looks of one batch: one row to be."""

    # 32 hexadecimal digits.
    entry_id: str
    look: Look
    looks: int = 1


def coalesced(looks: Iterable[Look]) -> list[Entry]:
    """One entry for all looks of one second that differ in nothing but their instant, with the instant of the first."""
    entries: dict[tuple[object, ...], Entry] = {}
    for look in looks:
        key = _equality(look)
        entry = entries.get(key)
        if entry is None:
            entries[key] = Entry(secrets.token_hex(16), look)
        else:
            entry.looks += 1
    return list(entries.values())


def _equality(look: Look) -> tuple[object, ...]:
    """Equal for equal looks of one second. Viewers of one token are one object; hashing them by value would cost more than all else."""
    at, looker = look.at, look.looker
    return (
        at.year, at.month, at.day, at.hour, at.minute, at.second,
        look.operation, look.transfer_no, look.acting_person, look.person_keys, look.document_id,
        # Of a transfer the number says whose it is.
        look.person_id if look.transfer_no is None else None,
        looker if isinstance(looker, LinkHolder) else id(looker),
    )  # fmt: skip


def looker_key(keyring: Keyring, viewer: Viewer, acting_person: str | None = None) -> str:
    """A keyed hash of who looks, safe in a URL: of an insured person's number, or of region, issuer and subject."""
    if viewer.resident_id is not None and not viewer.has(*REGIONAL_ROLES):
        return own_key(keyring, keyring.person_key(viewer.resident_id)[0])
    said = [viewer.region, viewer.issuer, viewer.subject, acting_person]
    return keyring.sign(PURPOSE, orjson.dumps(said))


def link_holder(keyring: Keyring, viewer: Viewer) -> LinkHolder:
    """What a link to a document carries about who asked for it."""
    role = role_of(viewer, own=False, regions=())
    return LinkHolder(role, viewer.region if role in REGIONAL_ROLES else None, looker_key(keyring, viewer))


def role_of(viewer: Viewer, *, own: bool, regions: Sequence[str]) -> Role:
    """The role in which the viewer sees a person's data: own, as staff of one of the case's `regions`, or what else there is."""
    if own:
        return Role.INSURED_PERSON
    staff = next((role for role in AGENCY_STAFF if role in viewer.roles), None)
    if staff is not None and (not regions or viewer.region in regions):
        return staff
    for role in (Role.SUPERVISOR, Role.OPERATOR, Role.EMPLOYER, Role.INSURED_PERSON):
        if role in viewer.roles:
            return role
    return staff or viewer.roles[0]


@cache
def purpose_of(role: Role, operation: str) -> Purpose:
    """Why data is looked at in a role through an operation."""
    match role:
        case Role.INSURED_PERSON:
            return Purpose.OWN_AFFAIRS
        case _ if operation in PRE_CHECKS:
            return Purpose.PRE_CHECK
        case Role.EMPLOYER:
            return Purpose.EMPLOYEE_AFFAIRS
        case Role.SUPERVISOR:
            return Purpose.SUPERVISION
        case Role.OPERATOR:
            return Purpose.PLATFORM_OPERATION
        case _:
            return Purpose.CASE_HANDLING


def open_looker(data_key: DataKey, entry_id: UUID, sealed: bytes) -> dict[str, str | None]:
    """Who looked, as a row of the person has it sealed: subject, issuer, acting person. Raises `BrokenSealError`."""
    said: dict[str, str | None] = orjson.loads(data_key.open(sealed, seal_context(entry_id.hex)))
    return said


def own_key(keyring: Keyring, person_key: bytes) -> str:
    """The key of an insured person who looks at their own data."""
    return keyring.sign(PURPOSE, b"person\n" + person_key)


def seal_context(entry_id: str) -> bytes:
    """Binds what is sealed to its row."""
    return b"access log " + entry_id.encode()
