"""From the state of a transfer and the registers to the content of its documents."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from activities.documents.content import (
    AcceptanceNoticeContent,
    AgencyBlock,
    CompletionNoticeContent,
    ContinuationStatementContent,
    ContributionSegment,
    DeadlineLine,
    EnrolmentCertificateContent,
    InformationFormContent,
    IssuedDocument,
    OverlapLine,
    PartyDays,
    PersonBlock,
    RefusalNoticeContent,
    RefusalReason,
    RegionBlock,
    RemittanceOrderContent,
    StepLine,
)
from activities.documents.words import SIDE
from activities.people import PersonRef, open_identity, open_name
from activities.reference import RegionEntry
from workflows.clocks import opening
from workflows.continuation import Continuation
from workflows.contribution import ContributionPeriod, actual_months, deemed_months, normalise, total_months
from workflows.deadlines import shanghai_date, start_of
from workflows.events import ContinuationConfirmed, Declined, FormDelivered, FundsOrdered, StepOpened
from workflows.identity import mask_name, mask_resident_id
from workflows.law import INSTRUMENTS
from workflows.policy import Disposition
from workflows.state import Step, TransferState
from workflows.vocabulary import FundsStatus, Side, StepState, TransferRoute, TransferStepKind
from workflows.words import Language, say
from workflows.words.findings import finding_words
from workflows.words.waiting import ratio_percent, waiting_words
from workflows.workdays import WorkingCalendar

HOW_TO_FOLLOW = "凭转移接续编号在国家医保服务平台、参保地医保小程序或任一方经办窗口查询办理进度。"
# On paper; the bank is sent nothing until the directory has the account.
NOT_IN_DIRECTORY = "未登记"
ZH: Language = "zh-CN"
# What becomes of the balance, as the form says it.
SHOWN: Final[dict[Disposition, Literal["REMIT", "PAY_OUT", "RETAIN"]]] = {
    Disposition.REMIT: "REMIT",
    Disposition.PAY_OUT: "PAY_OUT",
    Disposition.RETAIN: "RETAIN",
}


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


def acceptance_content(
    state: TransferState,
    *,
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    accepted_at: datetime,
    calendar: WorkingCalendar,
) -> AcceptanceNoticeContent:
    """The acceptance notice 受理告知书. R's days begin with O's form: its line says the latest that they can end.

    On the paper route R's letter comes first; the days of the others begin when the post arrives, which nobody knows yet.
    """
    form = opening(state, TransferStepKind.DELIVER_INFORMATION_FORM, accepted_at, calendar)
    money = opening(state, TransferStepKind.REMIT_PERSONAL_ACCOUNT, accepted_at, calendar)
    latest_form = start_of(form.deadline.due_on) if form.deadline else accepted_at
    continuing = opening(state, TransferStepKind.CONFIRM_CONTINUATION, latest_form, calendar)
    dated = [form, money, continuing]
    if state.route is TransferRoute.PAPER:
        dated = [opening(state, TransferStepKind.ISSUE_CONTACT_LETTER, accepted_at, calendar)]
    return AcceptanceNoticeContent(
        agency=agency_block(regions[state.to_region]),
        issued_on=shanghai_date(accepted_at),
        transfer_no=state.no,
        person=person,
        origin=origin_block(state, regions),
        destination=destination_block(state, regions),
        deadlines=tuple(line for each in dated for line in _deadline_lines(each, regions)),
        how_to_follow=HOW_TO_FOLLOW,
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
    route: TransferRoute = TransferRoute.PLATFORM,
    valid_until: date | None = None,
) -> EnrolmentCertificateContent:
    """The enrolment certificate 参保凭证, from O's register row. The balance counts what is frozen for a transfer too.

    On the paper `route` it is printed in three copies; `valid_until` is its last day where the region sets one.
    """
    return EnrolmentCertificateContent(
        agency=agency_block(region),
        issued_on=issued_on,
        verification_code=verification_code,
        transfer_no=transfer_no,
        route=route,
        person=person,
        scheme=enrolment["scheme"],
        coverage_from=first_covered_on(enrolment, periods),
        coverage_to=enrolment["stopped_on"],
        actual_months=actual_months(periods),
        deemed_months=deemed_months(periods),
        personal_account_fen=enrolment["personal_account_fen"] + enrolment["frozen_fen"],
        valid_until=valid_until,
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
    checked_by: str | None = None,
) -> InformationFormContent:
    """The information form 信息表, one row per continuous segment. `checked_by`: the other person, where O's region wants one."""
    return InformationFormContent(
        agency=agency_block(regions[state.from_region]),
        issued_on=issued_on,
        transfer_no=state.no,
        route=state.route,
        version=fact.version,
        person=person,
        destination=destination_block(state, regions),
        segments=tuple(_segment(each, regions) for each in fact.periods),
        first_enrolled_on=enrolled_on,
        stopped_on=state.stopped_on,
        actual_months=actual_months(fact.periods),
        deemed_months=deemed_months(fact.periods),
        total_months=total_months(fact.periods),
        personal_account_fen=fact.balance_fen,
        disposition=SHOWN[fact.disposition] if fact.balance_fen else "NOT_REQUIRED",
        made_by=made_by,
        checked_by=checked_by,
        note=fact.note or None,
    )


def continuation_content(
    state: TransferState,
    fact: ContinuationConfirmed,
    *,
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    issued_on: date,
    version: int = 1,
) -> ContinuationStatementContent:
    """The continuation statement 接续说明: the years that count, the wait for benefits, and the money as it stands now.

    A `version` above 1 says that it supersedes the one before.
    """
    outcome, wait = fact.continuation, fact.continuation.waiting_period
    credited_fen = _credited_fen(state)
    return ContinuationStatementContent(
        agency=agency_block(regions[state.to_region]),
        issued_on=issued_on,
        transfer_no=state.no,
        version=version,
        person=person,
        origin=origin_block(state, regions),
        destination=destination_block(state, regions),
        actual_months=outcome.actual_months,
        deemed_months=outcome.deemed_months,
        total_months=outcome.total_months,
        overlaps=_overlap_lines(outcome, state),
        gap_months=wait.gap_months,
        waiting_rule=waiting_words(wait, ZH),
        waiting_basis=INSTRUMENTS[wait.basis],
        waiting_months=wait.months,
        waiting_from=wait.starts_on,
        waiting_to=wait.ends_on,
        waiting_ratio_percent=ratio_percent(wait) if wait.months else None,
        credited_fen=credited_fen,
        credited_on=_done_on(state, TransferStepKind.CONFIRM_RECEIPT) if credited_fen else None,
    )


def remittance_content(
    state: TransferState,
    fact: FundsOrdered,
    *,
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    ordered_by: str,
    issued_on: date,
    batch: str | None = None,
    released_by: str | None = None,
) -> RemittanceOrderContent:
    """The remittance order 划转单, which the bank sees: the person masked. On the paper route also R, as 转出通知书.

    `batch` where the region remits by day or month, `released_by` where another person released the order.
    """
    origin, payee = regions[state.from_region], regions[state.to_region]
    on_paper = state.route is TransferRoute.PAPER
    return RemittanceOrderContent(
        agency=agency_block(origin),
        issued_on=issued_on,
        transfer_no=state.no,
        route=state.route,
        reference=fact.reference,
        payee_name=payee.receiving_account_name or payee.agency_name,
        payee_bank=payee.receiving_bank or NOT_IN_DIRECTORY,
        payee_bank_code=payee.receiving_bank_code,
        payee_account=payee.receiving_account or NOT_IN_DIRECTORY,
        amount_fen=fact.amount_fen,
        origin=origin_block(state, regions) if on_paper else None,
        destination=destination_block(state, regions) if on_paper else None,
        person=PersonBlock(name=mask_name(person.name), resident_id=mask_resident_id(person.resident_id)),
        batch=batch,
        ordered_by=ordered_by,
        released_by=released_by,
    )


def completion_content(
    state: TransferState,
    *,
    person: PersonBlock,
    regions: dict[str, RegionEntry],
    documents: tuple[IssuedDocument, ...],
    verification_code: str,
    completed_on: date,
    calendar: WorkingCalendar,
) -> CompletionNoticeContent:
    """The completion notice 办结通知: what each side took, step by step, and the money that moved."""
    done = [(step, step.done_at) for step in state.steps if step.state is StepState.DONE and step.done_at]
    done.sort(key=lambda each: each[1])
    return CompletionNoticeContent(
        agency=agency_block(regions[state.to_region]),
        issued_on=completed_on,
        verification_code=verification_code,
        transfer_no=state.no,
        person=person,
        origin=origin_block(state, regions),
        destination=destination_block(state, regions),
        completed_on=completed_on,
        days_used=tuple(
            PartyDays(party=SIDE[side], working_days=_days_used(state, side, calendar))
            for side in (Side.TRANSFER_OUT, Side.TRANSFER_IN)
        ),
        steps=tuple(
            StepLine(
                step=say(ZH, f"step.{step.kind}"),
                agency_name=regions[step.region].agency_name,
                done_on=shanghai_date(done_at),
            )
            for step, done_at in done
        ),
        amount_fen=_credited_fen(state) or 0,
        documents=documents,
    )


def refusal_content(
    state: TransferState, fact: Declined, *, person: PersonBlock, regions: dict[str, RegionEntry], issued_on: date
) -> RefusalNoticeContent:
    """The refusal notice 不予受理告知书: every reason, its fix, where the fix is made, and the agency's own words."""
    by_origin = fact.returned is not None
    return RefusalNoticeContent(
        agency=agency_block(regions[state.from_region if by_origin else state.to_region]),
        issued_on=issued_on,
        transfer_no=state.no,
        person=person,
        origin=origin_block(state, regions),
        destination=destination_block(state, regions),
        reasons=_reasons(fact, regions),
        note=fact.note or None,
        how_to_follow=HOW_TO_FOLLOW,
    )


def first_covered_on(enrolment: Any, periods: Sequence[ContributionPeriod]) -> date | None:
    """The day of enrolment by the register's row, or the first day of the first month that it counts."""
    first_month = min((each.first_month for each in periods), default=None)
    enrolled_on: date | None = enrolment["enrolled_on"]
    return enrolled_on or (date.fromisoformat(f"{first_month}-01") if first_month else None)


def origin_block(state: TransferState, regions: dict[str, RegionEntry]) -> RegionBlock:
    return RegionBlock(code=state.from_region, name=regions[state.from_region].name, scheme=state.from_scheme)


def destination_block(state: TransferState, regions: dict[str, RegionEntry]) -> RegionBlock:
    return RegionBlock(code=state.to_region, name=regions[state.to_region].name, scheme=state.to_scheme)


def _deadline_lines(opened: StepOpened, regions: dict[str, RegionEntry]) -> tuple[DeadlineLine, ...]:
    if opened.deadline is None:
        return ()
    line = DeadlineLine(
        step=say(ZH, f"step.{opened.step}"),
        agency_name=regions[opened.region].agency_name,
        working_days=opened.deadline.working_days,
        due_on=opened.deadline.due_on,
        provisional=opened.deadline.provisional,
        legal_basis=INSTRUMENTS[opened.deadline.basis],
    )
    return (line,)


def _credited_fen(state: TransferState) -> int | None:
    """What R has credited, corrections counted in; 0 when no balance had to move, None while money is still on its way."""
    if state.funds_status is FundsStatus.NOT_REQUIRED:
        return 0
    if state.funds_status is FundsStatus.CREDITED:
        return state.settled_fen
    return None


def _done_on(state: TransferState, kind: TransferStepKind) -> date | None:
    done_at = state.step(kind).done_at
    return shanghai_date(done_at) if done_at else None


def _days_used(state: TransferState, side: Side, calendar: WorkingCalendar) -> int:
    """Working days on which a clock of that side ran; days of two steps at once count once, days of a pause do not."""
    calendar = calendar.of_region(state.to_region if side is Side.TRANSFER_IN else state.from_region)
    days: set[date] = set()
    # Money that comes home is received by O, as no other receipt is.
    region = state.to_region if side is Side.TRANSFER_IN else state.from_region
    for step in state.steps:
        if step.region == region:
            days |= _days_of(step)
    return sum(calendar.is_working_day(day) for day in days)


def _days_of(step: Step) -> set[date]:
    """From the day after the clock started to the day on which the step was done, less the days on which it stood still."""
    if step.deadline is None or step.done_at is None:
        return set()
    starts_on, done_on = step.deadline.starts_on, shanghai_date(step.done_at)
    days = (starts_on + timedelta(days=offset) for offset in range(1, (done_on - starts_on).days + 1))
    return {day for day in days if not any(pause.covers(day) for pause in step.deadline.pauses)}


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
