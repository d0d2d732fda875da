"""Who asks: the roles, the region and the subject of a caller, as the token says them."""

from enum import StrEnum

from pydantic import BaseModel, Field

from workflows.staff_identity import canonical_identities
from workflows.vocabulary import AGENCY_STAFF, Role


class ActorKind(StrEnum):
    """Who does something in a transfer, as people are told it."""

    PERSON = "PERSON"
    AGENT = "AGENT"
    EMPLOYER = "EMPLOYER"
    AGENCY = "AGENCY"
    SUPERVISOR = "SUPERVISOR"
    PLATFORM = "PLATFORM"
    BANK = "BANK"


class Actor(BaseModel, frozen=True):
    """`subject` is the issuer's opaque name of the caller; it is never a resident identity number.

    `region` is the pooling region of an agency's people and systems, None for everyone else. `acting_person`: the staff
    id of the person for whom an agency's system acts, as its token (RFC 8693, `act`) or else its request names them.
    `staff_id` and `directory_names` are what the agency's directory of staff knows of the person: the id as the agency
    writes it, and the canonical form of each id and subject that is theirs. `acts_as` is what an applicant is to the person
    of the transfer, which its roles alone do not tell: the person, their agent by a mandate, or their employer.
    """

    subject: str
    roles: tuple[Role, ...]
    region: str | None = None
    acting_person: str | None = None
    acts_as: ActorKind | None = None
    # Left out of the records of the many actors who have none.
    staff_id: str | None = Field(default=None, exclude_if=lambda value: value is None)
    directory_names: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)

    @property
    def identity(self) -> str:
        """The person's name for records and documents, as it is written. Two people are told apart by `names` alone."""
        return self.staff_id or self.acting_person or self.subject

    @property
    def names_a_person(self) -> bool:
        """Whether a person answers for what is done. An agency's system must name one, and its own subject is none."""
        if Role.AGENCY_SYSTEM not in self.roles:
            return True
        named = canonical_identities([self.acting_person]) - {""}
        return bool(named) and named.isdisjoint(canonical_identities([self.subject]))

    @property
    def names(self) -> frozenset[str]:
        """Every canonical name of the person. Actors who share one are the same person.

        A token's subject is the issuer's name of one person whatever region the token says. That of a system alone names
        no person.
        """
        for_another = set(self.roles) == {Role.AGENCY_SYSTEM} and self.names_a_person
        subject = None if for_another else self.subject
        return canonical_identities((subject, self.acting_person)) | frozenset(self.directory_names)

    @property
    def kind(self) -> ActorKind:
        """What `acts_as` says, or else the roles: an office counts before an application of one's own."""
        if self.acts_as is not None:
            return self.acts_as
        return next((kind for roles, kind in KIND_OF_ROLES if self.has(*roles)), self._kind_without_roles)

    @property
    def _kind_without_roles(self) -> ActorKind:
        return ActorKind.BANK if self.subject == BANK.subject else ActorKind.PLATFORM

    def acting_as(self, kind: ActorKind) -> "Actor":
        """The actor, said to be of `kind` where its one role does not say it already."""
        if len(self.roles) == 1 and self.kind is kind:
            return self
        return self.model_copy(update={"acts_as": kind})

    def has(self, *roles: Role) -> bool:
        return any(role in self.roles for role in roles)


KIND_OF_ROLES = (
    (AGENCY_STAFF, ActorKind.AGENCY),
    ((Role.SUPERVISOR,), ActorKind.SUPERVISOR),
    ((Role.OPERATOR,), ActorKind.PLATFORM),
    ((Role.INSURED_PERSON,), ActorKind.PERSON),
    ((Role.EMPLOYER,), ActorKind.EMPLOYER),
)
PLATFORM = Actor(subject="platform", roles=())
BANK = Actor(subject="bank", roles=())
