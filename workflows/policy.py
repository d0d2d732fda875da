"""What a region may decide for itself, with the defaults of the law. The values are data in the region directory."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workflows.law import PLATFORM_PERIODS
from workflows.vocabulary import TransferStepKind


class Treatment(StrEnum):
    """What a finding of a configurable kind does."""

    BLOCK = "block"
    WARN = "warn"
    IGNORE = "ignore"
    CLERK = "clerk"


class WaitingPolicy(BaseModel, frozen=True, extra="forbid"):
    """No wait up to `free_gap_months` without cover; after a longer gap `months` of waiting (43号: at most 6)."""

    free_gap_months: Annotated[int, Field(ge=3, le=12)] = 3
    months: Annotated[int, Field(ge=0, le=6)] = 6


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
