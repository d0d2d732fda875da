"""Who asks: the roles, the region and the subject of a caller, as the token says them."""

from enum import StrEnum

from pydantic import BaseModel

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
    id of the person for whom an agency's system acts, as the system says it. `acts_as` is what an applicant is to the person
    of the transfer, which its roles alone do not tell: the person, their agent by a mandate, or their employer.
    """

    subject: str
    roles: tuple[Role, ...]
    region: str | None = None
    acting_person: str | None = None
    acts_as: ActorKind | None = None

    @property
    def identity(self) -> str:
        """Who must not be the same person twice, where one makes and another releases."""
        return self.acting_person or self.subject

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
