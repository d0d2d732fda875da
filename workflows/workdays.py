"""Working days: the State Council's yearly notices as data, and the arithmetic of periods counted by them.

Monday to Friday, less the notices' days off, plus their make-up working days. Past the last published year only the
statutory days of 国务院令第795号 are known, and every answer that rests on them is provisional.
"""

from collections.abc import Iterable
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

SATURDAY = 5
ONE_DAY = timedelta(days=1)


class DayOff(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    date: date
    name: Annotated[str, Field(min_length=1)]


class CalendarYear(BaseModel):
    """One edition of one year's notice; `edition` is `YEAR.N`, N from 1, raised whenever the year was changed in flight.

    `days_off` are the days that the notice names, weekends inside a holiday included; `make_up_days` are the weekends
    on which people work. Both may reach into December of the year before. `notice` is null when its number is unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    year: Annotated[int, Field(ge=2000, le=2199)]
    edition: Annotated[str, Field(pattern=r"^[0-9]{4}\.[1-9][0-9]{0,2}$")]
    notice: Annotated[str, Field(pattern=r"^\S+〔[0-9]{4}〕[0-9]+号$")] | None
    published_on: date
    source: Annotated[str, Field(min_length=1)]
    days_off: Annotated[tuple[DayOff, ...], Field(min_length=1)]
    make_up_days: tuple[date, ...]

    @field_validator("edition")
    @classmethod
    def _edition_is_of_the_year(cls, edition: str, info: ValidationInfo) -> str:
        if "year" in info.data and not edition.startswith(f"{info.data['year']}."):
            raise ValueError(f"must be an edition of {info.data['year']}")
        return edition

    @field_validator("days_off")
    @classmethod
    def _days_off_are_in_the_year(cls, days_off: tuple[DayOff, ...], info: ValidationInfo) -> tuple[DayOff, ...]:
        _check_days(tuple(off.date for off in days_off), info.data.get("year"))
        return days_off

    @field_validator("make_up_days")
    @classmethod
    def _make_up_days_are_weekends(cls, make_up_days: tuple[date, ...], info: ValidationInfo) -> tuple[date, ...]:
        _check_days(make_up_days, info.data.get("year"))
        off = {day_off.date for day_off in info.data.get("days_off", ())}
        for day in make_up_days:
            if day.weekday() < SATURDAY:
                raise ValueError(f"{day} is not a Saturday or Sunday")
            if day in off:
                raise ValueError(f"{day} is a day off too")
        return make_up_days

    @property
    def edition_number(self) -> int:
        return int(self.edition.partition(".")[2])

    def names_a_day_in(self, start: date, end: date) -> bool:
        """Whether the notice says something about a day after `start` up to and including `end`."""
        named = (*(off.date for off in self.days_off), *self.make_up_days)
        return any(start < day <= end for day in named)


class FixedDay(BaseModel):
    """A statutory day on the same date each year."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    month: Annotated[int, Field(ge=1, le=12)]
    day: Annotated[int, Field(ge=1, le=31)]
    name: Annotated[str, Field(min_length=1)]


class StatutoryDays(BaseModel):
    """The days of 国务院令第795号: known for years without a notice. `lunar_days` are listed date by date, 清明 included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    basis: str
    fixed_days: tuple[FixedDay, ...]
    lunar_days: tuple[DayOff, ...]


class WorkingCalendar(BaseModel):
    """The newest edition of each of a run of years, and the statutory days for what lies past it.

    A value: hashable, and JSON that reads back as itself. The look-up sets are built once, at the first question.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    years: Annotated[tuple[CalendarYear, ...], Field(min_length=1)]
    statutory: StatutoryDays
    # Days off that pooling regions have by themselves, by code, beside the State Council's: 广西三月三.
    regional: dict[str, tuple[DayOff, ...]] = {}
    # Those of the region that this calendar is of; a national calendar has none.
    overlay: tuple[DayOff, ...] = ()

    def __hash__(self) -> int:
        """Without `regional`: a dictionary has no hash, and equal calendars hash alike all the same."""
        return (self.years, self.statutory, self.overlay).__hash__()

    @model_validator(mode="after")
    def _years_follow_each_other(self) -> Self:
        years = [year.year for year in self.years]
        if years != list(range(years[0], years[0] + len(years))):
            raise ValueError(f"years must follow each other without a hole, one edition each: {years}")
        return self

    @classmethod
    def of(cls, editions: Iterable[CalendarYear], statutory: StatutoryDays) -> Self:
        """The calendar of the newest edition of each year, whatever their order."""
        newest: dict[int, CalendarYear] = {}
        for edition in sorted(editions, key=lambda each: (each.year, each.edition_number)):
            newest[edition.year] = edition
        return cls(years=tuple(newest.values()), statutory=statutory)

    def since(self, day: date) -> Self:
        """The same calendar without the years before `day`'s: small enough to travel. `day` past the last year keeps that."""
        kept = tuple(year for year in self.years if year.year >= day.year) or self.years[-1:]
        return type(self)(years=kept, statutory=self.statutory, regional=self.regional, overlay=self.overlay)

    def of_region(self, code: str) -> Self:
        """The same calendar as the agency of region `code` counts by: with the region's own days off."""
        overlay = self.regional.get(code, ())
        if overlay == self.overlay:
            return self
        of_region = self.model_copy(update={"overlay": overlay})
        # A copy brings along what was looked up before; of another region's days that would be wrong.
        vars(of_region).pop("overlay_days", None)
        return of_region

    @cached_property
    def first_day(self) -> date:
        return date(self.years[0].year, 1, 1)

    @cached_property
    def last_published_day(self) -> date:
        return date(self.years[-1].year, 12, 31)

    @cached_property
    def days_off(self) -> dict[date, str]:
        """The name of each day off that has a date of its own: the notices', and past them the lunar ones."""
        published = {off.date: off.name for year in self.years for off in year.days_off}
        statutory = {off.date: off.name for off in self.statutory.lunar_days if off.date > self.last_published_day}
        return published | statutory

    @cached_property
    def overlay_days(self) -> dict[date, str]:
        """The name of each day off of the region that this calendar is of."""
        return {off.date: off.name for off in self.overlay}

    @cached_property
    def make_up_days(self) -> frozenset[date]:
        return frozenset(day for year in self.years for day in year.make_up_days)

    @cached_property
    def fixed_days(self) -> dict[tuple[int, int], str]:
        """The name of each statutory day on the same date each year, by month and day."""
        return {(fixed.month, fixed.day): fixed.name for fixed in self.statutory.fixed_days}

    def published(self, day: date) -> bool:
        """Whether a notice covers `day`; false means that answers about it are provisional."""
        return self.first_day <= day <= self.last_published_day

    def is_working_day(self, day: date) -> bool:
        """Raises ValueError before the first year: nothing is known of it, and a guess would be a wrong deadline."""
        if day < self.first_day:
            raise ValueError(f"no working-day table for {day}: the first year is {self.first_day.year}")
        if self.overlay and day in self.overlay_days:
            return False
        if day.weekday() >= SATURDAY:
            return day in self.make_up_days
        if day in self.days_off:
            return False
        return day <= self.last_published_day or (day.month, day.day) not in self.fixed_days

    def name_of_day_off(self, day: date) -> str | None:
        """What the notice, or past the last one the statute, calls a day off; None for days that they do not name."""
        if day > self.last_published_day and (day.month, day.day) in self.fixed_days:
            return self.fixed_days[day.month, day.day]
        return self.days_off.get(day)

    def next_working_day(self, day: date) -> date:
        """The first working day after `day`."""
        return self.add_working_days(day, 1)

    def add_working_days(self, start: date, n: int) -> date:
        """The nth working day after `start`, which is day 0 (民法典 art. 201) and need not be one; before it when n < 0.

        n = 0 is `start` itself. Raises ValueError before the first year.
        """
        step = ONE_DAY if n >= 0 else -ONE_DAY
        is_working_day = self.is_working_day
        day, left = start, abs(n)
        while left:
            day += step
            left -= is_working_day(day)
        return day

    def working_days_between(self, a: date, b: date) -> int:
        """How many working days lie after `a` up to and including `b`; negative when b < a. Linear in the days between."""
        if b < a:
            return -self.working_days_between(b, a)
        return sum(self.is_working_day(a + timedelta(days=offset)) for offset in range(1, (b - a).days + 1))

    def edition_for(self, start: date, end: date) -> str:
        """The edition that a span from `start` to `end` is reckoned by: that of `end`'s year, else the last published."""
        if not self.first_day <= start <= end:
            raise ValueError(f"not a span of this calendar: {start} to {end}")
        index = min(end.year, self.last_published_day.year) - self.first_day.year
        return self.years[index].edition

    def editions_for(self, start: date, end: date) -> tuple[str, ...]:
        """Every edition that a span from `start` to `end` is reckoned by, the last published one for what lies past it.

        The next year's is among them when it names a December day of the span.
        """
        if not self.first_day <= start <= end:
            raise ValueError(f"not a span of this calendar: {start} to {end}")
        first, last = (min(day.year, self.last_published_day.year) for day in (start, end))
        return tuple(
            year.edition
            for year in self.years
            if first <= year.year <= last or (year.year == last + 1 and year.names_a_day_in(start, end))
        )

    def is_behind(self, editions: Iterable[str]) -> bool:
        """Whether one of `editions` is newer than this calendar: of a later year, or a higher one of the same year."""
        newest = {year.year: year.edition_number for year in self.years}
        named = (edition.partition(".") for edition in editions)
        return any(int(number) > newest.get(int(year), 0) for year, _, number in named)


class DueDate(BaseModel):
    """The last day of a period. `provisional`: it lies past the last published year and may move with the notice."""

    model_config = ConfigDict(frozen=True)

    due_on: date
    provisional: bool
    edition: str


def due_on(start_on: date, working_days: int, calendar: WorkingCalendar) -> DueDate:
    """The due date of a period of `working_days` (one or more) from `start_on`, day 0; it ends at 24:00 (民法典 art. 203)."""
    if working_days < 1:
        raise ValueError(f"a period has one working day or more, not {working_days}")
    due = calendar.add_working_days(start_on, working_days)
    return DueDate(
        due_on=due,
        provisional=not calendar.published(due),
        edition=calendar.edition_for(start_on, due),
    )


def _check_days(days: tuple[date, ...], year: int | None) -> None:
    """Days of a notice rise without repeats, and lie in its year or in the December before (元旦 2019 began on 30 December)."""
    for earlier, later in pairwise(days):
        if later <= earlier:
            raise ValueError(f"dates must rise without repeats: {later} follows {earlier}")
    for day in days:
        if year is not None and day.year != year and (day.year, day.month) != (year - 1, 12):
            raise ValueError(f"{day} is not in {year}")
