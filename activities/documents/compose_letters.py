"""From a case to the content of what its parties write to each other: contact letter, application, correction, arrears."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, Literal

from activities.documents.compose import (
    NOT_IN_DIRECTORY,
    ZH,
    agency_block,
    destination_block,
    first_covered_on,
    origin_block,
)
from activities.documents.content import (
    AgentBlock,
    ApplicantContact,
    ApplicationContent,
    ArrearsNoticeContent,
    ContactLetterContent,
    CorrectionRequestContent,
    PersonBlock,
    ReceivingAccount,
)
from activities.reference import RegionEntry
from workflows.contribution import ContributionPeriod, total_months
from workflows.deadlines import SHANGHAI, shanghai_date
from workflows.events import ArrearsNotified
from workflows.identity import mask_name
from workflows.law import INSTRUMENTS
from workflows.state import TransferState
from workflows.vocabulary import CorrectionReason
from workflows.words import say

# What the applicant agrees to in applying (《个人信息保护法》 art. 13): stays with the form, whatever later forms say.
CONSENT: Final = (
    "本人自愿申请办理基本医疗保险关系转移接续，所填内容真实；同意转出地、转入地医保经办机构为办理本业务核对、传递参保人的参保、"
    "缴费和个人账户信息。"
)
HOW_TO_PAY: Final = (
    "单位欠缴的，请联系原用人单位补缴；个人欠缴的，请到下列地点办理补缴。补缴到账后，对应月份计入缴费年限。"
)
NO_CONTACT: Final = ApplicantContact()


def contact_letter_content(
    state: TransferState,
    *,
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    contact: str,
    issued_on: date,
    post_code: str | None = None,
) -> ContactLetterContent:
    """The contact letter 联系函 of the paper route, from R to O (94号 art. 5).

    `person` in full; `contact` whom O's clerk asks for at R; `post_code` R's, which the directory may not have. Number:
    `verification.contact_letter_number`.
    """
    payee = regions[state.to_region]
    agency = agency_block(payee)
    return ContactLetterContent(
        agency=agency.model_copy(
            update={"contact": contact, "phone": agency.phone or NOT_IN_DIRECTORY, "post_code": post_code}
        ),
        issued_on=issued_on,
        transfer_no=state.no,
        addressee=agency_block(regions[state.from_region]),
        person=person,
        origin=origin_block(state, regions),
        destination=destination_block(state, regions),
        receiving_account=ReceivingAccount(
            name=payee.receiving_account_name or payee.agency_name,
            bank=payee.receiving_bank or NOT_IN_DIRECTORY,
            bank_code=payee.receiving_bank_code,
            account=payee.receiving_account or NOT_IN_DIRECTORY,
        ),
    )


def application_content(
    state: TransferState,
    *,
    applicant: Literal["PERSON", "EMPLOYER", "AGENT"],
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    enrolment: Any = None,
    periods: Sequence[ContributionPeriod] = (),
    certificate_number: str | None = None,
    contact: ApplicantContact = NO_CONTACT,
    agent_relation: str | None = None,
    agent_name: str | None = None,
) -> ApplicationContent:
    """The application form 转移接续申请表, as of the submission.

    `person` in full. `enrolment` is the person's row in O's register (`enrolled_on` and `stopped_on` are read) and
    `periods` its months; None and none when O's register is not with us. `certificate_number` is that of the paper
    certificate which the person holds. An agent, and nobody else, has `agent_relation`; `agent_name` in full, shown masked.
    pydantic.ValidationError when applicant and agent do not fit. Number: the transfer's.
    """
    agent_shown = mask_name(agent_name) if agent_name else None
    return ApplicationContent(
        agency=agency_block(regions[state.to_region]),
        issued_on=shanghai_date(state.submitted_at),
        transfer_no=state.no,
        route=state.route,
        applicant=applicant,
        person=person,
        contact=contact,
        origin=origin_block(state, regions),
        origin_agency=agency_block(regions[state.from_region]),
        destination=destination_block(state, regions),
        employer_ids=state.employer_ids,
        coverage_from=first_covered_on(enrolment, periods) if enrolment is not None else None,
        coverage_to=enrolment["stopped_on"] if enrolment is not None else None,
        declared_months=total_months(periods) if enrolment is not None else None,
        certificate_number=certificate_number,
        agent=AgentBlock(relation=agent_relation, name=agent_shown) if agent_relation else None,
        consent=CONSENT,
        applied_at=_in_shanghai(state.submitted_at),
    )


def correction_content(
    state: TransferState,
    *,
    correction_round: int,
    reason: CorrectionReason,
    note: str,
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    issued_on: date,
    contact: str | None = None,
    reply: str | None = None,
    replied_on: date | None = None,
) -> CorrectionRequestContent:
    """The correction request 纠错单, from R to O, about the form in force. ValueError when no form has been delivered.

    `person` in full; `correction_round` counts the requests of the case from 1; `note` is what R wrote; `contact` whom O's
    clerk asks for at R; `reply` and `replied_on` once O has answered, on paper a blank box until then. Number: the
    transfer's, with the round as version.
    """
    if state.form is None:
        raise ValueError("no form, nothing to correct")
    return CorrectionRequestContent(
        agency=agency_block(regions[state.to_region]).model_copy(update={"contact": contact}),
        issued_on=issued_on,
        transfer_no=state.no,
        route=state.route,
        round=correction_round,
        addressee=agency_block(regions[state.from_region]),
        person=person,
        disputed_version=state.form.version,
        reason=reason,
        note=note,
        reply=reply,
        replied_on=replied_on,
    )


def arrears_content(
    state: TransferState,
    fact: ArrearsNotified,
    *,
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    issued_on: date,
) -> ArrearsNoticeContent:
    """The arrears notice 欠费提示 (94号): what is owed to O, and where and how it is paid. Number: the transfer's."""
    owed_to = regions[state.from_region]
    phone = owed_to.service_phone or say(ZH, "phone.unknown")
    return ArrearsNoticeContent(
        agency=agency_block(owed_to),
        issued_on=issued_on,
        transfer_no=state.no,
        person=person,
        origin=origin_block(state, regions),
        first_month=fact.first_month,
        last_month=fact.last_month,
        amount_fen=fact.arrears_fen,
        how_to_pay=HOW_TO_PAY,
        where_to_pay=say(ZH, "refusal.ARREARS_OUTSTANDING.where", agency=owed_to.agency_name, phone=phone),
        legal_basis=INSTRUMENTS["94号"],
    )


def _in_shanghai(instant: datetime) -> datetime:
    """The one spelling of an instant on paper, to the second."""
    return instant.astimezone(SHANGHAI).replace(microsecond=0)
