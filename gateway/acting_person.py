"""For whom an agency's system acts: the `act` claim of its token (RFC 8693) or the request names the person, the directory knows them.

The actor of a command carries every name of the person, so that the rules tell two people apart by what was known when each
of them acted.
"""

from collections.abc import Sequence
from typing import Final

from activities.staff import StaffMember, has_directory, known_staff
from gateway.errors import FieldViolation, ValidationFailed
from gateway.telling import Telling
from gateway.validation import failed
from workflows.actors import Actor
from workflows.policy import ActingPerson, RegionPolicy
from workflows.staff_identity import canonical_identity
from workflows.vocabulary import Role, TransferAction

A = TransferAction
# The steps that may take two people.
OF_TWO_PEOPLE: Final = frozenset(
    {A.DELIVER_INFORMATION_FORM, A.CHECK_INFORMATION_FORM, A.REMIT_PERSONAL_ACCOUNT, A.RELEASE_REMITTANCE}
)


async def acting(telling: Telling, named: str | None, *, of_two_people: bool) -> tuple[Actor, ValidationFailed | None]:
    """Who acts, and what is against the person that `named` (`actingPerson`) or the token's `act` claim names.

    `of_two_people`: what is done may take two people. Costs a query then, and wherever a system names a person.
    """
    actor = telling.actor
    person = actor.acting_person or named
    if person is not None and actor.acting_person is None:
        actor = actor.model_copy(update={"acting_person": person})
    by_system = actor.has(Role.AGENCY_SYSTEM) and person is not None
    if not by_system and not of_two_people:
        return actor, None
    names = [each for each in (person, named) if each is not None]
    subject = actor.subject if canonical_identity(actor.subject) in actor.names else None
    found = await known_staff(telling.context.pool, subject, actor.region, names)
    actor = _as_the_directory_has_them(actor, found)
    code = await _fault(telling, actor, named, found) if by_system else None
    return actor, _refused(telling, code) if code is not None else None


def _as_the_directory_has_them(actor: Actor, found: Sequence[StaffMember]) -> Actor:
    if not found:
        return actor
    names = frozenset[str]().union(*(each.names for each in found))
    own = next(
        (each.staff_id for each in found if each.region == actor.region and not each.names.isdisjoint(actor.names)),
        None,
    )
    return actor.model_copy(update={"staff_id": own, "directory_names": tuple(sorted(names))})


async def _fault(telling: Telling, actor: Actor, named: str | None, found: Sequence[StaffMember]) -> str | None:
    """The code of what is against the person for whom the agency's system acts."""
    signed, region = telling.actor.acting_person, actor.region or ""
    accepts = _policy(telling, region).acting_person
    if signed is None and accepts is ActingPerson.SIGNED:
        return "ACTING_PERSON_NOT_SIGNED"
    of_the_agency = [each for each in found if each.region == region]
    members = [_member(of_the_agency, each) for each in (signed, named) if each is not None]
    if signed is not None and named is not None and canonical_identity(signed) != canonical_identity(named):
        by_claim, by_field = members
        if by_claim is None or by_claim is not by_field:
            return "ACTING_PERSON_DIFFERS"
    member = members[0]
    if member is None:
        must = accepts is ActingPerson.DIRECTORY or await has_directory(telling.context.pool, region)
        return "ACTING_PERSON_UNKNOWN" if must else None
    return None if member.in_service(telling.today) else "ACTING_PERSON_UNKNOWN"


def _member(of_the_agency: Sequence[StaffMember], name: str) -> StaffMember | None:
    """The person of the agency's directory who has this name. The load sees to it that there is one at most."""
    key = canonical_identity(name)
    return next((each for each in of_the_agency if key in each.names), None)


def _policy(telling: Telling, region: str) -> RegionPolicy:
    entry = telling.reference.regions.get(region)
    return entry.policy if entry is not None else RegionPolicy()


def _refused(telling: Telling, code: str) -> ValidationFailed:
    message = telling.say(f"violation.{code}")
    return failed(telling, [FieldViolation(path=["input", "actingPerson"], code=code, message=message)])
