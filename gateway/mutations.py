"""The root of every mutation: each turns its input into what is asked of the case."""

from typing import TypeVar

import strawberry
from strawberry import UNSET

from gateway.applications import request_certificate, submit_transfer
from gateway.authorisation import field
from gateway.commands import take_step
from gateway.consents import record_consent, revoke_consent
from gateway.context import RequestContext
from gateway.errors import RequestCertificateResult, StepResult, SubmitTransferResult
from gateway.mandate_starts import approve_mandate, confirm_mandate
from gateway.mandates import grant_mandate, revoke_mandate
from gateway.payout import provide_payout_account
from gateway.types.consents import (
    RecordConsentInput,
    RecordConsentResult,
    RevokeConsentInput,
    RevokeConsentResult,
)
from gateway.types.inputs import (
    ConfirmReceiptInput,
    DeclineTransferInput,
    DeliverInformationFormInput,
    MatchFundsInput,
    PayoutAccountInput,
    ReasonInput,
    RecordMailInput,
    RemittanceInput,
    RequestCertificateInput,
    RequestCorrectionInput,
    ReturnTransferInput,
    StopCoverageInput,
    SubmitTransferInput,
    TransferInput,
)
from gateway.types.mandates import (
    ApproveMandateInput,
    ApproveMandateResult,
    ConfirmMandateInput,
    ConfirmMandateResult,
    GrantMandateInput,
    GrantMandateResult,
    RevokeMandateInput,
    RevokeMandateResult,
)
from gateway.types.unmatched_funds import SendUnmatchedFundsHomeInput, SendUnmatchedFundsHomeResult
from gateway.unmatched_funds import send_unmatched_funds_home
from workflows import commands as c
from workflows.vocabulary import APPLICANTS, CLERKS, FINANCE, FORM_CHECKERS, FORM_MAKERS, MANDATE_APPROVERS, Role

# ruff: noqa: A002 - `input` is the contract's name

R = Role
T = TypeVar("T")
Info = strawberry.Info[RequestContext, None]


@strawberry.type
class Mutation:
    @field(requires=(*APPLICANTS, *CLERKS))
    async def submit_transfer(self, info: Info, input: SubmitTransferInput) -> SubmitTransferResult:
        return await submit_transfer(info.context, input)

    @field("While no agency has done a step.", requires=APPLICANTS)
    async def withdraw_transfer(self, info: Info, input: ReasonInput) -> StepResult:
        ask = c.WithdrawTransfer(expected_revision=_given(input.expected_revision), reason=input.reason)
        return await take_step(info.context, "withdrawTransfer", input, ask)

    @field(requires=(R.INSURED_PERSON, R.CLERK, R.AGENCY_SYSTEM))
    async def request_certificate(self, info: Info, input: RequestCertificateInput) -> RequestCertificateResult:
        return await request_certificate(info.context, input)

    @field(
        "By the person for themself: it starts at once. Or at a window of their region for who has signed on paper: a second "
        "person of the agency must approve it, and it starts a day later unless the giver confirms it earlier. When a new one "
        "to the same agent starts, the one before it ends.",
        requires=(R.INSURED_PERSON, R.CLERK, R.AGENCY_SYSTEM),
    )
    async def grant_mandate(self, info: Info, input: GrantMandateInput) -> GrantMandateResult:
        return await grant_mandate(info.context, input)

    @field(
        "By who gave it, by the agent who lays it down, or at a window of the giver's region; before its start, too.",
        requires=(R.INSURED_PERSON, R.CLERK, R.AGENCY_SYSTEM),
    )
    async def revoke_mandate(self, info: Info, input: RevokeMandateInput) -> RevokeMandateResult:
        return await revoke_mandate(info.context, input)

    @field(
        "At a window, for a person who is there and agrees: the agency then sees the whole pre-check of the person, and may "
        "apply for them, until the end of `validUntil`. Recorded with who, when, which agency and why; the person sees it in "
        "`viewer.consents` and can take it back.",
        requires=CLERKS,
    )
    async def record_consent(self, info: Info, input: RecordConsentInput) -> RecordConsentResult:
        return await record_consent(info.context, input)

    @field(
        "By the person who gave it. It ends now; an application made meanwhile goes on.", requires=(R.INSURED_PERSON,)
    )
    async def revoke_consent(self, info: Info, input: RevokeConsentInput) -> RevokeConsentResult:
        return await revoke_consent(info.context, input)

    @field(
        "A second person of the agency whose window entered the mandate has checked the signed paper: the mandate starts 24 "
        "hours later. Never by the person who entered it.",
        requires=MANDATE_APPROVERS,
    )
    async def approve_mandate(self, info: Info, input: ApproveMandateInput) -> ApproveMandateResult:
        return await approve_mandate(info.context, input)

    @field(
        "By who gave it, for a mandate that a window has entered: it starts at once, also without the second person.",
        requires=(R.INSURED_PERSON,),
    )
    async def confirm_mandate(self, info: Info, input: ConfirmMandateInput) -> ConfirmMandateResult:
        return await confirm_mandate(info.context, input)

    @field("R: paper route, and applications with a MANUAL finding.", requires=CLERKS)
    async def accept_transfer(self, info: Info, input: TransferInput) -> StepResult:
        ask = c.AcceptTransfer(expected_revision=_given(input.expected_revision))
        return await take_step(info.context, "acceptTransfer", input, ask)

    @field(requires=CLERKS)
    async def decline_transfer(self, info: Info, input: DeclineTransferInput) -> StepResult:
        ask = c.DeclineTransfer(
            expected_revision=_given(input.expected_revision), reasons=tuple(input.reasons), note=_given(input.note)
        )
        return await take_step(info.context, "declineTransfer", input, ask)

    @field("O.", requires=CLERKS)
    async def stop_coverage(self, info: Info, input: StopCoverageInput) -> StepResult:
        ask = c.StopCoverage(expected_revision=_given(input.expected_revision), stopped_on=input.stopped_on)
        return await take_step(info.context, "stopCoverage", input, ask)

    @field(requires=(R.INSURED_PERSON, R.CLERK, R.AGENCY_SYSTEM))
    async def reissue_certificate(self, info: Info, input: ReasonInput) -> StepResult:
        ask = c.ReissueCertificate(expected_revision=_given(input.expected_revision), reason=input.reason)
        return await take_step(info.context, "reissueCertificate", input, ask)

    @field(requires=CLERKS)
    async def issue_contact_letter(self, info: Info, input: TransferInput) -> StepResult:
        ask = c.IssueContactLetter(expected_revision=_given(input.expected_revision))
        return await take_step(info.context, "issueContactLetter", input, ask)

    @field("Either side of a paper case; also enters what the other, unconnected side sent by post.", requires=CLERKS)
    async def record_mail(self, info: Info, input: RecordMailInput) -> StepResult:
        ask = c.RecordMail(
            expected_revision=_given(input.expected_revision),
            item=input.item,
            carrier=input.carrier,
            tracking_no=input.tracking_no,
            sent_on=_given(input.sent_on),
            arrived_on=_given(input.arrived_on),
        )
        return await take_step(info.context, "recordMail", input, ask)

    @field(requires=FORM_MAKERS)
    async def deliver_information_form(self, info: Info, input: DeliverInformationFormInput) -> StepResult:
        periods = _given(input.contribution_periods)
        ask = c.DeliverInformationForm(
            expected_revision=_given(input.expected_revision),
            periods=None
            if periods is None
            else tuple(
                c.FormPeriod(first_month=each.first_month, last_month=each.last_month, deemed=each.deemed)
                for each in periods
            ),
            balance_fen=_given(input.personal_account_balance),
            note=_given(input.note),
        )
        return await take_step(info.context, "deliverInformationForm", input, ask)

    @field("Where the region wants a second person; not the one who delivered.", requires=FORM_CHECKERS)
    async def check_information_form(self, info: Info, input: TransferInput) -> StepResult:
        ask = c.CheckInformationForm(expected_revision=_given(input.expected_revision))
        return await take_step(info.context, "checkInformationForm", input, ask)

    @field(requires=FORM_MAKERS)
    async def return_transfer(self, info: Info, input: ReturnTransferInput) -> StepResult:
        ask = c.ReturnTransfer(expected_revision=_given(input.expected_revision), reason=input.reason, note=input.note)
        return await take_step(info.context, "returnTransfer", input, ask)

    @field(requires=FINANCE)
    async def remit_personal_account(self, info: Info, input: TransferInput) -> StepResult:
        ask = c.RemitPersonalAccount(expected_revision=_given(input.expected_revision))
        return await take_step(info.context, "remitPersonalAccount", input, ask)

    @field("Over the region's threshold; not the one who ordered.", requires=FINANCE)
    async def release_remittance(self, info: Info, input: RemittanceInput) -> StepResult:
        ask = c.ReleaseRemittance(
            expected_revision=_given(input.expected_revision), remittance_reference=input.remittance_reference
        )
        return await take_step(info.context, "releaseRemittance", input, ask)

    @field("Where the balance is paid out to the person.", requires=(R.INSURED_PERSON,))
    async def provide_payout_account(self, info: Info, input: PayoutAccountInput) -> StepResult:
        return await provide_payout_account(info.context, input)

    @field("R.", requires=FORM_MAKERS)
    async def request_correction(self, info: Info, input: RequestCorrectionInput) -> StepResult:
        ask = c.RequestCorrection(
            expected_revision=_given(input.expected_revision), reason=input.reason, note=input.note
        )
        return await take_step(info.context, "requestCorrection", input, ask)

    @field("R; and O, for money that comes home.", requires=FINANCE)
    async def confirm_receipt(self, info: Info, input: ConfirmReceiptInput) -> StepResult:
        ask = c.ConfirmReceipt(
            expected_revision=_given(input.expected_revision),
            remittance_reference=_given(input.remittance_reference),
            amount_fen=input.amount,
            bank_reference=input.bank_reference,
            received_on=input.received_on,
            note=_given(input.note),
        )
        return await take_step(info.context, "confirmReceipt", input, ask)

    @field(requires=(R.FINANCE,))
    async def match_funds(self, info: Info, input: MatchFundsInput) -> StepResult:
        ask = c.MatchFunds(
            expected_revision=_given(input.expected_revision),
            remittance_reference=input.remittance_reference,
            decision=input.decision,
            reason=input.reason,
        )
        return await take_step(info.context, "matchFunds", input, ask)

    @field(requires=FORM_MAKERS)
    async def confirm_continuation(self, info: Info, input: TransferInput) -> StepResult:
        ask = c.ConfirmContinuation(expected_revision=_given(input.expected_revision))
        return await take_step(info.context, "confirmContinuation", input, ask)

    @field("Of the agency that has it.", requires=FINANCE)
    async def send_unmatched_funds_home(
        self, info: Info, input: SendUnmatchedFundsHomeInput
    ) -> SendUnmatchedFundsHomeResult:
        return await send_unmatched_funds_home(info.context, input)

    @field("S.", requires=(R.SUPERVISOR,))
    async def approve_reverse_remittance(self, info: Info, input: RemittanceInput) -> StepResult:
        ask = c.ApproveReverseRemittance(
            expected_revision=_given(input.expected_revision), remittance_reference=input.remittance_reference
        )
        return await take_step(info.context, "approveReverseRemittance", input, ask)

    @field(requires=(R.SUPERVISOR,))
    async def terminate_transfer(self, info: Info, input: ReasonInput) -> StepResult:
        ask = c.TerminateTransfer(expected_revision=_given(input.expected_revision), reason=input.reason)
        return await take_step(info.context, "terminateTransfer", input, ask)


def _given(value: T | None) -> T | None:
    """Left out and null are the same."""
    return None if value is UNSET else value
