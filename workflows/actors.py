"""Who asks: the roles, the region and the subject of a caller, as the token says them."""

from pydantic import BaseModel, Field

from workflows.staff_identity import canonical_identities
from workflows.vocabulary import Role


class Actor(BaseModel, frozen=True):
    """`subject` is the issuer's opaque name of the caller; it is never a resident identity number.

    `region` is the pooling region of an agency's people and systems, None for everyone else. `acting_person`: the staff
    id of the person for whom an agency's system acts, as its token (RFC 8693, `act`) or else its request names them.
    `staff_id` and `directory_names` are what the agency's directory of staff knows of the person: the id as the agency
    writes it, and the canonical form of each id and subject that is theirs.
    """

    subject: str
    roles: tuple[Role, ...]
    region: str | None = None
    acting_person: str | None = None
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
        named = canonical_identities([self.acting_person])
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

    def has(self, *roles: Role) -> bool:
        return any(role in self.roles for role in roles)


PLATFORM = Actor(subject="platform", roles=())
BANK = Actor(subject="bank", roles=())
