"""Who asks: the roles, the region and the subject of a caller, as the token says them."""

from pydantic import BaseModel

from workflows.vocabulary import Role


class Actor(BaseModel, frozen=True):
    """`subject` is the issuer's opaque name of the caller; it is never a resident identity number.

    `region` is the pooling region of an agency's people and systems, None for everyone else. `acting_person`: the staff
    id of the person for whom an agency's system acts, as the system says it.
    """

    subject: str
    roles: tuple[Role, ...]
    region: str | None = None
    acting_person: str | None = None

    @property
    def identity(self) -> str:
        """Who must not be the same person twice, where one makes and another releases."""
        return self.acting_person or self.subject

    def has(self, *roles: Role) -> bool:
        return any(role in self.roles for role in roles)


PLATFORM = Actor(subject="platform", roles=())
BANK = Actor(subject="bank", roles=())
