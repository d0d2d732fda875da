"""Working days against two public packages, the vectors of the law, editions, and years that no notice covers."""

from datetime import date, timedelta

import chinese_calendar
import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from activities.calendar_data import (
    CALENDAR_FILES,
    CalendarFileError,
    parse_calendar_year,
    published_calendar,
    published_editions,
    statutory_days,
)
from workflows.workdays import CalendarYear, DueDate, WorkingCalendar, due_on

FIRST, LAST = date(2010, 1, 1), date(2026, 12, 31)
DAYS = [FIRST + timedelta(days=offset) for offset in range((LAST - FIRST).days + 1)]
CALENDAR = published_calendar()

any_day = st.dates(min_value=FIRST, max_value=date(2035, 12, 31))


def edition(name: str) -> CalendarYear:
    return next(each for each in published_editions() if each.edition == name)


def calendar_with(*names: str) -> WorkingCalendar:
    return WorkingCalendar.of([edition(name) for name in names], statutory_days())


class TestTheTable:
    def test_every_day_2010_to_2026_agrees_with_chinesecalendar(self) -> None:
        assert len(DAYS) == 6209
        assert [day for day in DAYS if CALENDAR.is_working_day(day) != chinese_calendar.is_workday(day)] == []

    def test_every_day_2010_to_2026_agrees_with_holidays(self) -> None:
        china = holidays.country_holidays("CN", years=range(2010, 2027))
        assert [day for day in DAYS if CALENDAR.is_working_day(day) != china.is_working_day(day)] == []

    def test_each_notice_gives_as_many_days_as_its_text(self) -> None:
        assert {each.edition: (len(each.days_off), len(each.make_up_days)) for each in published_editions()} == {
            "2010.1": (29, 8),
            "2011.1": (29, 5),
            "2012.1": (27, 7),
            "2013.1": (29, 12),
            "2014.1": (22, 5),
            "2015.1": (23, 4),
            "2015.2": (26, 5),
            "2016.1": (24, 6),
            "2017.1": (24, 5),
            "2018.1": (23, 6),
            "2019.1": (21, 5),
            "2019.2": (24, 7),
            "2020.1": (27, 7),
            "2020.2": (30, 6),
            "2021.1": (31, 7),
            "2022.1": (31, 7),
            "2023.1": (27, 7),
            "2024.1": (28, 8),
            "2025.1": (28, 5),
            "2026.1": (33, 6),
        }

    def test_each_file_is_named_by_its_edition_and_has_the_number_of_its_notice(self) -> None:
        assert {file.stem for file in CALENDAR_FILES.glob("[0-9]*.json")} == {
            each.edition for each in published_editions()
        }
        assert all(each.notice for each in published_editions())
        assert (edition("2026.1").notice, edition("2026.1").published_on) == (
            "国办发明电〔2025〕7号",
            date(2025, 11, 4),
        )

    def test_a_notice_reaches_into_the_december_before(self) -> None:
        assert CALENDAR.is_working_day(date(2018, 12, 29))
        assert not CALENDAR.is_working_day(date(2018, 12, 31))
        assert CALENDAR.is_working_day(date(2011, 12, 31))


class TestTheVectorsOfTheLaw:
    @pytest.mark.parametrize(
        ("accepted_on", "working_days", "expected"),
        [
            (date(2026, 2, 9), 10, date(2026, 2, 28)),
            (date(2026, 2, 13), 10, date(2026, 3, 5)),
            (date(2026, 9, 18), 10, date(2026, 10, 9)),
            (date(2026, 9, 24), 15, date(2026, 10, 22)),
            (date(2026, 11, 20), 10, date(2026, 12, 4)),
        ],
    )
    def test_a_period_ends_on_its_last_working_day(self, accepted_on: date, working_days: int, expected: date) -> None:
        due = due_on(accepted_on, working_days, CALENDAR)
        assert due == DueDate(due_on=expected, provisional=False, edition="2026.1")

    def test_a_period_into_2027_is_provisional_and_rests_on_the_last_published_edition(self) -> None:
        due = due_on(date(2026, 12, 18), 10, CALENDAR)
        assert due == DueDate(due_on=date(2027, 1, 4), provisional=True, edition="2026.1")

    def test_a_period_that_ends_on_the_last_published_day_is_not_provisional(self) -> None:
        due = due_on(date(2026, 12, 17), 10, CALENDAR)
        assert due == DueDate(due_on=date(2026, 12, 31), provisional=False, edition="2026.1")

    @pytest.mark.parametrize("working_days", [0, -1])
    def test_a_period_without_a_working_day_is_refused(self, working_days: int) -> None:
        with pytest.raises(ValueError, match="one working day or more"):
            due_on(date(2026, 2, 9), working_days, CALENDAR)


class TestEditions:
    def test_labour_day_2019_moved_on_22_march(self) -> None:
        before, after = calendar_with("2019.1"), calendar_with("2019.1", "2019.2")
        assert due_on(date(2019, 4, 22), 10, before) == DueDate(
            due_on=date(2019, 5, 7), provisional=False, edition="2019.1"
        )
        assert due_on(date(2019, 4, 22), 10, after) == DueDate(
            due_on=date(2019, 5, 7), provisional=False, edition="2019.2"
        )
        assert due_on(date(2019, 4, 25), 5, before).due_on == date(2019, 5, 3)
        assert due_on(date(2019, 4, 25), 5, after).due_on == date(2019, 5, 5)

    def test_spring_festival_2020_was_prolonged_on_27_january(self) -> None:
        before, after = calendar_with("2020.1"), calendar_with("2020.2")
        assert due_on(date(2020, 1, 16), 5, before).due_on == date(2020, 1, 22)
        assert due_on(date(2020, 1, 17), 10, before).due_on == date(2020, 2, 5)
        assert due_on(date(2020, 1, 17), 10, after).due_on == date(2020, 2, 7)
        assert before.is_working_day(date(2020, 2, 1))
        assert not after.is_working_day(date(2020, 2, 1))

    def test_3_september_2015_became_a_day_off_in_may(self) -> None:
        assert calendar_with("2015.1").is_working_day(date(2015, 9, 3))
        assert not calendar_with("2015.2").is_working_day(date(2015, 9, 3))
        assert calendar_with("2015.2").is_working_day(date(2015, 9, 6))

    def test_the_newest_edition_counts_whatever_the_order(self) -> None:
        newest = edition("2026.1").model_copy(update={"edition": "2026.10"})
        older = edition("2026.1").model_copy(update={"edition": "2026.9"})
        calendar = WorkingCalendar.of([newest, edition("2025.1"), older], statutory_days())
        assert [each.edition for each in calendar.years] == ["2025.1", "2026.10"]

    def test_a_span_is_reckoned_by_the_edition_of_the_year_it_ends_in(self) -> None:
        assert CALENDAR.edition_for(date(2019, 12, 20), date(2020, 1, 6)) == "2020.2"
        assert CALENDAR.edition_for(date(2019, 12, 20), date(2019, 12, 31)) == "2019.2"
        assert CALENDAR.edition_for(date(2026, 12, 20), date(2031, 1, 6)) == "2026.1"

    def test_a_span_that_runs_backwards_has_no_edition(self) -> None:
        with pytest.raises(ValueError, match="not a span"):
            CALENDAR.edition_for(date(2026, 1, 6), date(2026, 1, 5))

    @pytest.mark.parametrize(
        ("named", "behind"),
        [(("2025.1", "2026.1"), False), (("2026.2",), True), (("2027.1",), True), (("2019.1",), False), ((), False)],
    )
    def test_a_calendar_knows_when_others_know_more(self, named: tuple[str, ...], behind: bool) -> None:
        assert CALENDAR.is_behind(named) is behind

    def test_a_calendar_with_a_hole_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="without a hole"):
            calendar_with("2024.1", "2026.1")

    def test_the_notice_of_2027_moves_a_provisional_date_and_makes_it_firm(self) -> None:
        notice = CalendarYear.model_validate(
            {
                "year": 2027,
                "edition": "2027.1",
                "notice": None,
                "published_on": "2026-11-04",
                "source": "made up for this test",
                "days_off": [{"date": "2027-01-01", "name": "元旦"}, {"date": "2027-01-04", "name": "元旦"}],
                "make_up_days": ["2027-01-09"],
            }
        )
        calendar = WorkingCalendar.of([*published_editions(), notice], statutory_days())
        due = due_on(date(2026, 12, 18), 10, calendar)
        assert due == DueDate(due_on=date(2027, 1, 5), provisional=False, edition="2027.1")


class TestYearsWithoutANotice:
    def test_only_published_years_are_published(self) -> None:
        assert CALENDAR.published(FIRST)
        assert CALENDAR.published(LAST)
        assert not CALENDAR.published(LAST + timedelta(days=1))
        assert not CALENDAR.published(FIRST - timedelta(days=1))

    def test_2027_rests_on_the_thirteen_statutory_days_and_no_make_up_day(self) -> None:
        year = [date(2027, 1, 1) + timedelta(days=offset) for offset in range(365)]
        assert [day for day in year if day.weekday() < 5 and not CALENDAR.is_working_day(day)] == [
            date(2027, 1, 1),
            date(2027, 2, 5),
            date(2027, 2, 8),
            date(2027, 4, 5),
            date(2027, 6, 9),
            date(2027, 9, 15),
            date(2027, 10, 1),
        ]
        assert [day for day in year if day.weekday() >= 5 and CALENDAR.is_working_day(day)] == []

    def test_the_lunar_dates_to_2035_agree_with_holidays(self) -> None:
        names = {"清明节": "清明节", "端午节": "端午节", "中秋节": "中秋节", "春节": "春节", "农历除夕": "春节"}
        china = holidays.country_holidays("CN", years=range(2027, 2036), language="zh_CN")
        theirs = {(day, names[name]) for day in china for name in china.get_list(day) if name in names}
        ours = {(off.date, off.name) for off in statutory_days().lunar_days}
        assert len(ours) == 9 * 7
        assert ours == theirs

    def test_past_2035_the_fixed_days_still_hold(self) -> None:
        assert not CALENDAR.is_working_day(date(2036, 10, 1))
        assert not CALENDAR.is_working_day(date(2036, 5, 2))
        assert CALENDAR.is_working_day(date(2036, 10, 6))

    def test_a_published_year_does_not_fall_back_on_the_statutory_days(self) -> None:
        fixed_days_worked = edition("2026.1").model_copy(update={"days_off": edition("2026.1").days_off[3:]})
        calendar = WorkingCalendar.of([fixed_days_worked], statutory_days())
        assert calendar.is_working_day(date(2026, 1, 1))

    def test_nothing_is_guessed_before_the_first_year(self) -> None:
        with pytest.raises(ValueError, match="the first year is 2010"):
            CALENDAR.is_working_day(date(2009, 12, 31))


class TestTheArithmetic:
    @given(start=any_day, n=st.integers(min_value=1, max_value=60))
    def test_the_nth_working_day_has_n_working_days_up_to_it(self, start: date, n: int) -> None:
        end = CALENDAR.add_working_days(start, n)
        assert CALENDAR.is_working_day(end)
        assert CALENDAR.working_days_between(start, end) == n
        assert CALENDAR.working_days_between(end, start) == -n

    @given(start=any_day, n=st.integers(min_value=1, max_value=30), m=st.integers(min_value=1, max_value=30))
    def test_periods_add_up(self, start: date, n: int, m: int) -> None:
        one_after_the_other = CALENDAR.add_working_days(CALENDAR.add_working_days(start, n), m)
        assert one_after_the_other == CALENDAR.add_working_days(start, n + m)

    @given(start=any_day.filter(CALENDAR.is_working_day).filter(lambda day: day.year > 2010), n=st.integers(1, 60))
    def test_going_back_undoes_going_forward_from_a_working_day(self, start: date, n: int) -> None:
        assert CALENDAR.add_working_days(CALENDAR.add_working_days(start, n), -n) == start

    def test_no_working_days_are_the_day_itself_even_a_sunday(self) -> None:
        assert CALENDAR.add_working_days(date(2026, 2, 15), 0) == date(2026, 2, 15)
        assert CALENDAR.working_days_between(date(2026, 2, 15), date(2026, 2, 15)) == 0

    def test_the_next_working_day_may_be_a_make_up_saturday(self) -> None:
        assert CALENDAR.next_working_day(date(2026, 2, 13)) == date(2026, 2, 14)
        assert CALENDAR.next_working_day(date(2026, 2, 14)) == date(2026, 2, 24)

    def test_two_working_days_before_a_deadline_pass_over_a_holiday(self) -> None:
        assert CALENDAR.add_working_days(date(2026, 10, 9), -2) == date(2026, 9, 30)


class TestTheValue:
    def test_a_calendar_read_back_from_json_is_equal_and_hashes_alike(self) -> None:
        CALENDAR.is_working_day(date(2026, 1, 1))
        copy = WorkingCalendar.model_validate_json(CALENDAR.model_dump_json())
        assert copy == CALENDAR
        assert hash(copy) == hash(CALENDAR)

    def test_the_calendar_since_a_day_answers_alike_from_that_year_on(self) -> None:
        short = CALENDAR.since(date(2026, 2, 9))
        assert [each.edition for each in short.years] == ["2026.1"]
        assert len(short.model_dump_json()) < 6_000
        days = [date(2026, 1, 1) + timedelta(days=offset) for offset in range(1_000)]
        assert [day for day in days if short.is_working_day(day) != CALENDAR.is_working_day(day)] == []
        assert [each.edition for each in CALENDAR.since(date(2031, 1, 1)).years] == ["2026.1"]


GOOD = (CALENDAR_FILES / "2026.1.json").read_text(encoding="utf-8")


class TestBadFiles:
    def test_a_good_file_is_read(self) -> None:
        assert parse_calendar_year(GOOD) == edition("2026.1")

    @pytest.mark.parametrize(
        ("old", "new", "field"),
        [
            ('"year": 2026', '"year": "2026"', "year"),
            ('"year": 2026', '"year": 2025', "edition"),
            ('"year": 2026,', "", "year"),
            ('"edition": "2026.1"', '"edition": "2026"', "edition"),
            ('"edition": "2026.1"', '"edition": "2026.0"', "edition"),
            ("国办发明电〔2025〕7号", "no number", "notice"),
            ('"published_on": "2025-11-04"', '"published_on": "4 November"', "published_on"),
            ('"date": "2026-01-02"', '"date": "2026-02-30"', "days_off.1.date"),
            ('"date": "2026-01-02"', '"date": "2026-01-01"', "days_off"),
            ('"date": "2026-01-01"', '"date": "2025-01-01"', "days_off"),
            ('"name": "元旦"', '"label": "元旦"', "days_off.0.name"),
            ('"2026-01-04"', '"2026-01-05"', "make_up_days"),
            ('"2026-01-04"', '"2026-01-03"', "make_up_days"),
            ('"make_up_days"', '"makeup_days"', "make_up_days"),
            ('"make_up_days"', '"extra": 1, "make_up_days"', "extra"),
        ],
    )
    def test_a_bad_field_is_named(self, old: str, new: str, field: str) -> None:
        assert old in GOOD
        with pytest.raises(CalendarFileError) as refused:
            parse_calendar_year(GOOD.replace(old, new, 1))
        assert refused.value.field == field
        assert str(refused.value).startswith(f"{field}: ")
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", GOOD[:-3]])
    def test_a_file_that_is_no_table_is_refused_as_a_whole(self, text: str) -> None:
        with pytest.raises(CalendarFileError) as refused:
            parse_calendar_year(text)
        assert refused.value.field == ""
        assert "\n" not in str(refused.value)
