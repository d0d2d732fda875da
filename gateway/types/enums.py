"""The contract's enums: those of the field come from workflows/, those that only the API speaks are made here."""

from enum import StrEnum, unique
from typing import Any, Final

import strawberry

from workflows import vocabulary as v
from workflows.actors import ActorKind


def _public(enum: Any, description: str | None = None, *, name: str | None = None, **values: str) -> Any:
    """`enum` as a GraphQL enum; `values` describe its members."""
    public = strawberry.enum(enum, name=name, description=description)
    for value in public.__strawberry_definition__.values:
        value.description = values.get(value.name)
    return public


_public(v.Role)
_public(v.InsuranceScheme, "职工医保 / 居民医保.")
_public(
    v.TransferRoute,
    PLATFORM="Both regions are connected (43号).",
    PAPER="A region is not connected: contact letter and forms by post (94号).",
)
_public(
    v.TransferStatus,
    SUBMITTED="待受理",
    DECLINED="不予受理",
    TRANSFERRING_OUT="转出办理中",
    TRANSFERRING_IN="转入办理中",
    CORRECTION_REQUESTED="信息核对中（期限中止）",
    AWAITING_FUNDS="关系已转入，个人账户待到账",
    COMPLETED="已办结: the record is continued and the money is where it belongs",
    WITHDRAWN="已撤回",
    TERMINATED="已终止",
)
_public(
    v.TransferStepKind,
    "The statutory steps. Each round of a step is done once, by one side.",
    ACCEPT_APPLICATION="受理申请 (R, paper route)",
    STOP_COVERAGE="中止参保 (O)",
    ISSUE_CERTIFICATE="开具参保凭证 (O)",
    ISSUE_CONTACT_LETTER="发出联系函 (R, paper route)",
    DELIVER_INFORMATION_FORM="生成并上传信息表 (O)",
    REMIT_PERSONAL_ACCOUNT="划转个人账户余额 (O finance)",
    CONFIRM_RECEIPT="确认到账并计入个人账户 (R finance)",
    CONFIRM_CONTINUATION="确认接续 (R)",
    APPROVE_REVERSE_REMITTANCE="批准资金退回 (S, of either side)",
)
_public(v.StepState)
_public(v.DeadlineState)
_public(v.DocumentKind)
_public(v.RemittanceKind)
_public(v.RemittanceStatus)
_public(v.RefusalCode)
_public(v.RefusalClass)
_public(v.Side)
_public(v.MandateRelation, "What the agent is to the person who gave the mandate.")
_public(
    v.MandateState,
    "How a mandate stands now. The agent may act while it is IN_FORCE, and at no other time.",
    IN_FORCE="It has started, and neither ended nor been revoked.",
    EXPIRED="Its last day is over.",
    REVOKED="The giver, the agent or a window has ended it, or a later mandate to the same agent has taken its place.",
    AWAITING_APPROVAL="Entered at a window: a second person of the agency must approve it (`approveMandate`), or the giver "
    "confirm it (`confirmMandate`).",
    AWAITING_START="Approved: it starts at `startsAt`, unless the giver confirms it earlier or revokes it.",
)
_public(v.ReturnReason, "Why O sends a case back: the transfer ends DECLINED.")
_public(v.CorrectionReason, "What R disputes in the form: O delivers a new version.")
_public(
    v.MatchDecision,
    "What R makes of money that came with another amount than its order's.",
    ACCEPT_AMOUNT="What came is credited, up to the order's amount; what is missing is owed again.",
    SEND_HOME="Nothing is credited: what came goes home once a supervisor approves.",
)
_public(v.MailItem)


@unique
class FundsStatus(StrEnum):
    """Where the money is."""

    NOT_REQUIRED = "NOT_REQUIRED"
    PENDING = "PENDING"
    ORDERED = "ORDERED"
    REMITTED = "REMITTED"
    RETURNED = "RETURNED"
    RECEIVED = "RECEIVED"
    MISMATCHED = "MISMATCHED"
    CREDITED = "CREDITED"
    PAID_OUT_TO_PERSON = "PAID_OUT_TO_PERSON"
    RETAINED_IN_PROVINCE = "RETAINED_IN_PROVINCE"
    # Not in version 1 of the contract: some of the others tell what the balance is.
    NOT_SHOWN = "NOT_SHOWN"


_public(FundsStatus, NOT_SHOWN="The caller sees the transfer as an employer, who is not told where the money is.")
_public(
    ActorKind,
    "Who did something in a transfer.",
    name="TransferEventActor",
    PERSON="The insured person.",
    AGENT="Another person, by a mandate of the insured person.",
    EMPLOYER="The employer of the insured person.",
    AGENCY="An agency of either side: its people or its system.",
    SUPERVISOR="The bureau above an agency.",
    PLATFORM="Nobody: it follows by rule from what was done before, or from the passing of time.",
    BANK="The bank.",
)


@strawberry.enum
@unique
class TransferAction(StrEnum):
    """Every action of the contract."""

    ACCEPT_TRANSFER = "ACCEPT_TRANSFER"
    DECLINE_TRANSFER = "DECLINE_TRANSFER"
    STOP_COVERAGE = "STOP_COVERAGE"
    REISSUE_CERTIFICATE = "REISSUE_CERTIFICATE"
    ISSUE_CONTACT_LETTER = "ISSUE_CONTACT_LETTER"
    RECORD_MAIL = "RECORD_MAIL"
    DELIVER_INFORMATION_FORM = "DELIVER_INFORMATION_FORM"
    CHECK_INFORMATION_FORM = "CHECK_INFORMATION_FORM"
    RETURN_TRANSFER = "RETURN_TRANSFER"
    REQUEST_CORRECTION = "REQUEST_CORRECTION"
    REMIT_PERSONAL_ACCOUNT = "REMIT_PERSONAL_ACCOUNT"
    RELEASE_REMITTANCE = "RELEASE_REMITTANCE"
    PROVIDE_PAYOUT_ACCOUNT = "PROVIDE_PAYOUT_ACCOUNT"
    CONFIRM_RECEIPT = "CONFIRM_RECEIPT"
    MATCH_FUNDS = "MATCH_FUNDS"
    CONFIRM_CONTINUATION = "CONFIRM_CONTINUATION"
    APPROVE_REVERSE_REMITTANCE = "APPROVE_REVERSE_REMITTANCE"
    WITHDRAW_TRANSFER = "WITHDRAW_TRANSFER"
    TERMINATE_TRANSFER = "TERMINATE_TRANSFER"


@strawberry.enum
@unique
class PersonAction(StrEnum):
    WITHDRAW = "WITHDRAW"
    STOP_COVERAGE = "STOP_COVERAGE"
    PAY_ARREARS = "PAY_ARREARS"
    ENROL_AT_DESTINATION = "ENROL_AT_DESTINATION"
    CORRECT_DETAILS = "CORRECT_DETAILS"
    DOWNLOAD_DOCUMENTS = "DOWNLOAD_DOCUMENTS"
    CONTACT_AGENCY = "CONTACT_AGENCY"
    NONE = "NONE"
    # Not in version 1 of the contract: where the balance is paid out to the person.
    PROVIDE_PAYOUT_ACCOUNT = "PROVIDE_PAYOUT_ACCOUNT"


@strawberry.enum
@unique
class TransferEventKind(StrEnum):
    SUBMITTED = "SUBMITTED"
    ACCEPTED = "ACCEPTED"
    DECLINED = "DECLINED"
    STEP_OPENED = "STEP_OPENED"
    STEP_DONE = "STEP_DONE"
    DEADLINE_DUE_SOON = "DEADLINE_DUE_SOON"
    DEADLINE_MISSED = "DEADLINE_MISSED"
    DEADLINE_REVISED = "DEADLINE_REVISED"
    CORRECTION_REQUESTED = "CORRECTION_REQUESTED"
    CORRECTION_ANSWERED = "CORRECTION_ANSWERED"
    FUNDS_ORDERED = "FUNDS_ORDERED"
    FUNDS_REMITTED = "FUNDS_REMITTED"
    FUNDS_RETURNED = "FUNDS_RETURNED"
    FUNDS_RECEIVED = "FUNDS_RECEIVED"
    FUNDS_MISMATCHED = "FUNDS_MISMATCHED"
    FUNDS_CREDITED = "FUNDS_CREDITED"
    FUNDS_PAID_OUT = "FUNDS_PAID_OUT"
    FUNDS_RETAINED = "FUNDS_RETAINED"
    CERTIFICATE_REISSUED = "CERTIFICATE_REISSUED"
    MAIL_RECORDED = "MAIL_RECORDED"
    ARREARS_NOTIFIED = "ARREARS_NOTIFIED"
    NEEDS_ATTENTION = "NEEDS_ATTENTION"
    COMPLETED = "COMPLETED"
    WITHDRAWN = "WITHDRAWN"
    TERMINATED = "TERMINATED"
    # Not in version 1 of the contract, each for what it has no word for: a zero balance is neither ordered, paid out nor
    # retained; what was frozen is released; a waiting application is checked again; the post starts a clock.
    FUNDS_NOT_REQUIRED = "FUNDS_NOT_REQUIRED"
    FUNDS_RELEASED = "FUNDS_RELEASED"
    REGISTER_CHECKED = "REGISTER_CHECKED"
    CLOCK_STARTED = "CLOCK_STARTED"
    FORM_PREPARED = "FORM_PREPARED"
    PAYOUT_ACCOUNT_PROVIDED = "PAYOUT_ACCOUNT_PROVIDED"
    # An order waits for another person; R has decided on a wrong amount; the money of a completed case is under way again.
    REMITTANCE_PREPARED = "REMITTANCE_PREPARED"
    FUNDS_MATCHED = "FUNDS_MATCHED"
    REOPENED = "REOPENED"
    # A month was paid at O after the case was completed.
    LATE_CONTRIBUTION = "LATE_CONTRIBUTION"


@strawberry.enum
@unique
class UserErrorCode(StrEnum):
    VALIDATION_FAILED = "VALIDATION_FAILED"
    NOT_FOUND = "NOT_FOUND"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    STEP_NOT_ALLOWED = "STEP_NOT_ALLOWED"
    STALE_REVISION = "STALE_REVISION"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    STEP_PENDING = "STEP_PENDING"
    # Not in version 1 of the contract, which has no mandates.
    MANDATE_NOT_ALLOWED = "MANDATE_NOT_ALLOWED"


Role: Final = v.Role
