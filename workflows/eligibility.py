"""The pre-check on both sides: every reason at once, from what both registers say (43号).

One pure function serves the dry run and the submission. `law.md`'s closed list is `RefusalCode`; nothing else can refuse.
"""

from collections.abc import Iterator
from datetime import date

from pydantic import BaseModel

from workflows.continuation import WaitingPeriod, waiting_period
from workflows.contribution import merge, overlapping_months
from workflows.coverage_gap import CoverageGap, open_gap
from workflows.findings import Finding, finding
from workflows.policy import RegionPolicy, Treatment
from workflows.precheck import CompletedTransfer, Enrolment, PreCheck
from workflows.state import STEPS_OF_TRANSFER_IN
from workflows.vocabulary import InsuranceScheme, RefusalClass, RefusalCode, Side, TransferRoute, TransferStepKind
from workflows.workdays import WorkingCalendar


class Assessment(BaseModel, frozen=True):
    """The answer of the pre-check. `findings`: blocking ones first. `waiting_period`: if continued today.

    What the registers hold (`stopped_on`, `waiting_period`) is told only where the check has asked them.
    """

    findings: tuple[Finding, ...]
    route: TransferRoute
    stop_needed: bool
    stopped_on: date | None
    waiting_period: WaitingPeriod | None
    periods: dict[TransferStepKind, int]
    # The person's own clock, where O has stopped and R does not cover them yet.
    gap: CoverageGap | None = None

    @property
    def blocking(self) -> tuple[Finding, ...]:
        return tuple(each for each in self.findings if each.cls is RefusalClass.BLOCKS)

    @property
    def remaining(self) -> tuple[Finding, ...]:
        """What an application goes on with: what is waited for, what R's clerk decides, and warnings."""
        return tuple(each for each in self.findings if each.cls is not RefusalClass.BLOCKS)

    @property
    def waiting(self) -> bool:
        """Whether the application waits for the registers."""
        return any(each.cls is RefusalClass.RETRIED for each in self.findings)

    @property
    def manual(self) -> bool:
        """Whether the application goes to R's clerk: for a finding, or since that is the paper route's way (94号 art. 5)."""
        doubtful = any(each.cls is RefusalClass.MANUAL for each in self.findings)
        return doubtful or self.route is TransferRoute.PAPER


# Reasons that pass with time: who asked to wait is not refused for them.
PASSING = frozenset(
    {
        RefusalCode.COVERAGE_STILL_ACTIVE,
        RefusalCode.NOT_ENROLLED_AT_DESTINATION,
        RefusalCode.CURRENT_MONTH_UNPAID,
        RefusalCode.RESIDENT_SAME_YEAR,
        RefusalCode.UNSETTLED_CLAIMS,
    }
)
ORDER = (RefusalClass.BLOCKS, RefusalClass.RETRIED, RefusalClass.MANUAL, RefusalClass.WARNS)


def assess(check: PreCheck, *, today: date, calendar: WorkingCalendar) -> Assessment:
    """Every reason against the transfer that `check` describes, and what it would mean if there is none."""
    connected = check.origin.policy.connected and check.destination.policy.connected
    route = TransferRoute.PLATFORM if connected else TransferRoute.PAPER
    periods = shortened_periods(check.origin.policy, check.destination.policy)
    ended = _end_of_check(check)
    if ended is not None:
        return _without_dates((ended,), route, periods)
    if check.only_side is not None:
        findings = _sorted(check, _findings_of_one_side(check, check.only_side, today, calendar))
        return _without_dates(findings, route, periods)
    findings = _sorted(check, _findings(check, today, calendar))
    check = check.answered
    origin = check.at_origin
    return Assessment(
        findings=findings,
        route=route,
        # Stopped now, a cover that ends with the year would leave the person without any until R's begins.
        stop_needed=check.request_stop and origin is not None and origin.active and not _follows_on_in_january(check),
        stopped_on=_stopped_on(check, origin, today) if origin else None,
        waiting_period=_waiting_period(check, today),
        periods=periods,
        gap=_gap(check, today),
    )


def _sorted(check: PreCheck, found: Iterator[Finding]) -> tuple[Finding, ...]:
    """Blocking findings first."""
    waited = (_waited_for(each) if check.wait_for_register else each for each in found)
    return tuple(sorted(waited, key=lambda each: ORDER.index(each.cls)))


def _without_dates(
    findings: tuple[Finding, ...], route: TransferRoute, periods: dict[TransferStepKind, int]
) -> Assessment:
    """The answer that gives reasons and no dates of a register."""
    return Assessment(
        findings=findings, route=route, stop_needed=False, stopped_on=None, waiting_period=None, periods=periods
    )


def _waited_for(found: Finding) -> Finding:
    passing = found.cls is RefusalClass.BLOCKS and found.code in PASSING
    return found.model_copy(update={"cls": RefusalClass.RETRIED}) if passing else found


def _gap(check: PreCheck, today: date) -> CoverageGap | None:
    """The gap that is open today; None while either side covers the person, and when it can close for free no more.

    Also none where R will close it in time by itself, and where R's register does not say whether it covers the person.
    """
    origin, destination = check.at_origin, check.at_destination
    covered = (origin is not None and origin.active) or (destination is not None and destination.active)
    unknown = not check.destination.policy.register_available
    if covered or unknown or origin is None or origin.stopped_on is None:
        return None
    gap = open_gap(origin.stopped_on, check.destination.policy.waiting.free_gap_months)
    closes_by_itself = _follows_on_in_january(check) and gap.closes_on.year > today.year
    return gap if today <= gap.closes_on and not closes_by_itself else None


def shortened_periods(origin: RegionPolicy, destination: RegionPolicy) -> dict[TransferStepKind, int]:
    """Each side's own steps, as its region shortened them."""
    own = {step: days for step, days in origin.shortened_periods.items() if step not in STEPS_OF_TRANSFER_IN}
    others = {step: days for step, days in destination.shortened_periods.items() if step in STEPS_OF_TRANSFER_IN}
    return own | others


def _waiting_period(check: PreCheck, today: date) -> WaitingPeriod | None:
    """If continued today: cover that R does not give yet would begin today, or with the year that it is given for."""
    origin, destination = check.at_origin, check.at_destination
    if origin is None:
        return None
    covered_from = date(today.year + 1, 1, 1) if _follows_on_in_january(check) else None
    if destination is not None and destination.active:
        covered_from = destination.enrolled_on
    return waiting_period(
        stopped_on=_stopped_on(check, origin, today) or today,
        covered_from=covered_from or today,
        from_scheme=check.from_scheme,
        to_scheme=check.to_scheme,
        periods=merge(destination.periods if destination else (), origin.periods, home=check.destination.code),
        policy=check.destination.policy.waiting,
    )


def _stopped_on(check: PreCheck, origin: Enrolment, today: date) -> date | None:
    """O's last day of cover; known beforehand where O's year runs out and R has the person for the next one."""
    if origin.active and _follows_on_in_january(check):
        return date(today.year, 12, 31)
    return origin.stopped_on


def _between_resident_schemes(check: PreCheck) -> bool:
    return InsuranceScheme.RESIDENT is check.from_scheme is check.to_scheme


def _follows_on_in_january(check: PreCheck) -> bool:
    """Resident → resident with R's enrolment for the coming year: the one condition before acceptance (43号).

    The resident scheme is insured by the calendar year. O's cover ends by itself on 31 December, R's begins the day after.
    """
    destination = check.at_destination
    return _between_resident_schemes(check) and destination is not None and destination.next_year_enrolled


def _bound_to_this_year(check: PreCheck, today: date) -> bool:
    """Resident → resident for a person whom O covers in this year, and whom R has not enrolled for the next one."""
    origin = check.at_origin
    covered_this_year = origin is not None and (origin.active or (origin.stopped_on or today).year == today.year)
    return _between_resident_schemes(check) and covered_this_year and not _follows_on_in_january(check)


def _year_is_unknown(check: PreCheck) -> bool:
    """Resident → resident while O's register is silent: whether the person is bound to this year is not guessed."""
    return _between_resident_schemes(check) and not check.origin.policy.register_available


def _end_of_check(check: PreCheck) -> Finding | None:
    """The reason beside which nothing else is reported: what follows would be about another person or no transfer."""
    if check.resident_id_fault is not None:
        return finding(RefusalCode.RESIDENT_ID_INVALID, fault=check.resident_id_fault)
    if check.origin.code == check.destination.code:
        return finding(RefusalCode.SAME_POOLING_REGION)
    if not check.authorised:
        # The registers' answers are not this caller's to know.
        return finding(RefusalCode.AGENT_NOT_AUTHORISED)
    return None


def _findings(check: PreCheck, today: date, calendar: WorkingCalendar) -> Iterator[Finding]:
    retry_on = calendar.next_working_day(today)
    yield from _own_record(check)
    yield from _unavailable(check, retry_on)
    check = check.answered
    if check.origin.policy.register_available:
        yield from _record_at_origin(check)
        if check.at_origin is not None:
            yield from _at_origin(check, check.at_origin, retry_on)
    if check.destination.policy.register_available:
        yield from _at_destination(check, retry_on, today)
        yield from _resident_same_year(check, today)
    yield from _certificate(check)
    yield from _identity(check)
    yield from _double_insurance(check)
    yield from _overlaps(check)


def _findings_of_one_side(check: PreCheck, side: Side, today: date, calendar: WorkingCalendar) -> Iterator[Finding]:
    """What the caller must ask for, and what the register of its own side says. Nothing rests on any other register."""
    retry_on = calendar.next_working_day(today)
    needs = "CERTIFICATE" if check.certificate_shown else "TIE"
    yield finding(RefusalCode.AGENT_NOT_AUTHORISED, needs=needs)
    region = check.origin if side is Side.TRANSFER_OUT else check.destination
    if side is Side.TRANSFER_IN:
        yield from _not_open(check)
    if not region.policy.register_available:
        yield finding(RefusalCode.REGISTER_UNAVAILABLE, side=side, region=region.code, retry_on=retry_on)
        return
    check = check.as_known_to(region.code)
    if side is Side.TRANSFER_IN:
        yield from _at_destination(check, retry_on, today)
    else:
        yield from _record_at_origin(check)
        if check.at_origin is not None:
            yield from _at_origin(check, check.at_origin, retry_on)
    yield from _identity(check)


def _unavailable(check: PreCheck, retry_on: date) -> Iterator[Finding]:
    """A register that is out of service is asked again; for one whom no register knows no case can wait for that."""
    cls = RefusalClass.RETRIED if check.enrolments else RefusalClass.BLOCKS
    for side, region in ((Side.TRANSFER_OUT, check.origin), (Side.TRANSFER_IN, check.destination)):
        if not region.policy.register_available:
            code = RefusalCode.REGISTER_UNAVAILABLE
            yield finding(code, side=side, cls=cls, region=region.code, retry_on=retry_on)


def _certificate(check: PreCheck) -> Iterator[Finding]:
    if check.certificate_fault is not None:
        cls = CLASS_OF[check.destination.policy.invalid_certificate]
        region, fault = check.origin.code, check.certificate_fault
        yield finding(RefusalCode.CERTIFICATE_INVALID, cls=cls, region=region, certificate_fault=fault)


def _not_open(check: PreCheck) -> Iterator[Finding]:
    if not check.destination.policy.takes(check.from_scheme, check.to_scheme):
        yield finding(RefusalCode.DESTINATION_NOT_OPEN, region=check.destination.code)


def _own_record(check: PreCheck) -> Iterator[Finding]:
    yield from _not_open(check)
    if check.open_transfer_no is not None:
        yield finding(RefusalCode.TRANSFER_IN_PROGRESS, transfer_no=check.open_transfer_no)
    origin = check.at_origin
    for earlier in check.completed:
        same_record = (earlier.from_region, earlier.from_scheme) == (check.origin.code, check.from_scheme)
        if same_record and origin is not None and _nothing_since(earlier, origin):
            yield finding(RefusalCode.ALREADY_TRANSFERRED, transfer_no=earlier.no)
            return


def _nothing_since(earlier: CompletedTransfer, origin: Enrolment) -> bool:
    """Whether O has covered nothing after the earlier transfer's stop. An extract may correct a stop to an earlier day."""
    if origin.active:
        return False
    if origin.stopped_on is None or earlier.stopped_on is None:
        return origin.stopped_on is earlier.stopped_on
    return origin.stopped_on <= earlier.stopped_on


def _record_at_origin(check: PreCheck) -> Iterator[Finding]:
    """Whether O has the record at all; if not, where else it may be."""
    if check.at_origin is not None:
        return
    region = check.origin.code
    held = next((each.scheme for each in check.enrolments if each.region == region), None)
    if held is not None:
        yield finding(RefusalCode.SCHEME_MISMATCH, side=Side.TRANSFER_OUT, region=region, held=held)
        return
    candidates = sorted({each.region for each in check.enrolments if each.region != check.destination.code})
    yield finding(RefusalCode.NO_RECORD_AT_ORIGIN, region=region, candidates=",".join(candidates))


def _at_origin(check: PreCheck, origin: Enrolment, retry_on: date) -> Iterator[Finding]:
    region, policy = check.origin.code, check.origin.policy
    if origin.deceased:
        yield finding(RefusalCode.DECEASED, region=region)
    if origin.retired:
        yield finding(RefusalCode.RETIRED, region=region)
    # Between resident schemes there is nothing to stop: O's year runs out, and until R has the next RESIDENT_SAME_YEAR says so.
    if origin.active and not check.request_stop and not _between_resident_schemes(check):
        yield finding(RefusalCode.COVERAGE_STILL_ACTIVE, region=region, retry_on=retry_on)
    if origin.unsettled_claims:
        yield _passing(RefusalCode.UNSETTLED_CLAIMS, policy.unsettled_claims, region, retry_on)
    if origin.account_frozen:
        yield finding(RefusalCode.ACCOUNT_FROZEN, cls=RefusalClass.MANUAL, region=region)
    if origin.special_personnel:
        yield finding(RefusalCode.SPECIAL_PERSONNEL, cls=RefusalClass.MANUAL)
    if origin.arrears_fen:
        yield finding(
            RefusalCode.ARREARS_OUTSTANDING,
            cls=CLASS_OF[policy.arrears],
            region=region,
            arrears_fen=origin.arrears_fen,
            first_month=origin.arrears_from or "",
            last_month=origin.arrears_to or "",
        )


def _at_destination(check: PreCheck, retry_on: date, today: date) -> Iterator[Finding]:
    region, policy, destination = check.destination.code, check.destination.policy, check.at_destination
    if destination is None or not destination.active:
        held = next((each.scheme for each in check.enrolments if each.region == region and each.active), None)
        if held is not None:
            yield finding(RefusalCode.SCHEME_MISMATCH, side=Side.TRANSFER_IN, region=region, held=held)
        # Enrolled for the next year is enough; and who is bound to this year must not enrol for it, as this reason would ask.
        elif not (_follows_on_in_january(check) or _bound_to_this_year(check, today) or _year_is_unknown(check)):
            yield finding(RefusalCode.NOT_ENROLLED_AT_DESTINATION, region=region, retry_on=retry_on)
    elif destination.current_month_unpaid and policy.current_month_unpaid is not Treatment.IGNORE:
        month = f"{today:%Y-%m}"
        yield _passing(RefusalCode.CURRENT_MONTH_UNPAID, policy.current_month_unpaid, region, retry_on, month=month)
    if not check.destination.has_receiving_account:
        yield finding(RefusalCode.RECEIVING_ACCOUNT_MISSING, cls=RefusalClass.MANUAL, region=region)


def _resident_same_year(check: PreCheck, today: date) -> Iterator[Finding]:
    """With the earliest date by itself; R's enrolment for the coming year makes it possible at once."""
    if _bound_to_this_year(check, today):
        next_year = date(today.year + 1, 1, 1)
        yield finding(RefusalCode.RESIDENT_SAME_YEAR, region=check.destination.code, retry_on=next_year)


def _identity(check: PreCheck) -> Iterator[Finding]:
    """Which register spells the name otherwise than it was given; if none, whether they differ from each other."""
    cls = CLASS_OF[check.destination.policy.doubtful_identity]
    named = ((Side.TRANSFER_OUT, check.at_origin), (Side.TRANSFER_IN, check.at_destination))
    differing = [(side, each.region) for side, each in named if each is not None and each.name_agrees is False]
    if not differing and not check.names_agree:
        differing = [(Side.TRANSFER_IN, check.destination.code)]
    for side, region in differing:
        yield finding(RefusalCode.IDENTITY_MISMATCH, side=side, cls=cls, region=region)


def _double_insurance(check: PreCheck) -> Iterator[Finding]:
    """Cover beside the two enrolments named. A region that holds the other scheme only has said SCHEME_MISMATCH."""
    origin, destination = check.at_origin, check.at_destination
    wrongly_named = {
        check.origin.code: origin is None,
        check.destination.code: destination is None or not destination.active,
    }
    for other in check.enrolments:
        if not other.active or other in (origin, destination) or wrongly_named.get(other.region):
            continue
        yield finding(
            RefusalCode.DOUBLE_INSURED,
            side=Side.TRANSFER_IN if other.region == check.destination.code else Side.TRANSFER_OUT,
            cls=CLASS_OF[check.destination.policy.double_insurance],
            region=other.region,
            held=other.scheme,
        )


def _overlaps(check: PreCheck) -> Iterator[Finding]:
    origin, destination = check.at_origin, check.at_destination
    overlaps = overlapping_months(destination.periods, origin.periods) if origin and destination else ()
    if overlaps:
        yield finding(
            RefusalCode.OVERLAPPING_MONTHS,
            cls=RefusalClass.WARNS,
            region=check.destination.code,
            months=len(overlaps),
            first_month=overlaps[0],
            last_month=overlaps[-1],
        )


CLASS_OF = {
    Treatment.BLOCK: RefusalClass.BLOCKS,
    Treatment.WARN: RefusalClass.WARNS,
    Treatment.CLERK: RefusalClass.MANUAL,
}


def _passing(code: RefusalCode, treatment: Treatment, region: str, retry_on: date, **figures: str | int) -> Finding:
    """A reason that passes with time: where it blocks, another day may help."""
    cls = CLASS_OF[treatment]
    return finding(
        code, side=None, cls=cls, region=region, retry_on=retry_on if cls is RefusalClass.BLOCKS else None, **figures
    )
