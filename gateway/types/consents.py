"""Consents at a window as the API shows them. Not in version 1 of the contract, which they add to."""

# ruff: noqa: N818 - names of the API; none of these is an exception

from datetime import date, datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

from gateway.errors import IdempotencyConflict, UserError, ValidationFailed
from gateway.scalars import IdempotencyKey, ResidentId
from gateway.types.reference import Agency


@strawberry.type(
    description="A person's consent, given at the window of an agency: while it is in force, that agency sees the whole "
    "pre-check of the person and may apply for them. It gives no other agency anything."
)
class Consent:
    id: strawberry.ID = strawberry.field(description="For `revokeConsent`; no node.")
    agency: Agency = strawberry.field(description="Whose window recorded it, and who alone may use it.")
    given_at: datetime = strawberry.field(description="When it was recorded; it is good from then on.")
    valid_until: date = strawberry.field(description="Good to the end of this day, in Asia/Shanghai.")
    reason: str | None = strawberry.field(
        description="What the agency wrote down as its reason; null once the person's data is erased."
    )
    revoked_at: datetime | None = strawberry.field(
        description="Since when the person has taken it back; null for one that they have not."
    )


@strawberry.input(description="The consent of a person who is at the window now.")
class RecordConsentInput:
    idempotency_key: IdempotencyKey = strawberry.field(
        description="16 to 64 letters, digits, underscores or hyphens: the same key records the consent once."
    )
    resident_id: ResidentId = strawberry.field(
        description="Who consents. They need not be in any register; the answer does not say whether they are."
    )
    reason: str = strawberry.field(
        description="What the person consents for, in 500 characters at most. The person reads it. No resident identity "
        "number and no phone number."
    )
    valid_until: date | None = strawberry.field(
        default=UNSET, description="The last day, from today to thirty days ahead; today when left out."
    )


@strawberry.input(description="Which consent the person takes back.")
class RevokeConsentInput:
    idempotency_key: IdempotencyKey = strawberry.field(
        description="16 to 64 letters, digits, underscores or hyphens: the same key takes it back once."
    )
    consent_id: strawberry.ID = strawberry.field(description="The `id` of one of the person's own `viewer.consents`.")


@strawberry.type(description="The person has no such consent.")
class ConsentNotFound(UserError):
    pass


@strawberry.type(description="A consent is recorded, and in force.")
class RecordConsentPayload:
    consent: Consent = strawberry.field(description="As it is recorded.")
    replayed: bool = strawberry.field(description="True when this answers an earlier call with the same key.")


@strawberry.type(description="A consent is taken back.")
class RevokeConsentPayload:
    consent: Consent = strawberry.field(description="As it stands now.")
    replayed: bool = strawberry.field(description="True when this answers an earlier call with the same key.")


RecordConsentResult = Annotated[
    RecordConsentPayload | ValidationFailed | IdempotencyConflict,
    strawberry.union(
        "RecordConsentResult", description="The recorded consent, or why it was not recorded; nothing was changed then."
    ),
]
RevokeConsentResult = Annotated[
    RevokeConsentPayload | ValidationFailed | ConsentNotFound | IdempotencyConflict,
    strawberry.union("RevokeConsentResult", description="The consent that has ended, or why nothing was changed."),
]
