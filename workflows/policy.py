"""What a region may decide for itself, with the defaults of the law. The values are data in the region directory."""

from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from workflows.cycle import CYCLE_PATTERN, IMMEDIATE
from workflows.law import (
    FREE_GAP_MONTHS,
    LONGEST_WAIT_MONTHS,
    PERIODS,
    RESIDENT_WAIT_MONTHS,
    RESIDENT_WAIT_PER_MISSED_YEAR,
)
from workflows.vocabulary import InsuranceScheme, TransferStepKind
from workflows.workdays import DayOff


class Treatment(StrEnum):
    """What a finding of a configurable kind does."""

    BLOCK = "block"
    WARN = "warn"
    IGNORE = "ignore"
    CLERK = "clerk"


ALLOWED_TREATMENTS: Final = {
    "arrears": (Treatment.WARN, Treatment.BLOCK),
    "current_month_unpaid": (Treatment.BLOCK, Treatment.WARN, Treatment.IGNORE),
    "unsettled_claims": (Treatment.BLOCK, Treatment.WARN),
    "doubtful_identity": (Treatment.BLOCK, Treatment.CLERK),
    "double_insurance": (Treatment.BLOCK, Treatment.CLERK),
    "invalid_certificate": (Treatment.BLOCK, Treatment.CLERK),
}
# Working days by step on the route that gives it more of them: no region may say more.
LONGEST_PERIODS: Final = {
    step: max(periods[step].working_days for periods in PERIODS.values() if step in periods)
    for step in TransferStepKind
    if any(step in periods for periods in PERIODS.values())
}


class WaitingPolicy(BaseModel, frozen=True, extra="forbid"):
    """How R lets a person wait for benefits after a gap in cover: as the law does by default, or more kindly, never longer.

    No wait up to `free_gap_months` without cover; else `months` (43号), in the resident scheme from 2025 `resident_months`
    and `resident_months_per_missed_year` for each calendar year without cover (38号). `ratio` is the share of the benefits
    that is paid during the wait, None when there are none. `retroactive`: once the gap is paid, its benefits are too.
    """

    free_gap_months: Annotated[int, Field(ge=FREE_GAP_MONTHS, le=12)] = FREE_GAP_MONTHS
    months: Annotated[int, Field(ge=0, le=LONGEST_WAIT_MONTHS)] = LONGEST_WAIT_MONTHS
    resident_months: Annotated[int, Field(ge=0, le=RESIDENT_WAIT_MONTHS)] = RESIDENT_WAIT_MONTHS
    resident_months_per_missed_year: Annotated[int, Field(ge=0, le=RESIDENT_WAIT_PER_MISSED_YEAR)] = (
        RESIDENT_WAIT_PER_MISSED_YEAR
    )
    # A decimal as text, in whole percents above none and below all: "0.5", "0.65".
    ratio: Annotated[str, Field(pattern="^0[.](0[1-9]|[1-9][0-9]?)$")] | None = None
    retroactive: bool = False


class Disposition(StrEnum):
    """What becomes of the balance of the personal account when its holder leaves."""

    REMIT = "remit"
    PAY_OUT = "pay_out"
    RETAIN = "retain"


class DispositionRule(BaseModel, frozen=True, extra="forbid"):
    """A disposition for one direction or province pair. What is left out matches everything."""

    from_scheme: InsuranceScheme | None = None
    to_scheme: InsuranceScheme | None = None
    to_province: str | None = None
    disposition: Disposition

    def matches(self, *, from_scheme: InsuranceScheme, to_scheme: InsuranceScheme, to_province: str) -> bool:
        wanted = (self.from_scheme, self.to_scheme, self.to_province)
        return all(
            each in (None, said) for each, said in zip(wanted, (from_scheme, to_scheme, to_province), strict=True)
        )

    def covers(self, other: "DispositionRule") -> bool:
        """Whether this rule matches whatever `other` does."""
        own = (self.from_scheme, self.to_scheme, self.to_province)
        others = (other.from_scheme, other.to_scheme, other.to_province)
        return all(mine in (None, theirs) for mine, theirs in zip(own, others, strict=True))


class Receipt(StrEnum):
    """Who confirms that money has come: the payee's finance, or the bank's own advice."""

    BY_FINANCE = "by_finance"
    BY_ADVICE = "by_advice"


class ActingPerson(StrEnum):
    """Whom a region's agency accepts as the person for whom its system acts."""

    PLAIN = "plain"
    DIRECTORY = "directory"
    SIGNED = "signed"


class Direction(BaseModel, frozen=True, extra="forbid"):
    """A kind of transfer: from which scheme to which."""

    from_scheme: InsuranceScheme
    to_scheme: InsuranceScheme


class RegionPolicy(BaseModel):
    """One edition of a region's policy. `shortened_periods`: working days by step, fewer than the law's, never more.

    `open_for` lists the kinds of transfer that the region takes, None for all. `register_available` is false while the
    region's register is out of service. `certificate_months`: how long a certificate of the region is valid, None for
    ever. An order of more than `release_threshold_fen` is released by another person than its maker, None for no order.
    `bank_limit_fen`: the most that the region's bank takes in one payment, None without a limit. `disposition`: the first
    rule that matches decides, none means that the balance is remitted. `acting_person`: whether the person for whom the
    agency's system acts may be named by the request, only from the agency's directory of staff, or only by the token.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    connected: bool = True
    open_for: tuple[Direction, ...] | None = None
    register_available: bool = True
    arrears: Treatment = Treatment.WARN
    current_month_unpaid: Treatment = Treatment.BLOCK
    unsettled_claims: Treatment = Treatment.BLOCK
    doubtful_identity: Treatment = Treatment.BLOCK
    double_insurance: Treatment = Treatment.BLOCK
    invalid_certificate: Treatment = Treatment.BLOCK
    certificate_months: Annotated[int, Field(ge=1, le=12)] | None = None
    form_needs_checker: bool = False
    release_threshold_fen: Annotated[int, Field(ge=0, le=10**12)] | None = None
    acting_person: ActingPerson = ActingPerson.PLAIN
    receipt: Receipt = Receipt.BY_FINANCE
    bank_limit_fen: Annotated[int, Field(ge=1, le=10**12)] | None = None
    disposition: tuple[DispositionRule, ...] = ()
    # On which days the region's orders go to the bank: immediate, daily, monthly:N.
    remittance_cycle: Annotated[str, Field(pattern=CYCLE_PATTERN)] = IMMEDIATE
    shortened_periods: dict[TransferStepKind, int] = {}
    regional_holidays: tuple[DayOff, ...] = ()
    waiting: WaitingPolicy = WaitingPolicy()

    @field_validator(*ALLOWED_TREATMENTS)
    @classmethod
    def _the_law_leaves_the_choice(cls, treatment: Treatment, info: ValidationInfo) -> Treatment:
        allowed = ALLOWED_TREATMENTS[info.field_name or ""]
        if treatment not in allowed:
            raise ValueError(f"{info.field_name} may be {' or '.join(allowed)}, not {treatment}")
        return treatment

    @field_validator("shortened_periods")
    @classmethod
    def _periods_are_shortened_never_lengthened(
        cls, periods: dict[TransferStepKind, int]
    ) -> dict[TransferStepKind, int]:
        for step, days in periods.items():
            limit = LONGEST_PERIODS.get(step)
            if limit is None:
                raise ValueError(f"{step} is done at once: it has no period to shorten")
            if not 1 <= days <= limit:
                raise ValueError(f"{step} may be shortened to 1 … {limit} working days, not {days}")
        return periods

    @field_validator("disposition")
    @classmethod
    def _every_rule_can_match(cls, rules: tuple[DispositionRule, ...]) -> tuple[DispositionRule, ...]:
        for later, rule in enumerate(rules):
            for earlier in range(later):
                if rules[earlier].covers(rule):
                    raise ValueError(f"rule {later + 1} can never match: rule {earlier + 1} takes all of its cases")
        return rules

    @field_validator("regional_holidays")
    @classmethod
    def _holidays_rise(cls, holidays: tuple[DayOff, ...]) -> tuple[DayOff, ...]:
        for earlier, later in pairwise(holidays):
            if later.date <= earlier.date:
                raise ValueError(f"dates must rise without repeats: {later.date} follows {earlier.date}")
        return holidays

    def takes(self, from_scheme: InsuranceScheme, to_scheme: InsuranceScheme) -> bool:
        """Whether the region is open for this kind of transfer."""
        return self.open_for is None or Direction(from_scheme=from_scheme, to_scheme=to_scheme) in self.open_for

    def disposition_of(
        self, *, from_scheme: InsuranceScheme, to_scheme: InsuranceScheme, to_province: str
    ) -> Disposition:
        """What becomes of a balance that leaves this region for `to_province`."""
        said = {"from_scheme": from_scheme, "to_scheme": to_scheme}
        matching = (rule for rule in self.disposition if rule.matches(**said, to_province=to_province))
        return next((rule.disposition for rule in matching), Disposition.REMIT)
