"""From the state of a transfer and the registers to the content of its documents."""

from datetime import date
from typing import Any

from activities.documents.content import (
    AgencyBlock,
    ContinuationStatementContent,
    ContributionSegment,
    EnrolmentCertificateContent,
    InformationFormContent,
    OverlapLine,
    PersonBlock,
    RefusalNoticeContent,
    RefusalReason,
    RegionBlock,
)
from activities.people import PersonRef, open_identity, open_name
from activities.reference import RegionEntry
from workflows.continuation import Continuation
from workflows.contribution import ContributionPeriod, actual_months, deemed_months, normalise, total_months
from workflows.events import ContinuationConfirmed, Declined, FormDelivered
from workflows.law import INSTRUMENTS
from workflows.state import TransferState
from workflows.words import Language, say
from workflows.words.findings import finding_words

HOW_TO_FOLLOW = "凭转移接续编号在国家医保服务平台、参保地医保小程序或任一方经办窗口查询办理进度。"
ZH: Language = "zh-CN"


def person_block(person: PersonRef, name_sealed: bytes) -> PersonBlock:
    """The person as the person and the two agencies may read them: in full."""
    return PersonBlock(name=open_name(person.data_key, name_sealed), resident_id=open_identity(person))


def agency_block(region: RegionEntry) -> AgencyBlock:
    return AgencyBlock(
        code=region.agency_code,
        name=region.agency_name,
        region=region.code,
        region_name=region.name,
        address=region.address,
        phone=region.service_phone,
    )


def certificate_content(
    *,
    person: PersonBlock,
    region: RegionEntry,
    enrolment: Any,
    periods: tuple[ContributionPeriod, ...],
    verification_code: str,
    issued_on: date,
    transfer_no: str | None,
) -> EnrolmentCertificateContent:
    """The enrolment certificate 参保凭证, from O's register row. The balance counts what is frozen for a transfer too."""
    first_month = min((each.first_month for each in periods), default=None)
    covered_from = enrolment["enrolled_on"] or (date.fromisoformat(f"{first_month}-01") if first_month else None)
    return EnrolmentCertificateContent(
        agency=agency_block(region),
        issued_on=issued_on,
        verification_code=verification_code,
        transfer_no=transfer_no,
        person=person,
        scheme=enrolment["scheme"],
        coverage_from=covered_from,
        coverage_to=enrolment["stopped_on"],
        actual_months=actual_months(periods),
        deemed_months=deemed_months(periods),
        personal_account_fen=enrolment["personal_account_fen"] + enrolment["frozen_fen"],
    )


def form_content(
    state: TransferState,
    fact: FormDelivered,
    *,
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    enrolled_on: date | None,
    made_by: str,
    issued_on: date,
) -> InformationFormContent:
    """The information form 信息表, one row per continuous segment."""
    origin, destination = regions[state.from_region], regions[state.to_region]
    return InformationFormContent(
        agency=agency_block(origin),
        issued_on=issued_on,
        transfer_no=state.no,
        version=fact.version,
        person=person,
        destination=RegionBlock(code=destination.code, name=destination.name, scheme=state.to_scheme),
        segments=tuple(_segment(each, regions) for each in fact.periods),
        first_enrolled_on=enrolled_on,
        stopped_on=state.stopped_on,
        actual_months=actual_months(fact.periods),
        deemed_months=deemed_months(fact.periods),
        total_months=total_months(fact.periods),
        personal_account_fen=fact.balance_fen,
        disposition="REMIT" if fact.balance_fen else "NOT_REQUIRED",
        made_by=made_by,
        note=fact.note or None,
    )


def continuation_content(
    state: TransferState,
    fact: ContinuationConfirmed,
    *,
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    issued_on: date,
) -> ContinuationStatementContent:
    """The continuation statement 接续说明: the years that count, and the wait for benefits."""
    origin, destination = regions[state.from_region], regions[state.to_region]
    outcome, wait = fact.continuation, fact.continuation.waiting_period
    return ContinuationStatementContent(
        agency=agency_block(destination),
        issued_on=issued_on,
        transfer_no=state.no,
        person=person,
        origin=RegionBlock(code=origin.code, name=origin.name, scheme=state.from_scheme),
        destination=RegionBlock(code=destination.code, name=destination.name, scheme=state.to_scheme),
        actual_months=outcome.actual_months,
        deemed_months=outcome.deemed_months,
        total_months=outcome.total_months,
        overlaps=_overlap_lines(outcome, state),
        gap_months=wait.gap_months,
        waiting_rule=say(ZH, f"waiting.{wait.rule}", gap_months=wait.gap_months, months=wait.months),
        waiting_basis=INSTRUMENTS["43号"],
        waiting_months=wait.months,
        waiting_from=wait.starts_on,
        waiting_to=wait.ends_on,
    )


def refusal_content(
    state: TransferState, fact: Declined, *, person: PersonBlock, regions: dict[str, RegionEntry], issued_on: date
) -> RefusalNoticeContent:
    """The refusal notice 不予受理告知书: every reason, its fix, and where the fix is made."""
    origin, destination = regions[state.from_region], regions[state.to_region]
    by_origin = fact.returned is not None
    return RefusalNoticeContent(
        agency=agency_block(origin if by_origin else destination),
        issued_on=issued_on,
        transfer_no=state.no,
        person=person,
        origin=RegionBlock(code=origin.code, name=origin.name, scheme=state.from_scheme),
        destination=RegionBlock(code=destination.code, name=destination.name, scheme=state.to_scheme),
        reasons=_reasons(fact, regions),
        how_to_follow=HOW_TO_FOLLOW,
    )


def _reasons(fact: Declined, regions: dict[str, RegionEntry]) -> tuple[RefusalReason, ...]:
    return tuple(
        RefusalReason(
            code=each.code,
            side=each.side,
            message=words.message,
            fix=words.fix,
            where=words.where,
            legal_basis=INSTRUMENTS[each.basis],
            retry_on=each.retry_on,
        )
        for each in fact.findings
        for words in [finding_words(each, regions)]
    )


def _segment(period: ContributionPeriod, regions: dict[str, RegionEntry]) -> ContributionSegment:
    region = regions.get(period.region)
    return ContributionSegment(
        scheme=period.scheme,
        region_name=region.name if region else period.region,
        first_month=period.first_month,
        last_month=period.last_month,
        months=period.months,
        deemed=period.deemed,
        agency_name=region.agency_name if region else None,
    )


def _overlap_lines(outcome: Continuation, state: TransferState) -> tuple[OverlapLine, ...]:
    """Consecutive months that both regions had recorded, run by run."""
    months = (
        ContributionPeriod(
            first_month=month, last_month=month, deemed=False, region=state.to_region, scheme=state.to_scheme
        )
        for month in outcome.overlaps
    )
    return tuple(
        OverlapLine(first_month=run.first_month, last_month=run.last_month, months=run.months)
        for run in normalise(months)
    )
