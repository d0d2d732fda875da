"""The working-day tables that come with the package, and the reading of a new one."""

from functools import cache
from pathlib import Path

from pydantic import ValidationError

from workflows.workdays import CalendarYear, StatutoryDays, WorkingCalendar

CALENDAR_FILES = Path(__file__).parent / "data" / "calendar"


class CalendarFileError(ValueError):
    """A year's table cannot be used. `field` is the path of what is wrong (`days_off.3.date`), empty for the whole file."""

    def __init__(self, field: str, reason: str) -> None:
        self.field = field
        self.reason = reason
        super().__init__(f"{field}: {reason}" if field else reason)


@cache
def published_editions() -> tuple[CalendarYear, ...]:
    """Every edition 2010–2026, superseded ones included, by year and number."""
    files = CALENDAR_FILES.glob("[0-9]*.json")
    editions = (parse_calendar_year(file.read_text(encoding="utf-8")) for file in files)
    return tuple(sorted(editions, key=lambda edition: (edition.year, edition.edition_number)))


@cache
def statutory_days() -> StatutoryDays:
    """The days of 国务院令第795号, with lunar dates to 2035."""
    return StatutoryDays.model_validate_json((CALENDAR_FILES / "statutory.json").read_text(encoding="utf-8"))


@cache
def published_calendar() -> WorkingCalendar:
    """The newest edition of each year that comes with the package."""
    return WorkingCalendar.of(published_editions(), statutory_days())


def parse_calendar_year(text: str) -> CalendarYear:
    """One year's table from JSON. Raises CalendarFileError for the first thing wrong with it."""
    try:
        return CalendarYear.model_validate_json(text, strict=True)
    except ValidationError as invalid:
        first = invalid.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise CalendarFileError(field, first["msg"].removeprefix("Value error, ")) from None
