"""Canonical content of each document, fixed at the moment of its event. Its SHA-256 is what the document stands for.

Whoever builds a content decides what it shows: persons' numbers in full only on documents for the person and the two
agencies, masked elsewhere. Amounts are whole fen, dates are days in Asia/Shanghai, months are `YYYY-MM`.

A digest that was given stays true for ever: a field that a kind got later is left out of the canonical bytes while it
holds what every earlier document meant (`_later`).
"""

import hashlib
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from activities.canonical import spelled
from activities.documents.amounts import MAX_FEN
from workflows.vocabulary import CorrectionReason, DocumentKind, InsuranceScheme, RefusalCode, Side, TransferRoute

Text = Annotated[str, Field(min_length=1, max_length=2000)]
Month = Annotated[str, Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Fen = Annotated[int, Field(strict=True, ge=0, le=MAX_FEN)]
Count = Annotated[int, Field(strict=True, ge=0)]
Ordinal = Annotated[int, Field(strict=True, ge=1)]


def _later(default: Any) -> Any:
    """A field that its kind got after documents had been issued; `default` is what those meant."""
    return Field(default=default, exclude_if=lambda value: value == default)


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AgencyBlock(_Frozen):
    code: Text
    name: Text
    region: Text  # six digits
    region_name: Text
    address: Text | None = None
    contact: Text | None = None
    phone: Text | None = None
    post_code: Text | None = _later(None)


class PersonBlock(_Frozen):
    """Name and number as they are to be shown: in full or masked is the caller's decision."""

    name: Text
    resident_id: Text
    sex: Literal["男", "女"] | None = None
    personal_insurance_number: Text | None = None
    household_type: Text | None = None


class RegionBlock(_Frozen):
    code: Text
    name: Text
    scheme: InsuranceScheme


class ContributionSegment(_Frozen):
    """One continuous run of months of one kind."""

    scheme: InsuranceScheme
    region_name: Text
    first_month: Month
    last_month: Month
    months: Count
    deemed: bool
    payment_kind: Text | None = None
    agency_name: Text | None = None
    remark: Text | None = None

    @model_validator(mode="after")
    def _months_fill_the_range(self) -> Self:
        first_year, first_month = map(int, self.first_month.split("-"))
        last_year, last_month = map(int, self.last_month.split("-"))
        if self.months != (last_year - first_year) * 12 + last_month - first_month + 1:
            raise ValueError(f"{self.first_month} to {self.last_month} is not {self.months} months")
        return self


class OverlapLine(_Frozen):
    """Months paid in both regions, counted once."""

    first_month: Month
    last_month: Month
    months: Count


class RefusalReason(_Frozen):
    code: RefusalCode
    side: Side
    message: Text
    fix: Text
    where: Text
    legal_basis: Text
    retry_on: date | None = None


class DeadlineLine(_Frozen):
    step: Text
    agency_name: Text
    working_days: Count
    due_on: date
    provisional: bool
    legal_basis: Text


class StepLine(_Frozen):
    step: Text
    agency_name: Text
    done_on: date


class PartyDays(_Frozen):
    party: Text
    working_days: Count


class IssuedDocument(_Frozen):
    title: Text
    number: Text


class ReceivingAccount(_Frozen):
    """Where the balance is to be sent, as the directory has it."""

    name: Text
    bank: Text
    bank_code: Text | None = None
    account: Text


class ApplicantContact(_Frozen):
    """How the person is reached, as the applicant wrote it."""

    phone: Text | None = None
    household_address: Text | None = None
    address: Text | None = None
    post_code: Text | None = None


class AgentBlock(_Frozen):
    """代办人: the relation to the person, and the name as it is to be shown."""

    relation: Text
    name: Text | None = None


class _Document(_Frozen):
    agency: AgencyBlock
    issued_on: date


class _Posted(_Document):
    """A document that on the paper route goes to the other agency by post: its QR code leads the clerk to the case."""

    transfer_no: Text | None = None
    route: TransferRoute = _later(TransferRoute.PLATFORM)


class AcceptanceNoticeContent(_Document):
    """受理告知书: for the applicant."""

    kind: Literal[DocumentKind.ACCEPTANCE_NOTICE] = DocumentKind.ACCEPTANCE_NOTICE
    transfer_no: Text
    person: PersonBlock
    origin: RegionBlock
    destination: RegionBlock
    deadlines: tuple[DeadlineLine, ...] = Field(min_length=1)
    how_to_follow: Text


class RefusalNoticeContent(_Document):
    """不予受理告知书: every reason with its fix and where it is made. `transfer_no` when a case had been opened.

    `note` is what the agency that refused wrote beside its reasons.
    """

    kind: Literal[DocumentKind.REFUSAL_NOTICE] = DocumentKind.REFUSAL_NOTICE
    transfer_no: Text | None = None
    person: PersonBlock
    origin: RegionBlock
    destination: RegionBlock
    reasons: tuple[RefusalReason, ...] = Field(min_length=1)
    note: Text | None = None
    how_to_follow: Text


class EnrolmentCertificateContent(_Posted):
    """参保凭证 (94号 art. 4): by the origin's agency, for the person and the destination; on paper in three copies."""

    kind: Literal[DocumentKind.ENROLMENT_CERTIFICATE] = DocumentKind.ENROLMENT_CERTIFICATE
    verification_code: Text
    person: PersonBlock
    scheme: InsuranceScheme
    coverage_from: date | None
    coverage_to: date | None  # None while coverage is active
    benefits_from: date | None = None
    benefits_to: date | None = None
    actual_months: Count
    deemed_months: Count
    personal_account_fen: Fen
    valid_until: date | None = None


class InformationFormContent(_Posted):
    """信息表 (43号): by the origin's agency, for the destination's."""

    kind: Literal[DocumentKind.INFORMATION_FORM] = DocumentKind.INFORMATION_FORM
    transfer_no: Text
    version: Ordinal
    person: PersonBlock
    destination: RegionBlock
    segments: tuple[ContributionSegment, ...]
    first_enrolled_on: date | None = None
    stopped_on: date | None = None
    actual_months: Count
    deemed_months: Count
    total_months: Count
    benefits_from: date | None = None
    benefits_to: date | None = None
    personal_account_fen: Fen
    personal_account_opened_in: Month | None = None
    disposition: Literal["REMIT", "PAY_OUT", "RETAIN", "NOT_REQUIRED"]
    made_by: Text
    checked_by: Text | None = None
    note: Text | None = None


class RemittanceOrderContent(_Posted):
    """划转单: by the origin's finance, for the bank. The person appears masked, as the payment's reference.

    On the paper route it travels with the information form as 转出通知书, and names the two regions.
    """

    kind: Literal[DocumentKind.REMITTANCE_ORDER] = DocumentKind.REMITTANCE_ORDER
    transfer_no: Text
    reference: Text
    payee_name: Text
    payee_bank: Text
    payee_bank_code: Text | None = _later(None)
    payee_account: Text
    amount_fen: Fen
    person: PersonBlock
    origin: RegionBlock | None = _later(None)
    destination: RegionBlock | None = _later(None)
    batch: Text | None = None
    ordered_by: Text
    released_by: Text | None = None


class ContinuationStatementContent(_Document):
    """接续说明: by the destination's agency, for the person.

    `credited_fen` and `credited_on` are None while no balance has been credited; 0 without a day when none had to move.
    """

    kind: Literal[DocumentKind.CONTINUATION_STATEMENT] = DocumentKind.CONTINUATION_STATEMENT
    transfer_no: Text
    version: Ordinal = _later(1)
    person: PersonBlock
    origin: RegionBlock
    destination: RegionBlock
    actual_months: Count
    deemed_months: Count
    total_months: Count
    overlaps: tuple[OverlapLine, ...] = ()
    gap_months: Count
    waiting_rule: Text
    waiting_basis: Text
    waiting_months: Count
    waiting_from: date | None = None
    waiting_to: date | None = None
    waiting_ratio_percent: Annotated[int, Field(strict=True, ge=0, le=100)] | None = None
    credited_fen: Fen | None = None
    credited_on: date | None = None
    at_the_window: tuple[Text, ...] = ()


class CompletionNoticeContent(_Document):
    """办结通知: by the destination's agency, for the person and the origin. `amount_fen` is 0 when no balance had to move."""

    kind: Literal[DocumentKind.COMPLETION_NOTICE] = DocumentKind.COMPLETION_NOTICE
    verification_code: Text
    transfer_no: Text
    person: PersonBlock
    origin: RegionBlock
    destination: RegionBlock
    completed_on: date
    days_used: tuple[PartyDays, ...] = Field(min_length=1)
    steps: tuple[StepLine, ...] = Field(min_length=1)
    amount_fen: Fen
    documents: tuple[IssuedDocument, ...] = ()


class ContactLetterContent(_Posted):
    """联系函 (94号 art. 5): by the destination's agency, for the origin's; on the paper route alone."""

    kind: Literal[DocumentKind.CONTACT_LETTER] = DocumentKind.CONTACT_LETTER
    transfer_no: Text
    route: Literal[TransferRoute.PAPER] = TransferRoute.PAPER
    addressee: AgencyBlock
    person: PersonBlock
    origin: RegionBlock
    destination: RegionBlock
    receiving_account: ReceivingAccount


class ApplicationContent(_Posted):
    """转移接续申请表: by the applicant, for the destination's agency. The agent's name is the caller's to mask."""

    kind: Literal[DocumentKind.APPLICATION] = DocumentKind.APPLICATION
    transfer_no: Text
    route: TransferRoute
    applicant: Literal["PERSON", "EMPLOYER", "AGENT"]
    person: PersonBlock
    contact: ApplicantContact = ApplicantContact()
    origin: RegionBlock
    origin_agency: AgencyBlock
    destination: RegionBlock
    employer_ids: tuple[Text, ...] = ()
    coverage_from: date | None = None
    coverage_to: date | None = None  # None while coverage is active
    declared_months: Count | None = None
    certificate_number: Text | None = None
    agent: AgentBlock | None = None
    consent: Text
    applied_at: AwareDatetime

    @model_validator(mode="after")
    def _an_agent_applies_as_one(self) -> Self:
        if (self.applicant == "AGENT") is (self.agent is None):
            raise ValueError("an agent is named if and only if an agent applies")
        return self


class CorrectionRequestContent(_Posted):
    """纠错单: by the destination's agency, for the origin's. `round` counts the requests of a transfer from 1.

    `disputed_version` is the information form's. `reply` and its day are there once the origin has answered.
    """

    kind: Literal[DocumentKind.CORRECTION_REQUEST] = DocumentKind.CORRECTION_REQUEST
    transfer_no: Text
    route: TransferRoute
    round: Ordinal
    addressee: AgencyBlock
    person: PersonBlock
    disputed_version: Ordinal
    reason: CorrectionReason
    note: Text
    reply: Text | None = None
    replied_on: date | None = None


class ArrearsNoticeContent(_Document):
    """欠费提示 (94号): by the origin's agency, for the person."""

    kind: Literal[DocumentKind.ARREARS_NOTICE] = DocumentKind.ARREARS_NOTICE
    transfer_no: Text
    person: PersonBlock
    origin: RegionBlock
    first_month: Month
    last_month: Month
    amount_fen: Fen
    how_to_pay: Text
    where_to_pay: Text
    legal_basis: Text


DocumentContent = Annotated[
    AcceptanceNoticeContent
    | RefusalNoticeContent
    | EnrolmentCertificateContent
    | InformationFormContent
    | RemittanceOrderContent
    | ContinuationStatementContent
    | CompletionNoticeContent
    | ContactLetterContent
    | ApplicationContent
    | CorrectionRequestContent
    | ArrearsNoticeContent,
    Field(discriminator="kind"),
]
_ADAPTER: TypeAdapter[DocumentContent] = TypeAdapter(DocumentContent)


def canonical_bytes(content: DocumentContent) -> bytes:
    """The one spelling of a content: JSON, keys sorted, UTF-8, no white space.

    What is absent is written `null`, but for fields that came later: those are left out.
    """
    return spelled(content.model_dump(mode="json"))


def digest(content: DocumentContent) -> str:
    """SHA-256 of the canonical bytes, 64 hexadecimal digits."""
    return digest_of(canonical_bytes(content))


def digest_of(canonical: bytes) -> str:
    """SHA-256 of a content's canonical bytes, 64 hexadecimal digits."""
    return hashlib.sha256(canonical).hexdigest()


def case_shown(content: DocumentContent) -> str | None:
    """The number of the case to which the document's QR code leads a clerk; None where it leads to verification alone."""
    return content.transfer_no if isinstance(content, _Posted) and content.route is TransferRoute.PAPER else None


def from_canonical_bytes(data: bytes) -> DocumentContent:
    """The content that was stored as canonical bytes. pydantic.ValidationError when it is none of ours."""
    return _ADAPTER.validate_json(data)
