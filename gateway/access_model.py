"""Who may see and do what: every relation of a caller to a person or a transfer, and what it allows.

One module decides for reads, mutations, streams, documents, routes and `node`, so that one page answers who sees what.
`tests/gateway/test_access_model.py` enumerates the schema and the router: what has no row here fails the build by its name.
For a caller without a relation that a row names, the person, the transfer or the document does not exist.
"""

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum
from functools import cache
from typing import Final, NamedTuple

from gateway.types.enums import TransferEventKind
from workflows.actors import ActorKind
from workflows.vocabulary import (
    AGENCY_STAFF,
    APPLICANTS,
    CLERKS,
    FINANCE,
    FORM_CHECKERS,
    FORM_MAKERS,
    MANDATE_APPROVERS,
    DocumentKind,
    Role,
)


class Relation(StrEnum):
    """What a caller is to a person or to a transfer of theirs."""

    SELF = "SELF"
    MANDATE = "MANDATE"
    EMPLOYER = "EMPLOYER"
    FORMER_EMPLOYER = "FORMER_EMPLOYER"
    TRANSFER_OUT = "TRANSFER_OUT"
    TRANSFER_IN = "TRANSFER_IN"
    SUPERVISOR = "SUPERVISOR"
    OPERATOR = "OPERATOR"
    # An agency that is on neither side.
    OTHER_AGENCY = "OTHER_AGENCY"
    NONE = "NONE"
    # An agency whose own register has the person, where no transfer is asked about.
    REGISTER = "REGISTER"


class Purpose(StrEnum):
    """Why data about a person is looked at (PIPL art. 6: for a clear purpose, and no more than it needs)."""

    OWN_AFFAIRS = "OWN_AFFAIRS"
    EMPLOYEE_AFFAIRS = "EMPLOYEE_AFFAIRS"
    CASE_HANDLING = "CASE_HANDLING"
    PRE_CHECK = "PRE_CHECK"
    SUPERVISION = "SUPERVISION"
    PLATFORM_OPERATION = "PLATFORM_OPERATION"


class Show(IntEnum):
    """How much of a field a relation is shown. Of several relations the one that is shown most counts."""

    NOTHING = 0
    PART = 1
    ALL = 2


R = Relation
Relations = frozenset[Relation]
Row = Mapping[Relation, Show]

OWN: Final[Relations] = frozenset({R.SELF, R.MANDATE})
EMPLOYERS: Final[Relations] = frozenset({R.EMPLOYER, R.FORMER_EMPLOYER})
AGENCIES: Final[Relations] = frozenset({R.TRANSFER_OUT, R.TRANSFER_IN})
OVERSIGHT: Final[Relations] = frozenset({R.SUPERVISOR, R.OPERATOR})
# Who sees all of a transfer, documents apart; and who sees that there is one.
FULL: Final[Relations] = OWN | AGENCIES | OVERSIGHT
SEES: Final[Relations] = FULL | EMPLOYERS
NOBODY: Final[Relations] = frozenset()

PURPOSE: Final[dict[Relation, Purpose]] = {
    R.SELF: Purpose.OWN_AFFAIRS,
    R.MANDATE: Purpose.OWN_AFFAIRS,
    R.EMPLOYER: Purpose.EMPLOYEE_AFFAIRS,
    R.FORMER_EMPLOYER: Purpose.EMPLOYEE_AFFAIRS,
    R.TRANSFER_OUT: Purpose.CASE_HANDLING,
    R.TRANSFER_IN: Purpose.CASE_HANDLING,
    R.REGISTER: Purpose.CASE_HANDLING,
    R.SUPERVISOR: Purpose.SUPERVISION,
    R.OPERATOR: Purpose.PLATFORM_OPERATION,
    # Agencies without a tie ask before there is a transfer; they learn nothing of the person but what eligibility allows.
    R.OTHER_AGENCY: Purpose.PRE_CHECK,
    R.NONE: Purpose.PRE_CHECK,
}


def _row(shown: Relations, part: Relations = NOBODY) -> Row:
    return dict.fromkeys(part, Show.PART) | dict.fromkeys(shown, Show.ALL)


# ------------------------------------------------------------------ a transfer, field by field

# PART: for employers what concerns status, steps and the stop of coverage; for the person and their agent, what the person was told.
TRANSFER_FIELDS: Final[dict[str, Row]] = {
    **dict.fromkeys(
        (
            *("id", "no", "route", "fromScheme", "toScheme", "status", "transferOut", "transferIn", "insuredPerson"),
            *("allowedActions", "submittedAt", "acceptedAt", "closedAt", "revision"),
        ),
        _row(SEES),
    ),
    **dict.fromkeys(("steps", "currentStep", "progress", "refusals", "events"), _row(FULL, part=EMPLOYERS)),
    **dict.fromkeys(
        ("fundsStatus", "contributionPeriods", "continuation", "personalAccountBalance", "remittances", "coverageGap"),
        _row(FULL),
    ),
    "documents": _row(OWN | AGENCIES),
    "notices": _row(AGENCIES | OVERSIGHT, part=OWN),
}
PROGRESS_FIELDS: Final[dict[str, Row]] = {
    **dict.fromkeys(
        ("holder", "heldSince", "dueOn", "provisional", "expectedOn", "expectedBy"),
        _row(SEES),
    ),
    # Employers: `money` says that it is not shown, `actions` has only their own withdrawal.
    **dict.fromkeys(("headline", "money", "actions"), _row(FULL, part=EMPLOYERS)),
    "holderRole": _row(FULL),
}
EVENT_FIELDS: Final[dict[str, Row]] = {
    **dict.fromkeys(("seq", "occurredAt", "kind", "step", "transfer", "actor", "actorLabel"), _row(SEES)),
    # Employers: without notes, amounts, months, references and reasons.
    "message": _row(FULL, part=EMPLOYERS),
}
_K = TransferEventKind
EVENT_KINDS: Final[dict[TransferEventKind, Row]] = {
    **dict.fromkeys(
        (
            *(_K.SUBMITTED, _K.ACCEPTED, _K.DECLINED, _K.STEP_OPENED, _K.STEP_DONE, _K.CLOCK_STARTED),
            *(_K.DEADLINE_DUE_SOON, _K.DEADLINE_MISSED, _K.DEADLINE_REVISED),
            *(_K.CORRECTION_REQUESTED, _K.CORRECTION_ANSWERED, _K.COMPLETED, _K.WITHDRAWN, _K.TERMINATED, _K.REOPENED),
        ),
        _row(FULL, part=EMPLOYERS),
    ),
    **dict.fromkeys(
        (
            *(_K.REGISTER_CHECKED, _K.ARREARS_NOTIFIED, _K.CERTIFICATE_REISSUED, _K.MAIL_RECORDED, _K.FORM_PREPARED),
            *(_K.NEEDS_ATTENTION, _K.PAYOUT_ACCOUNT_PROVIDED, _K.REMITTANCE_PREPARED, _K.LATE_CONTRIBUTION),
            *(_K.FUNDS_NOT_REQUIRED, _K.FUNDS_ORDERED, _K.FUNDS_REMITTED, _K.FUNDS_RETURNED, _K.FUNDS_RECEIVED),
            *(_K.FUNDS_MISMATCHED, _K.FUNDS_MATCHED, _K.FUNDS_CREDITED, _K.FUNDS_PAID_OUT, _K.FUNDS_RETAINED),
            _K.FUNDS_RELEASED,
        ),
        _row(FULL),
    ),
}
# Documents show the number of the person in full: they are for the person and the two agencies, nobody else. A certificate that
# was issued without a transfer: for the person, and for the agency that issued it.
DOCUMENT_KINDS: Final[dict[DocumentKind, Relations]] = dict.fromkeys(DocumentKind, OWN | AGENCIES)
# Who reads a document reads all of it.
DOCUMENT_FIELDS: Final[dict[str, Row]] = dict.fromkeys(
    ("id", "kind", "number", "version", "issuedAt", "issuedBy", "sha256", "void", "downloadUrl"), _row(OWN | AGENCIES)
)


def show(table: Mapping[str, Row], field: str, relations: Relations) -> Show:
    """How much of `field` is shown to who has all of `relations`. Raises KeyError for a field without a row."""
    row = table[field]
    return max((row.get(each, Show.NOTHING) for each in relations), default=Show.NOTHING)


@cache
def hidden_fields(relations: Relations) -> frozenset[str]:
    """The fields of `Transfer` of which nothing is shown to who has `relations`."""
    return frozenset(name for name in TRANSFER_FIELDS if not show(TRANSFER_FIELDS, name, relations))


def event_shown(kind: TransferEventKind, relations: Relations) -> bool:
    """Whether who has `relations` is told of events of that kind."""
    return any(EVENT_KINDS[kind].get(each, Show.NOTHING) for each in relations)


def document_shown(kind: DocumentKind, relations: Relations) -> bool:
    """Whether who has `relations` reads documents of that kind."""
    return not DOCUMENT_KINDS[kind].isdisjoint(relations)


def reads_documents() -> Relations:
    """Who reads any document."""
    return frozenset().union(*DOCUMENT_KINDS.values())


def is_limited(relations: Relations) -> bool:
    """Whether the caller sees the transfer as an employer alone."""
    return relations.isdisjoint(FULL)


def purpose_of(relations: Iterable[Relation]) -> Purpose:
    """The purpose of a look at a transfer, of the relation that shows most; PRE_CHECK where there is none."""
    known = set(relations)
    return next((purpose for relation, purpose in PURPOSE.items() if relation in known), Purpose.PRE_CHECK)


def acts_as(relations: Relations) -> ActorKind | None:
    """What an applicant is to the person of a transfer; None for offices, whose roles say it."""
    kinds = ((R.SELF, ActorKind.PERSON), (R.MANDATE, ActorKind.AGENT))
    found = next((kind for relation, kind in kinds if relation in relations), None)
    return found or (None if relations.isdisjoint(EMPLOYERS) else ActorKind.EMPLOYER)


# ------------------------------------------------------------------ what can be asked, and by whom


class Rule(NamedTuple):
    """Who may use a field: with one of `roles`; None for all who are signed in, or for everybody when `open` is set.

    `relations`: for which relations to the person, transfer or document concerned it answers. Empty where it concerns none.
    """

    roles: tuple[Role, ...] | None
    relations: Relations = NOBODY
    open: bool = False


_PERSON_OR_WINDOW = (Role.INSURED_PERSON, *CLERKS)
_ONE_OF_THE_TWO = AGENCIES
_OUT: Final[Relations] = frozenset({R.TRANSFER_OUT})
_IN: Final[Relations] = frozenset({R.TRANSFER_IN})
_SELF: Final[Relations] = frozenset({R.SELF})
_SUPERVISES: Final[Relations] = frozenset({R.SUPERVISOR})
_GIVES_MANDATES: Final[Relations] = frozenset({R.SELF, R.REGISTER})

ROOT_FIELDS: Final[dict[str, Rule]] = {
    "Query.viewer": Rule(None),
    # As NODE_TYPES says.
    "Query.node": Rule(None, SEES | {R.REGISTER}),
    "Query.transfer": Rule(None, SEES),
    "Query.transfers": Rule((Role.EMPLOYER, *AGENCY_STAFF, Role.SUPERVISOR, Role.OPERATOR), SEES),
    "Query.eligibility": Rule((*APPLICANTS, *CLERKS), OWN | EMPLOYERS | AGENCIES | {R.REGISTER}),
    "Query.certificateCheck": Rule(None, open=True),
    "Query.poolingRegions": Rule(None),
    "Viewer.roles": Rule(None),
    "Viewer.agency": Rule(None),
    "Viewer.transfers": Rule((Role.INSURED_PERSON,), OWN),
    "Viewer.mandates": Rule((Role.INSURED_PERSON, *MANDATE_APPROVERS), OWN | {R.REGISTER}),
    "Viewer.consents": Rule((Role.INSURED_PERSON,), _SELF),
    "Viewer.accessLog": Rule((Role.INSURED_PERSON,), _SELF),
    "Viewer.ownAccessLog": Rule((Role.INSURED_PERSON,), _SELF),
    # Counts by member of staff of the supervised agencies: no person's data.
    "Viewer.accessCounts": Rule((Role.SUPERVISOR,)),
    "Viewer.unmatchedFunds": Rule((*FINANCE, Role.SUPERVISOR), AGENCIES | _SUPERVISES),
    "Viewer.worklist": Rule((*AGENCY_STAFF, Role.SUPERVISOR), AGENCIES | _SUPERVISES),
    "Subscription.transferProgress": Rule(None, SEES),
}
MUTATIONS: Final[dict[str, Rule]] = {
    "submitTransfer": Rule((*APPLICANTS, *CLERKS), OWN | EMPLOYERS | AGENCIES),
    # Employers: what they submitted themselves.
    "withdrawTransfer": Rule(APPLICANTS, OWN | EMPLOYERS),
    "requestCertificate": Rule(_PERSON_OR_WINDOW, OWN | {R.REGISTER}),
    "grantMandate": Rule(_PERSON_OR_WINDOW, _GIVES_MANDATES),
    # The agent lays it down.
    "revokeMandate": Rule(_PERSON_OR_WINDOW, _GIVES_MANDATES | {R.MANDATE}),
    # At a window, whoever the person is: the answer does not say whether any register knows them.
    # The second person of the agency whose window entered it; the giver's own word.
    "approveMandate": Rule(MANDATE_APPROVERS, frozenset({R.REGISTER})),
    "confirmMandate": Rule((Role.INSURED_PERSON,), _SELF),
    "recordConsent": Rule(CLERKS, frozenset(Relation)),
    "revokeConsent": Rule((Role.INSURED_PERSON,), _SELF),
    "providePayoutAccount": Rule((Role.INSURED_PERSON,), _SELF),
    "acceptTransfer": Rule(CLERKS, _IN),
    "declineTransfer": Rule(CLERKS, _IN),
    "stopCoverage": Rule(CLERKS, _OUT),
    "reissueCertificate": Rule(_PERSON_OR_WINDOW, OWN | _OUT),
    "issueContactLetter": Rule(CLERKS, _IN),
    "recordMail": Rule(CLERKS, AGENCIES),
    "deliverInformationForm": Rule(FORM_MAKERS, _OUT),
    "checkInformationForm": Rule(FORM_CHECKERS, _OUT),
    "returnTransfer": Rule(FORM_MAKERS, _OUT),
    "remitPersonalAccount": Rule(FINANCE, _OUT),
    "releaseRemittance": Rule(FINANCE, _OUT),
    "requestCorrection": Rule(FORM_MAKERS, _IN),
    # Money that comes back is received at the transfer-out agency.
    "confirmReceipt": Rule(FINANCE, AGENCIES),
    "matchFunds": Rule((Role.FINANCE,), AGENCIES),
    "confirmContinuation": Rule(FORM_MAKERS, _IN),
    "sendUnmatchedFundsHome": Rule(FINANCE, AGENCIES),
    "approveReverseRemittance": Rule((Role.SUPERVISOR,), _SUPERVISES),
    "terminateTransfer": Rule((Role.SUPERVISOR,), _SUPERVISES),
}
NODE_TYPES: Final[dict[str, Relations]] = {
    "Transfer": SEES,
    # Of the directory: for all who are signed in.
    "Agency": frozenset(Relation),
    "TransferDocument": OWN | AGENCIES | {R.REGISTER},
    "Mandate": OWN | {R.REGISTER},
    # Of the agency whose step it is, of the one that enters it, and of the bureau above.
    "WorkItem": AGENCIES | _SUPERVISES,
    # Listed only; no id of one is answered by `node`.
    "UnmatchedFunds": NOBODY,
}


class RouteAccess(StrEnum):
    """What lets a request through to a route."""

    # Each operation asks this module.
    GRAPHQL = "GRAPHQL"
    # A link that was signed for one document and for some minutes.
    SIGNED_LINK = "SIGNED_LINK"
    # The number and the verification code, both printed on the document.
    VERIFICATION_CODE = "VERIFICATION_CODE"
    # Says nothing about any person or transfer.
    PUBLIC = "PUBLIC"
    OPERATOR = "OPERATOR"
    # Is there in development alone.
    DEVELOPMENT = "DEVELOPMENT"


ROUTES: Final[dict[str, RouteAccess]] = {
    "/graphql": RouteAccess.GRAPHQL,
    "ws /graphql": RouteAccess.GRAPHQL,
    "/healthz": RouteAccess.PUBLIC,
    "/readyz": RouteAccess.PUBLIC,
    "/metrics": RouteAccess.DEVELOPMENT,
    "/documents/{document_id:uuid}.pdf": RouteAccess.SIGNED_LINK,
    "/verify": RouteAccess.VERIFICATION_CODE,
    # The number is not looked up.
    "/case/{no}": RouteAccess.PUBLIC,
    "/codec/encode": RouteAccess.OPERATOR,
    "/codec/decode": RouteAccess.OPERATOR,
    "/static/graphiql": RouteAccess.DEVELOPMENT,
}
