"""The proof of a deadline, as anybody can count it again."""

from datetime import date
from typing import Any

import strawberry

from workflows.deadlines import PauseReason
from workflows.proof import DayReason

# The names of the field, and no others, in the API.
ProofDayReason: Any = strawberry.enum(
    DayReason, name="ProofDayReason", description="Why a day uses up a day of the period, or does not."
)
ClockPauseReason: Any = strawberry.enum(
    PauseReason, name="ClockPauseReason", description="Why a clock stood still, or stands still."
)


@strawberry.type
class ProofDay:
    date: date
    counted: bool
    number: int | None = strawberry.field(description="The how-manieth day of the period; null when skipped.")
    reason: ProofDayReason
    words: str = strawberry.field(
        description="The reason, ready to show: a holiday by its name, a pause with why the clock stood still."
    )


@strawberry.type(description="One edition of a year's working-day table.")
class CalendarEdition:
    edition: str
    notice: str | None = strawberry.field(description="Number of the State Council's notice; null when it is unknown.")
    published_on: date


@strawberry.type(description="The days after `from` up to and including `to` are left out.")
class ClockPause:
    from_: date = strawberry.field(name="from")
    to: date | None = strawberry.field(description="Null while the clock stands still.")
    reason: ClockPauseReason
    words: str


@strawberry.type(
    description="Budget, start, pauses and the editions that the deadline names, counted again day by day. While a clock "
    "stands still its last day is what it would be if the pause had ended at once."
)
class DeadlineProof:
    legal_basis: str = strawberry.field(description="Document and article the period comes from.")
    starts_on: date = strawberry.field(description="Day 0, which is not counted (民法典 art. 201).")
    start_event_seq: int | None = strawberry.field(
        description="The `seq` of the event that started the clock; null for cases of the first release."
    )
    working_days: int
    days: list[ProofDay] = strawberry.field(description="Every day from the day after the start to the due date.")
    due_on: date = strawberry.field(description="The last day counted; it ends at 24:00 (民法典 art. 203).")
    provisional: bool
    editions: list[CalendarEdition] = strawberry.field(description="The working-day tables counted by, by year.")
    pauses: list[ClockPause]
