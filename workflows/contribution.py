"""Contribution months: a set of calendar months, each paid (actual) or recognised (deemed 视同), in a region's scheme.

A month is a string `YYYY-MM` at the borders and the integer `year * 12 + month - 1` in calculations, where a set of months
is an integer with one bit for each, counted from 1900: unions and sizes of forty years' months cost one operation. Totals are
the size of the union: contribution years are cumulative (社会保险法 art. 32), but no month counts twice.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import date
from functools import reduce
from operator import attrgetter, or_
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from workflows.vocabulary import InsuranceScheme

FIRST_YEAR, LAST_YEAR = 1900, 2100
_RANGE = re.compile(r"(d?)([0-9]{6})(?:-([0-9]{6}))?")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
# The years and months that `month_number` takes: a text of this form compares as the month does.
_PATTERN = "^(19[0-9]{2}|20[0-9]{2}|2100)-(0[1-9]|1[0-2])$"


class MonthsError(ValueError):
    """The text is not a month, or not a list of ranges of months; the message says what is wrong."""


def month_number(month: str) -> int:
    """`YYYY-MM` as `year * 12 + month - 1`. Raises `MonthsError`."""
    match = _MONTH.fullmatch(month)
    if match is None:
        raise MonthsError(f"{month!r} is not a month of the form YYYY-MM")
    return _number(match[1], match[2])


def month_text(number: int) -> str:
    """`year * 12 + month - 1` as `YYYY-MM`."""
    return f"{number // 12:04}-{number % 12 + 1:02}"


def month_of(day: date) -> int:
    """The number of the calendar month of a date."""
    return day.year * 12 + day.month - 1


class ContributionPeriod(BaseModel):
    """Consecutive months of one kind in one region's scheme, `YYYY-MM`, both ends included."""

    model_config = ConfigDict(frozen=True)

    first_month: Annotated[str, Field(pattern=_PATTERN)]
    last_month: Annotated[str, Field(pattern=_PATTERN)]
    deemed: bool
    region: str
    scheme: InsuranceScheme

    @model_validator(mode="after")
    def _runs_forwards(self) -> "ContributionPeriod":
        if self.first_month > self.last_month:
            raise MonthsError(f"{self.first_month} to {self.last_month} runs backwards")
        return self

    @property
    def first(self) -> int:
        """The first month's number."""
        return _number_of(self.first_month)

    @property
    def last(self) -> int:
        """The last month's number."""
        return _number_of(self.last_month)

    @property
    def months(self) -> int:
        """How many months there are."""
        return self.last - self.first + 1


_Kind: TypeAlias = tuple[bool, str, InsuranceScheme]
_Months: TypeAlias = int
_FIRST_MONTH: Final = FIRST_YEAR * 12


def parse_months(text: str, *, region: str, scheme: InsuranceScheme) -> tuple[ContributionPeriod, ...]:
    """Read `201501-202012;d199801-200512`: inclusive ranges or lone months, `d` before deemed ones, in any order.

    The answer is normalised: sorted, adjacent ranges of one kind joined; of an empty text it is empty. Raises
    `MonthsError` on another form, a month that does not exist, a range that runs backwards, and ranges that overlap.
    """
    if not text.strip():
        return ()
    ranges = sorted(_parse_range(piece.strip()) for piece in text.split(";"))
    joined: list[tuple[int, int, bool]] = []
    for first, last, deemed in ranges:
        if joined and first <= joined[-1][1]:
            raise MonthsError(f"{_compact(joined[-1])} and {_compact((first, last, deemed))} overlap")
        if joined and first == joined[-1][1] + 1 and deemed == joined[-1][2]:
            joined[-1] = (joined[-1][0], last, deemed)
        else:
            joined.append((first, last, deemed))
    return tuple(_period(first, last, (deemed, region, scheme)) for first, last, deemed in joined)


def format_months(periods: Iterable[ContributionPeriod]) -> str:
    """The months of all regions and schemes together, normalised, in the form that `parse_months` reads."""
    return ";".join(map(_compact, _marked(*_by_payment(periods))))


def normalise(periods: Iterable[ContributionPeriod]) -> tuple[ContributionPeriod, ...]:
    """The same set of months, each once, as the fewest periods in order.

    Where two periods hold one month, an actual month stands before a deemed one, and then the period named first.
    """
    runs = sorted((*run, kind) for kind, months in _by_kind(periods).items() for run in _runs(months))
    return tuple(_period(first, last, kind) for first, last, kind in runs)


def merge(
    own: Iterable[ContributionPeriod], incoming: Iterable[ContributionPeriod], *, home: str
) -> tuple[ContributionPeriod, ...]:
    """The union of the register of the region `home` and what comes in, normalised; each month keeps region and scheme.

    A month that both hold is kept once, the own one; but an actual month is never lost to a deemed one. Months that come
    home count as actual again.
    """
    own = tuple(own)
    return normalise([*own, *come_home(own, incoming, home)])


def come_home(
    own: Iterable[ContributionPeriod], incoming: Iterable[ContributionPeriod], home: str
) -> Iterator[ContributionPeriod]:
    """What comes in, the deemed months that the region `home` itself once recorded made actual again.

    A month paid in one region is only recognised in the next (视同); back where it was paid, it is a paid one. But the
    own register has the last word on what was never paid: a month that it holds as deemed is left as it is.
    """
    held = _union(own)
    for period in incoming:
        if not period.deemed or period.region != home:
            yield period
            continue
        months = _months_of(period)
        for first, last, deemed in _marked(months & ~held, months & held):
            yield _period(first, last, (deemed, home, period.scheme))


def actual_months(periods: Iterable[ContributionPeriod]) -> int:
    """How many months were paid; a month both actual and deemed counts here."""
    return _by_payment(periods)[0].bit_count()


def deemed_months(periods: Iterable[ContributionPeriod]) -> int:
    """How many months are recognised without payment and not paid as well."""
    return _by_payment(periods)[1].bit_count()


def total_months(periods: Iterable[ContributionPeriod]) -> int:
    """The size of the union."""
    return _union(periods).bit_count()


def overlapping_months(a: Iterable[ContributionPeriod], b: Iterable[ContributionPeriod]) -> tuple[str, ...]:
    """The months that both hold, `YYYY-MM`, in order.

    A month that both have from the same scheme of the same region is one record seen twice (it moved along with an
    earlier transfer), not a month insured twice.
    """
    of_a, of_b = _by_kind(a), _by_kind(b)
    both = reduce(or_, (of_a[x] & of_b[y] for x in of_a for y in of_b if x[1:] != y[1:]), 0)
    return tuple(month_text(month) for first, last in _runs(both) for month in range(first, last + 1))


def months_without_a_break(periods: Iterable[ContributionPeriod], until: date) -> int:
    """How many months of the union follow each other up to the month of `until`.

    Where that month is not held, up to the one before: the last month of cover is often not paid any more.
    """
    last = month_of(until)
    runs = (run for run in _runs(_union(periods)) if run[0] <= last <= run[1] + 1)
    return next((min(end, last) - first + 1 for first, end in runs), 0)


def years_with_a_month(periods: Iterable[ContributionPeriod]) -> frozenset[int]:
    """The calendar years of which at least one month is held."""
    return frozenset(year for first, last in _runs(_union(periods)) for year in range(first // 12, last // 12 + 1))


def gap_months(last_covered: date, begins: date) -> int:
    """Whole calendar months without cover between the last covered day and the day cover begins again; never negative."""
    return max(0, month_of(begins) - month_of(last_covered) - 1)


def _months_of(period: ContributionPeriod) -> _Months:
    return ((1 << period.months) - 1) << (period.first - _FIRST_MONTH)


def _union(periods: Iterable[ContributionPeriod]) -> _Months:
    return reduce(or_, map(_months_of, periods), 0)


def _by_kind(periods: Iterable[ContributionPeriod]) -> dict[_Kind, _Months]:
    """The months by kind, each under one: actual before deemed, and then that of the period named first."""
    found: dict[_Kind, _Months] = {}
    taken = 0
    for period in sorted(periods, key=attrgetter("deemed")):
        kind = (period.deemed, period.region, period.scheme)
        months = _months_of(period) & ~taken
        found[kind] = found.get(kind, 0) | months
        taken |= months
    return found


def _by_payment(periods: Iterable[ContributionPeriod]) -> tuple[_Months, _Months]:
    """The months that were paid, and those that are recognised without."""
    found = [0, 0]
    for period in periods:
        found[period.deemed] |= _months_of(period)
    actual, deemed = found
    return actual, deemed & ~actual


def _runs(months: _Months) -> Iterator[tuple[int, int]]:
    """The first and the last number of each unbroken run of months, in order."""
    first = _FIRST_MONTH
    while months:
        gap = (months & -months).bit_length() - 1
        months >>= gap
        length = (~months & (months + 1)).bit_length() - 1
        months >>= length
        yield first + gap, first + gap + length - 1
        first += gap + length


def _marked(actual: _Months, deemed: _Months) -> list[tuple[int, int, bool]]:
    """The runs of both in one order, each with whether it is deemed."""
    return sorted([*((*run, False) for run in _runs(actual)), *((*run, True) for run in _runs(deemed))])


def _parse_range(piece: str) -> tuple[int, int, bool]:
    match = _RANGE.fullmatch(piece)
    if match is None:
        raise MonthsError(f"{piece[:20]!r} is not a range of the form YYYYMM-YYYYMM")
    deemed, first, last = match.groups()
    first_number = _number(first[:4], first[4:])
    last_number = _number(last[:4], last[4:]) if last else first_number
    if first_number > last_number:
        raise MonthsError(f"{piece} runs backwards")
    return first_number, last_number, bool(deemed)


def _number_of(month: str) -> int:
    """`month_number` of a text that has the form."""
    return int(month[:4]) * 12 + int(month[5:]) - 1


def _number(year: str, month: str) -> int:
    years, months = int(year), int(month)
    if not 1 <= months <= 12:
        raise MonthsError(f"there is no month {month}")
    if not FIRST_YEAR <= years <= LAST_YEAR:
        raise MonthsError(f"year {year} is not between {FIRST_YEAR} and {LAST_YEAR}")
    return years * 12 + months - 1


def _compact(run: tuple[int, int, bool]) -> str:
    first, last, deemed = run
    first_month, last_month = (month_text(month).replace("-", "") for month in (first, last))
    return f"{'d' if deemed else ''}{first_month}-{last_month}"


def _period(first: int, last: int, kind: _Kind) -> ContributionPeriod:
    deemed, region, scheme = kind
    return ContributionPeriod(
        first_month=month_text(first), last_month=month_text(last), deemed=deemed, region=region, scheme=scheme
    )
