"""The pre-check on both sides: every reason at once, from what both registers say (43号).

One pure function serves the dry run and the submission. `law.md`'s closed list is `RefusalCode`; nothing else can refuse.
"""

from collections.abc import Iterator
from datetime import date

from pydantic import BaseModel

from workflows.continuation import WaitingPeriod, waiting_period
from workflows.contribution import ContributionPeriod, overlapping_months
from workflows.findings import Finding
from workflows.law import INSTRUMENTS
from workflows.policy import RegionPolicy, Treatment
from workflows.state import STEPS_OF_TRANSFER_IN
from workflows.vocabulary import InsuranceScheme, RefusalClass, RefusalCode, Side, TransferRoute, TransferStepKind
from workflows.workdays import WorkingCalendar


class Enrolment(BaseModel, frozen=True):
    """One enrolment as a region's register holds it. `name_agrees` is None when there was no name to compare."""

    region: str
    scheme: InsuranceScheme
    active: bool
    stopped_on: date | None = None
    enrolled_on: date | None = None
    employer_id: str | None = None
    name_agrees: bool | None = None
    retired: bool = False
    deceased: bool = False
    account_frozen: bool = False
    unsettled_claims: bool = False
    current_month_unpaid: bool = False
    special_personnel: bool = False
    next_year_enrolled: bool = False
    arrears_fen: int = 0
    arrears_from: str | None = None
    arrears_to: str | None = None
    personal_account_fen: int = 0
    periods: tuple[ContributionPeriod, ...] = ()


class CompletedTransfer(BaseModel, frozen=True):
    """An earlier transfer of the same person, carried to its end."""

    no: str
    from_region: str
    from_scheme: InsuranceScheme
    stopped_on: date | None


class Region(BaseModel, frozen=True):
    code: str
    policy: RegionPolicy
    has_receiving_account: bool = True


class PreCheck(BaseModel, frozen=True):
    """What is asked, by whom, and what both registers and our own record say about it."""

    origin: Region
    destination: Region
    from_scheme: InsuranceScheme
    to_scheme: InsuranceScheme
    request_stop: bool = False
    # A key of the words for what is wrong with the number, None when it is a valid one.
    resident_id_fault: str | None = None
    # The caller may act for this person.
    authorised: bool = True
    # Every enrolment of the person, in any region.
    enrolments: tuple[Enrolment, ...] = ()
    # The registers of both sides spell the person's name alike.
    names_agree: bool = True
    open_transfer_no: str | None = None
    completed: tuple[CompletedTransfer, ...] = ()

    def enrolment(self, region: str, scheme: InsuranceScheme) -> Enrolment | None:
        return next((each for each in self.enrolments if (each.region, each.scheme) == (region, scheme)), None)

    @property
    def at_origin(self) -> Enrolment | None:
        return self.enrolment(self.origin.code, self.from_scheme)

    @property
    def at_destination(self) -> Enrolment | None:
        return self.enrolment(self.destination.code, self.to_scheme)


class Assessment(BaseModel, frozen=True):
    """The answer of the pre-check. `findings`: blocking ones first. `waiting_period`: if continued today."""

    findings: tuple[Finding, ...]
    route: TransferRoute
    stop_needed: bool
    stopped_on: date | None
    waiting_period: WaitingPeriod | None
    periods: dict[TransferStepKind, int]

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.cls in (RefusalClass.BLOCKS, RefusalClass.RETRIED))

    @property
    def remaining(self) -> tuple[Finding, ...]:
        """What an eligible application goes on with: warnings, and what R's clerk decides."""
        return tuple(each for each in self.findings if each not in self.blocking)


ORDER = (RefusalClass.BLOCKS, RefusalClass.RETRIED, RefusalClass.MANUAL, RefusalClass.WARNS)


def assess(check: PreCheck, *, today: date, calendar: WorkingCalendar) -> Assessment:
    """Every reason against the transfer that `check` describes, and what it would mean if there is none."""
    findings = sorted(_findings(check, today, calendar), key=lambda each: ORDER.index(each.cls))
    origin, destination = check.at_origin, check.at_destination
    stop_needed = check.request_stop and origin is not None and origin.active
    stopped_on = origin.stopped_on if origin else None
    wait = None
    if origin is not None and destination is not None:
        wait = waiting_period(
            stopped_on=stopped_on or today,
            covered_from=destination.enrolled_on or today,
            policy=check.destination.policy.waiting,
        )
    connected = check.origin.policy.connected and check.destination.policy.connected
    return Assessment(
        findings=tuple(findings),
        route=TransferRoute.PLATFORM if connected else TransferRoute.PAPER,
        stop_needed=stop_needed,
        stopped_on=stopped_on,
        waiting_period=wait,
        periods=shortened_periods(check.origin.policy, check.destination.policy),
    )


def shortened_periods(origin: RegionPolicy, destination: RegionPolicy) -> dict[TransferStepKind, int]:
    """Each side's own steps, as its region shortened them."""
    own = {step: days for step, days in origin.shortened_periods.items() if step not in STEPS_OF_TRANSFER_IN}
    others = {step: days for step, days in destination.shortened_periods.items() if step in STEPS_OF_TRANSFER_IN}
    return own | others


def _findings(check: PreCheck, today: date, calendar: WorkingCalendar) -> Iterator[Finding]:
    """In the order of law.md's list. The first three end the check: what follows would be about another person or case."""
    if check.resident_id_fault is not None:
        yield _finding(RefusalCode.RESIDENT_ID_INVALID, Side.PLATFORM, basis="GB 11643", fault=check.resident_id_fault)
        return
    if not check.authorised:
        # Nothing else: the registers' answers are not this caller's to know.
        yield _finding(RefusalCode.AGENT_NOT_AUTHORISED, Side.PLATFORM, basis="PIPL")
        return
    if check.origin.code == check.destination.code:
        yield _finding(RefusalCode.SAME_POOLING_REGION, Side.PLATFORM)
        return
    retry_on = calendar.next_working_day(today)
    yield from _own_record(check)
    yield from _at_origin(check, retry_on)
    yield from _at_destination(check, retry_on, today)
    yield from _on_both_sides(check)


def _own_record(check: PreCheck) -> Iterator[Finding]:
    if not (check.origin.policy.connected and check.destination.policy.connected):
        # The paper route is not open yet: said, not pretended.
        yield _finding(RefusalCode.DESTINATION_NOT_OPEN, Side.PLATFORM, region=check.destination.code)
    if check.open_transfer_no is not None:
        yield _finding(RefusalCode.TRANSFER_IN_PROGRESS, Side.PLATFORM, transfer_no=check.open_transfer_no)
    origin = check.at_origin
    for earlier in check.completed:
        same_record = (earlier.from_region, earlier.from_scheme) == (check.origin.code, check.from_scheme)
        nothing_since = origin is not None and not origin.active and origin.stopped_on == earlier.stopped_on
        if same_record and nothing_since:
            yield _finding(RefusalCode.ALREADY_TRANSFERRED, Side.PLATFORM, transfer_no=earlier.no)
            return


def _at_origin(check: PreCheck, retry_on: date) -> Iterator[Finding]:
    region, policy, origin = check.origin.code, check.origin.policy, check.at_origin
    if origin is None:
        others = [each for each in check.enrolments if each.region == region]
        if others:
            held = others[0].scheme
            yield _finding(RefusalCode.SCHEME_MISMATCH, Side.TRANSFER_OUT, region=region, held=held)
        else:
            candidates = sorted({each.region for each in check.enrolments if each.region != check.destination.code})
            yield _finding(
                RefusalCode.NO_RECORD_AT_ORIGIN, Side.TRANSFER_OUT, region=region, candidates=",".join(candidates)
            )
        return
    if origin.deceased:
        yield _finding(RefusalCode.DECEASED, Side.TRANSFER_OUT, region=region)
    if origin.retired:
        yield _finding(RefusalCode.RETIRED, Side.TRANSFER_OUT, region=region)
    if origin.active and not check.request_stop:
        yield _finding(RefusalCode.COVERAGE_STILL_ACTIVE, Side.TRANSFER_OUT, region=region, retry_on=retry_on)
    if origin.unsettled_claims:
        cls = _class(policy.unsettled_claims)
        yield _finding(
            RefusalCode.UNSETTLED_CLAIMS,
            Side.TRANSFER_OUT,
            cls=cls,
            region=region,
            retry_on=retry_on if cls is RefusalClass.BLOCKS else None,
        )
    if origin.account_frozen:
        yield _finding(RefusalCode.ACCOUNT_FROZEN, Side.TRANSFER_OUT, cls=RefusalClass.MANUAL, region=region)
    if origin.special_personnel:
        yield _finding(RefusalCode.SPECIAL_PERSONNEL, Side.PLATFORM, cls=RefusalClass.MANUAL)
    if origin.arrears_fen:
        yield _finding(
            RefusalCode.ARREARS_OUTSTANDING,
            Side.TRANSFER_OUT,
            cls=_class(policy.arrears),
            basis="94号",
            region=region,
            arrears_fen=origin.arrears_fen,
            first_month=origin.arrears_from or "",
            last_month=origin.arrears_to or "",
        )


def _at_destination(check: PreCheck, retry_on: date, today: date) -> Iterator[Finding]:
    region, policy, destination = check.destination.code, check.destination.policy, check.at_destination
    if destination is None or not destination.active:
        others = [each for each in check.enrolments if each.region == region and each.active]
        if others:
            yield _finding(RefusalCode.SCHEME_MISMATCH, Side.TRANSFER_IN, region=region, held=others[0].scheme)
        else:
            yield _finding(RefusalCode.NOT_ENROLLED_AT_DESTINATION, Side.TRANSFER_IN, region=region, retry_on=retry_on)
    elif destination.current_month_unpaid and policy.current_month_unpaid is not Treatment.IGNORE:
        cls = _class(policy.current_month_unpaid)
        yield _finding(
            RefusalCode.CURRENT_MONTH_UNPAID,
            Side.TRANSFER_IN,
            cls=cls,
            region=region,
            month=f"{today:%Y-%m}",
            retry_on=retry_on if cls is RefusalClass.BLOCKS else None,
        )
    if not check.destination.has_receiving_account:
        yield _finding(RefusalCode.RECEIVING_ACCOUNT_MISSING, Side.TRANSFER_IN, cls=RefusalClass.MANUAL, region=region)
    if InsuranceScheme.RESIDENT is check.from_scheme is check.to_scheme:
        origin = check.at_origin
        covered_this_year = origin is not None and (origin.active or (origin.stopped_on or today).year == today.year)
        if covered_this_year and not (destination and destination.next_year_enrolled):
            next_year = date(today.year + 1, 1, 1)
            yield _finding(RefusalCode.RESIDENT_SAME_YEAR, Side.TRANSFER_IN, region=region, retry_on=next_year)


def _on_both_sides(check: PreCheck) -> Iterator[Finding]:
    origin, destination = check.at_origin, check.at_destination
    policy = check.destination.policy
    for side, enrolment in ((Side.TRANSFER_OUT, origin), (Side.TRANSFER_IN, destination)):
        if enrolment is not None and enrolment.name_agrees is False:
            yield _finding(
                RefusalCode.IDENTITY_MISMATCH, side, cls=_class(policy.doubtful_identity), region=enrolment.region
            )
    said_already = any(each is not None and each.name_agrees is False for each in (origin, destination))
    if not check.names_agree and not said_already:
        yield _finding(
            RefusalCode.IDENTITY_MISMATCH,
            Side.TRANSFER_IN,
            cls=_class(policy.doubtful_identity),
            region=check.destination.code,
        )
    for other in check.enrolments:
        wrong_scheme_only = other.region == check.destination.code and (destination is None or not destination.active)
        if other.active and other not in (origin, destination) and not wrong_scheme_only:
            side = Side.TRANSFER_IN if other.region == check.destination.code else Side.TRANSFER_OUT
            yield _finding(
                RefusalCode.DOUBLE_INSURED,
                side,
                cls=_class(policy.double_insurance),
                basis="SIL",
                region=other.region,
                held=other.scheme,
            )
    if origin is not None and destination is not None:
        overlaps = overlapping_months(destination.periods, origin.periods)
        if overlaps:
            yield _finding(
                RefusalCode.OVERLAPPING_MONTHS,
                Side.TRANSFER_IN,
                cls=RefusalClass.WARNS,
                basis="SIL",
                region=check.destination.code,
                months=len(overlaps),
                first_month=overlaps[0],
                last_month=overlaps[-1],
            )


def _class(treatment: Treatment) -> RefusalClass:
    return {
        Treatment.BLOCK: RefusalClass.BLOCKS,
        Treatment.WARN: RefusalClass.WARNS,
        Treatment.CLERK: RefusalClass.MANUAL,
    }[treatment]


def _finding(
    code: RefusalCode,
    side: Side,
    *,
    cls: RefusalClass = RefusalClass.BLOCKS,
    basis: str = "43号",
    region: str | None = None,
    retry_on: date | None = None,
    **figures: str | int,
) -> Finding:
    if basis not in INSTRUMENTS:
        raise KeyError(basis)
    return Finding(code=code, cls=cls, side=side, region=region, basis=basis, figures=figures, retry_on=retry_on)
