"""What the giver of a mandate is told when a window has entered it: a notice goes with each act, once.

A mandate belongs to no transfer, so its notices name the mandate instead. The recipient is always `person`, the giver.
"""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel


class MandateNoticeKind(StrEnum):
    ENTERED = "mandate_entered"
    APPROVED = "mandate_approved"
    CONFIRMED = "mandate_confirmed"
    REVOKED = "mandate_revoked"


class MandateNotice(BaseModel, frozen=True):
    """What goes out: the mandate's id, codes and an instant. No personal data: neither the giver's nor the agent's.

    `agency` is the code of the agency whose window entered it, e.g. `agency:110000`. `starts_at`: from when the agent may
    act, as far as it was known when the notice was written.
    """

    mandate_id: UUID
    recipient: str
    kind: MandateNoticeKind
    agency: str
    starts_at: datetime | None = None

    @property
    def id(self) -> str:
        """The same however often it is sent: a receiver keeps one of each."""
        return f"{self.mandate_id}:{self.kind}:{self.recipient}"
