"""Contribution months against a model that is nothing but sets of month numbers."""

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workflows.contribution import (
    ContributionPeriod,
    MonthsError,
    actual_months,
    deemed_months,
    format_months,
    gap_months,
    merge,
    month_number,
    month_text,
    months_without_a_break,
    normalise,
    overlapping_months,
    parse_months,
    total_months,
    years_with_a_month,
)
from workflows.vocabulary import InsuranceScheme

EMPLOYEE, RESIDENT = InsuranceScheme.EMPLOYEE, InsuranceScheme.RESIDENT
# The region whose register takes the months in; the other periods are of 110000.
HOME = "319900"


def period(first: str, last: str, *, deemed: bool = False, region: str = "110000") -> ContributionPeriod:
    return ContributionPeriod(first_month=first, last_month=last, deemed=deemed, region=region, scheme=EMPLOYEE)


def parse(text: str) -> tuple[ContributionPeriod, ...]:
    return parse_months(text, region="110000", scheme=EMPLOYEE)


@st.composite
def any_periods(draw: st.DrawFn) -> tuple[ContributionPeriod, ...]:
    found = []
    for _ in range(draw(st.integers(0, 5))):
        first = draw(st.integers(1990 * 12, 1996 * 12))
        found.append(
            ContributionPeriod(
                first_month=month_text(first),
                last_month=month_text(first + draw(st.integers(0, 18))),
                deemed=draw(st.booleans()),
                region=draw(st.sampled_from(["110000", "319900"])),
                scheme=draw(st.sampled_from(list(InsuranceScheme))),
            )
        )
    return tuple(found)


def months_of(periods: tuple[ContributionPeriod, ...], *, deemed: bool) -> set[int]:
    return {m for p in periods if p.deemed is deemed for m in range(p.first, p.last + 1)}


def test_ranges_are_inclusive_sorted_and_marked_when_deemed() -> None:
    assert parse("202203-202510;d200001-200512;201501-202012") == (
        period("2000-01", "2005-12", deemed=True),
        period("2015-01", "2020-12"),
        period("2022-03", "2025-10"),
    )


def test_a_lone_month_is_a_range_of_one() -> None:
    assert parse("202203") == (period("2022-03", "2022-03"),)


def test_an_empty_text_holds_no_month() -> None:
    assert parse("") == parse("  ") == ()


def test_adjacent_ranges_of_one_kind_are_joined_and_of_two_kinds_are_not() -> None:
    assert parse("202001-202012;202101-202106") == (period("2020-01", "2021-06"),)
    assert parse("d202001-202012;202101-202106") == (
        period("2020-01", "2020-12", deemed=True),
        period("2021-01", "2021-06"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("202012-201501", "202012-201501 runs backwards"),
        ("201501-202012;202012-202103", "201501-202012 and 202012-202103 overlap"),
        ("201501-202012;d201601", "201501-202012 and d201601-201601 overlap"),
        ("201513-202012", "there is no month 13"),
        ("201500", "there is no month 00"),
        ("020101-020112", "year 0201 is not between 1900 and 2100"),
        ("2015-01", "'2015-01' is not a range of the form YYYYMM-YYYYMM"),
        ("201501-202012;", "'' is not a range of the form YYYYMM-YYYYMM"),
        ("D201501", "'D201501' is not a range of the form YYYYMM-YYYYMM"),
        ("２０１５０１", "'２０１５０１' is not a range of the form YYYYMM-YYYYMM"),  # full-width digits
    ],
)
def test_what_is_no_list_of_months_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(MonthsError) as error:
        parse(text)
    assert str(error.value) == message


@pytest.mark.parametrize(("first", "last"), [("2020-02", "2020-01"), ("2020-13", "2021-01"), ("202001", "202002")])
def test_a_period_that_is_none_cannot_be_made(first: str, last: str) -> None:
    with pytest.raises(ValidationError):
        period(first, last)


def test_a_month_both_actual_and_deemed_counts_once_as_actual() -> None:
    both = (period("2020-01", "2020-12", deemed=True), period("2020-07", "2021-03"))
    assert (actual_months(both), deemed_months(both), total_months(both)) == (9, 6, 15)


def test_merging_keeps_the_own_month_and_where_each_month_came_from() -> None:
    own, incoming = period("2020-01", "2020-06", region="319900"), period("2019-11", "2020-02")
    assert merge([own], [incoming], home=HOME) == (period("2019-11", "2019-12"), own)
    assert overlapping_months([own], [incoming]) == ("2020-01", "2020-02")


def test_an_actual_month_is_not_lost_to_an_own_deemed_one() -> None:
    own, incoming = period("2020-01", "2020-03", deemed=True, region="319900"), period("2020-02", "2020-02")
    assert merge([own], [incoming], home=HOME) == (
        period("2020-01", "2020-01", deemed=True, region="319900"),
        incoming,
        period("2020-03", "2020-03", deemed=True, region="319900"),
    )


def test_months_that_come_home_deemed_count_as_actual_again() -> None:
    """Paid here, recognised by 110000 as deemed after a transfer, and now brought back."""
    returned = period("2010-01", "2012-12", deemed=True, region=HOME)
    since = period("2013-01", "2019-12")
    home_again = (period("2010-01", "2012-12", region=HOME), since)
    assert merge([], [returned, since], home=HOME) == home_again
    # Whether or not the own register kept them.
    assert merge([period("2010-01", "2012-12", region=HOME)], [returned, since], home=HOME) == home_again
    assert merge([period("2010-01", "2010-06", region=HOME)], [returned, since], home=HOME) == home_again


def test_a_month_that_the_own_register_has_as_actual_counts_as_actual_whoever_calls_it_deemed() -> None:
    own, recognised = period("2010-01", "2010-12", region=HOME), period("2010-01", "2010-12", deemed=True)
    assert merge([own], [recognised], home=HOME) == (own,)


def test_a_chain_through_a_third_region_comes_home_as_well() -> None:
    through_c = (period("2010-01", "2010-12", deemed=True, region=HOME), period("2011-01", "2011-12", region="440100"))
    assert merge([], through_c, home=HOME) == (period("2010-01", "2010-12", region=HOME), through_c[1])


def test_a_month_deemed_by_the_own_register_was_never_paid_and_comes_home_as_it_went() -> None:
    own = period("1998-01", "1998-06", deemed=True, region=HOME)
    returned = period("1998-04", "1998-09", deemed=True, region=HOME)
    merged = merge([own], [returned], home=HOME)
    assert merged == (own, period("1998-07", "1998-09", region=HOME))


def test_months_deemed_elsewhere_stay_deemed() -> None:
    deemed = period("1998-01", "1998-06", deemed=True)
    assert merge([], [deemed], home=HOME) == (deemed,)


def test_a_record_that_moved_along_and_came_back_is_seen_twice_and_not_insured_twice() -> None:
    own, returned = period("2010-01", "2012-12", region=HOME), period("2011-01", "2013-06", deemed=True, region=HOME)
    assert overlapping_months([own], [returned]) == ()
    resident = returned.model_copy(update={"scheme": RESIDENT, "last_month": "2011-02"})
    assert overlapping_months([own], [resident]) == ("2011-01", "2011-02")


@pytest.mark.parametrize(
    ("text", "until", "count"),
    [
        ("202401-202512", date(2025, 12, 31), 24),
        ("202401-202512", date(2025, 12, 1), 24),
        ("202401-202512", date(2025, 6, 30), 18),
        # The month of the stop is not paid any more.
        ("202401-202512", date(2026, 1, 15), 24),
        ("202401-202512", date(2026, 2, 1), 0),
        ("202301-202406;202408-202512", date(2025, 12, 31), 17),
        ("d202301-202406;202407-202512", date(2025, 12, 31), 36),
        ("202401-202512", date(2023, 12, 31), 0),
        ("", date(2025, 12, 31), 0),
    ],
)
def test_months_without_a_break_are_counted_back_from_the_stop(text: str, until: date, count: int) -> None:
    assert months_without_a_break(parse(text), until) == count


def test_the_years_with_a_month() -> None:
    assert years_with_a_month(parse("202012-202101;202306")) == {2020, 2021, 2023}


def test_months_of_several_regions_are_written_as_one_list() -> None:
    assert (
        format_months([period("2020-07", "2020-12", region="319900"), period("2020-01", "2020-06")]) == "202001-202012"
    )


@pytest.mark.parametrize(
    ("last_covered", "begins", "months"),
    [
        (date(2025, 10, 31), date(2025, 11, 1), 0),
        (date(2025, 10, 1), date(2025, 11, 30), 0),
        (date(2025, 10, 31), date(2026, 1, 1), 2),
        (date(2025, 10, 31), date(2025, 10, 31), 0),
        (date(2025, 10, 31), date(2024, 1, 1), 0),
    ],
)
def test_a_gap_is_the_whole_months_in_between(last_covered: date, begins: date, months: int) -> None:
    assert gap_months(last_covered, begins) == months


@given(any_periods())
def test_totals_are_those_of_the_sets(periods: tuple[ContributionPeriod, ...]) -> None:
    actual, deemed = months_of(periods, deemed=False), months_of(periods, deemed=True)
    assert actual_months(periods) == len(actual)
    assert deemed_months(periods) == len(deemed - actual)
    assert total_months(periods) == len(actual | deemed)


@given(any_periods())
def test_normalising_changes_no_month_leaves_no_overlap_and_is_final(periods: tuple[ContributionPeriod, ...]) -> None:
    once = normalise(periods)
    assert months_of(once, deemed=False) == months_of(periods, deemed=False)
    assert months_of(once, deemed=True) == months_of(periods, deemed=True) - months_of(periods, deemed=False)
    assert all(a.last < b.first for a, b in itertools.pairwise(once))
    assert normalise(once) == once


@given(any_periods())
def test_what_is_written_is_read_back(periods: tuple[ContributionPeriod, ...]) -> None:
    read = parse(format_months(periods))
    assert months_of(read, deemed=False) == months_of(periods, deemed=False)
    assert total_months(read) == total_months(periods)
    assert format_months(read) == format_months(periods)


@given(any_periods(), any_periods())
def test_a_merge_is_the_union_and_loses_no_paid_month(
    own: tuple[ContributionPeriod, ...], incoming: tuple[ContributionPeriod, ...]
) -> None:
    merged = merge(own, incoming, home=HOME)
    assert total_months(merged) == total_months([*own, *incoming])
    paid = months_of(own, deemed=False) | months_of(incoming, deemed=False)
    recognised_of_home = months_of(tuple(p for p in incoming if p.region == HOME), deemed=True)
    came_home = recognised_of_home - months_of(own, deemed=True)
    assert months_of(merged, deemed=False) == paid | came_home
    assert months_of(merged, deemed=True) == (
        (months_of(own, deemed=True) | months_of(incoming, deemed=True)) - paid - came_home
    )
    # What was merged once is merged: the same form again changes nothing.
    assert merge(merged, incoming, home=HOME) == merged


@given(any_periods(), any_periods())
def test_without_months_that_come_home_the_totals_do_not_depend_on_the_side(
    own: tuple[ContributionPeriod, ...], incoming: tuple[ContributionPeriod, ...]
) -> None:
    merged, other = merge(own, incoming, home="440100"), merge(incoming, own, home="440100")
    assert total_months(merged) == total_months(other)
    assert actual_months(merged) == actual_months(other) == actual_months([*own, *incoming])


@given(any_periods(), any_periods())
def test_overlaps_are_the_months_of_both_that_are_not_one_record(
    own: tuple[ContributionPeriod, ...], incoming: tuple[ContributionPeriod, ...]
) -> None:
    overlaps = overlapping_months(own, incoming)
    numbers = [month_number(month) for month in overlaps]
    of_own, of_incoming = places_of(own), places_of(incoming)
    assert numbers == sorted(month for month in of_own.keys() & of_incoming if of_own[month] != of_incoming[month])
    assert overlapping_months(incoming, own) == overlaps


@given(any_periods(), st.integers(1990 * 12, 1998 * 12))
def test_months_without_a_break_against_counting_back_one_by_one(
    periods: tuple[ContributionPeriod, ...], month: int
) -> None:
    held = months_of(periods, deemed=False) | months_of(periods, deemed=True)
    counted = 0
    expected_from = month if month in held else month - 1
    while expected_from - counted in held:
        counted += 1
    assert months_without_a_break(periods, date(month // 12, month % 12 + 1, 28)) == counted


def places_of(periods: tuple[ContributionPeriod, ...]) -> dict[int, tuple[str, InsuranceScheme]]:
    """Each month once, where the first actual one, or else the first, has it from."""
    places: dict[int, tuple[str, InsuranceScheme]] = {}
    for period in sorted(periods, key=lambda each: each.deemed):
        for month in range(period.first, period.last + 1):
            places.setdefault(month, (period.region, period.scheme))
    return places
