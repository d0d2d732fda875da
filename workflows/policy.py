"""What a region may decide for itself, with the defaults of the law. The values are data in the region directory."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workflows.law import (
    FREE_GAP_MONTHS,
    LONGEST_WAIT_MONTHS,
    PLATFORM_PERIODS,
    RESIDENT_WAIT_MONTHS,
    RESIDENT_WAIT_PER_MISSED_YEAR,
)
from workflows.vocabulary import TransferStepKind


class Treatment(StrEnum):
    """What a finding of a configurable kind does."""

    BLOCK = "block"
    WARN = "warn"
    IGNORE = "ignore"
    CLERK = "clerk"


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


class RegionPolicy(BaseModel):
    """One edition of a region's policy. `shortened_periods`: working days by step, fewer than the law's, never more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connected: bool = True
    arrears: Treatment = Treatment.WARN
    current_month_unpaid: Treatment = Treatment.BLOCK
    unsettled_claims: Treatment = Treatment.BLOCK
    doubtful_identity: Treatment = Treatment.BLOCK
    double_insurance: Treatment = Treatment.BLOCK
    shortened_periods: dict[TransferStepKind, int] = {}
    waiting: WaitingPolicy = WaitingPolicy()

    @model_validator(mode="after")
    def _allowed_values(self) -> Self:
        for name, allowed in ALLOWED_TREATMENTS.items():
            value = getattr(self, name)
            if value not in allowed:
                raise ValueError(f"{name} may be {' or '.join(allowed)}, not {value}")
        for step, days in self.shortened_periods.items():
            limit = PLATFORM_PERIODS[step].working_days if step in PLATFORM_PERIODS else 0
            if not 1 <= days <= limit:
                raise ValueError(f"shortened_periods: {step} may be shortened to 1 … {limit} working days, not {days}")
        return self


ALLOWED_TREATMENTS = {
    "arrears": (Treatment.WARN, Treatment.BLOCK),
    "current_month_unpaid": (Treatment.BLOCK, Treatment.WARN, Treatment.IGNORE),
    "unsettled_claims": (Treatment.BLOCK, Treatment.WARN),
    "doubtful_identity": (Treatment.BLOCK, Treatment.CLERK),
    "double_insurance": (Treatment.BLOCK, Treatment.CLERK),
}
