"""Who asks for the pre-check, and what they may know of the person: decided before any register is read."""

from dataclasses import dataclass
from typing import NamedTuple

from activities.database import Connection
from activities.mandates import Agent, holds_mandate
from activities.ties import AskingAgency, tie_of
from workflows.actors import Actor
from workflows.precheck import PreCheck
from workflows.ties import Tie
from workflows.vocabulary import CLERKS, InsuranceScheme, Role, Side


@dataclass(frozen=True)
class Applicant:
    """Who an application is about, and on whose word.

    `person_keys` are the number's keyed hashes; `name` the name given, or `name_key` its hash from an earlier reading.
    `is_self` is true for an insured person's own application; `agent` is an insured person who applies for another;
    `agency` is the agency of a clerk or a system. `taken`: the application is in the command log as one that was taken, so
    the agency's tie to the person held when it was received; what has become of the tie since changes nothing.
    """

    actor: Actor
    person_keys: list[bytes]
    name: str | None = None
    name_key: bytes | None = None
    is_self: bool = False
    agent: Agent | None = None
    agency: AskingAgency | None = None
    taken: bool = False


class Sight(NamedTuple):
    """What a caller may know: everything when `authorised` and no side is named; `only_side` is then the one it may know.

    `tie`: by which an agency may know more than its own register.
    """

    authorised: bool
    only_side: Side | None = None
    tie: Tie | None = None

    @property
    def whole(self) -> bool:
        return self.authorised and self.only_side is None


async def sight_of(connection: Connection, applicant: Applicant, check: PreCheck) -> Sight:
    """What the caller may know of the person, as far as no register has to be read for it: an employer's staff is in one."""
    actor = applicant.actor
    if applicant.is_self and actor.has(Role.INSURED_PERSON):
        return Sight(authorised=True)
    side = _own_side(actor, check)
    if side is not None:
        if applicant.taken:
            return Sight(authorised=True)
        agency = applicant.agency
        tie = await tie_of(connection, applicant.person_keys, agency) if agency is not None else None
        if tie is not None:
            return Sight(authorised=True, tie=tie)
    if await on_mandate(connection, applicant):
        return Sight(authorised=True)
    return Sight(authorised=side is not None, only_side=side)


async def on_mandate(connection: Connection, applicant: Applicant) -> bool:
    """An insured person for another who gave them a mandate that was in force when they asked."""
    if applicant.agent is None or not applicant.actor.has(Role.INSURED_PERSON):
        return False
    return await holds_mandate(connection, applicant.person_keys, applicant.agent)


def employers(check: PreCheck) -> set[str]:
    """The employers on either side of the person as their employee. Flexible workers and residents apply themselves."""
    named = [each for each in (check.at_origin, check.at_destination) if each is not None]
    employed = (each for each in named if each.scheme is InsuranceScheme.EMPLOYEE and not each.flexible_employment)
    return {each.employer_id for each in employed if each.employer_id}


def _own_side(actor: Actor, check: PreCheck) -> Side | None:
    """The side whose register is that of a clerk's or a system's own agency. None for everyone else."""
    if not actor.has(*CLERKS):
        return None
    if actor.region == check.origin.code:
        return Side.TRANSFER_OUT
    return Side.TRANSFER_IN if actor.region == check.destination.code else None
