"""Identity and phone numbers in free text are found in every spelling, and nothing else is taken for one."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.identity import check_digit
from workflows.personal_numbers import has_personal_number

REGIONS = ("110101", "310104", "440103", "330106", "650102")
# Full-width and Arabic-Indic digits, and every separator that people use.
SEPARATORS = ("", " ", "-", "—", "–", "\u3000", ".", "/", " - ", "\n", "\u200b")
WRITTEN_AROUND = ("", "王思琪", "身份证号：", "（", "请联系 ", "ID", "Tel: ", "call ", "note=")
CREDIT_CODE_DIGITS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
CREDIT_CODE_WEIGHTS = [3**i % 31 for i in range(17)]

days = st.dates(date(1900, 1, 1), date(2099, 12, 31))


@st.composite
def resident_ids(draw: st.DrawFn) -> str:
    first17 = f"{draw(st.sampled_from(REGIONS))}{draw(days):%Y%m%d}{draw(st.integers(0, 999)):03d}"
    return first17 + check_digit(first17)


@st.composite
def mobiles(draw: st.DrawFn) -> str:
    return f"1{draw(st.integers(3, 9))}{draw(st.integers(0, 999_999_999)):09d}"


@st.composite
def credit_codes(draw: st.DrawFn) -> str:
    """Of companies and of associations whose code has a letter."""
    organisation = draw(st.text("0123456789", min_size=7, max_size=7)) + draw(st.sampled_from("0123456789X"))
    code = draw(st.sampled_from(["91", "92", "93"])) + draw(st.sampled_from(REGIONS)) + organisation
    first17 = code + draw(st.sampled_from("ABCDEFGHJKLMNPQRTUWXY0123456789"))
    total = sum(CREDIT_CODE_DIGITS.index(each) * w for each, w in zip(first17, CREDIT_CODE_WEIGHTS, strict=True))
    return first17 + CREDIT_CODE_DIGITS[-total % 31]


def full_width(text: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if each.isascii() and each.isalnum() else each for each in text)


def grouped(text: str, lengths: tuple[int, ...], separator: str) -> str:
    parts, start = [], 0
    for length in lengths:
        parts.append(text[start : start + length])
        start += length
    return separator.join(parts)


@given(
    resident_ids(), st.sampled_from([(18,), (6, 8, 4), (6, 4, 4, 4), (3,) * 6, (6, 12), (1,) * 18, (17, 1)]),
    st.sampled_from(SEPARATORS), st.sampled_from(WRITTEN_AROUND), st.booleans(), st.booleans(),
)  # fmt: skip
def test_an_identity_number_is_found_in_every_spelling(
    number: str, lengths: tuple[int, ...], separator: str, before: str, wide: bool, lower: bool
) -> None:
    written = grouped(number.lower() if lower else number, lengths, separator)
    written = full_width(written) if wide else written
    assert has_personal_number(f"{before}{written}，已核对")


@given(resident_ids(), st.integers(1, 10))
def test_a_number_with_a_wrong_check_digit_is_no_identity_number(number: str, steps: int) -> None:
    digits = "0123456789X"
    other = number[:17] + digits[(digits.index(number[17]) + steps) % 11]
    assert not has_personal_number(f"参考 {other}")


@given(
    st.sampled_from([(11,), (3, 4, 4), (3, 8), (1,) * 11]), st.sampled_from([" ", "-", "\u3000"]), mobiles(),
    st.sampled_from(["", "+86 ", "+86", "86-", "0086 ", "(+86)"]), st.sampled_from(WRITTEN_AROUND), st.booleans(),
)  # fmt: skip
def test_a_mobile_number_is_found_in_every_spelling(
    lengths: tuple[int, ...], separator: str, number: str, country: str, before: str, wide: bool
) -> None:
    written = country + grouped(number, lengths, separator)
    assert has_personal_number(f"{before}{full_width(written) if wide else written}。")


@pytest.mark.parametrize(
    "text",
    [
        "请拨010-62345678联系", "021 5234 5678", "(0571)87654321", "0571-8765432", "+86 10 6234 5678", "+86-571-87654321",
        "08712345678", "０５７１－８７６５４３２１", "电话：0086 21 52345678",
        "旧证110101900307451", "110101 900307 451", "身份证 110101-900307-451",
        "一三八〇〇一三八〇〇〇", "TEL13800138000", "TEL:13800138000", "Wang13800138000", "Li:13800138000", "wx_13800138000",
        "13800138000wang", "13800138000、13900139000", "2026-11-22 13800138000", "138\u200b0013\u200b8000", "١٣٨٠٠١٣٨٠٠٠",
        "11010119900307451413800138000", "13800138000110101199003074514",
    ],
)  # fmt: skip
def test_these_are_personal_numbers(text: str) -> None:
    assert has_personal_number(text)


@pytest.mark.parametrize(
    "text",
    [
        "ZY-310100-20261122-000042", "转移 ZY-310100-20261122-000042 的款项", "ZY-310100-20261122-000042-01", "ZY-BL-20261122-000042",
        "BK2026112213800138", "HK13800138000", "FT-13800138000", "TH-0123456789abcdef0123456789ab01", "SF1380013800012", "B-1",
        "91110000802100433B", "京2026000042", "3199002026000042", "2026-11-22", "2026年11月22日10:30", "2026/11/22 - 2026/12/01",
        "12333", "95588", "400-820-8820", "110", "余额 13,800.13 元", "1380013.80", "2015-01至2020-12共72个月",
        "43号文第4条", "110000 → 319900", "AC04", "差 0.05 元", "末四位 4514", "",
    ],
)  # fmt: skip
def test_these_are_none(text: str) -> None:
    assert not has_personal_number(text)


@given(
    days,
    days,
    st.sampled_from(["{0:%Y-%m-%d}", "{0:%Y%m%d}", "{0:%Y/%m/%d}", "{0:%Y.%m.%d}", "{0.year}年{0.month}月{0.day}日"]),
)
def test_dates_are_none(one: date, other: date, form: str) -> None:
    assert not has_personal_number(f"自{form.format(one)}至{form.format(other)}")


@given(
    st.lists(st.dates(date(1990, 1, 1), date(2030, 1, 1)), min_size=2, max_size=6),
    st.sampled_from([" ", "、", " - ", "/", "\n"]),
)
def test_months_and_dates_in_a_row_are_none(several: list[date], separator: str) -> None:
    for form in ("%Y-%m", "%Y-%m-%d", "%Y.%m", "%Y%m"):
        assert not has_personal_number(separator.join(f"{each:{form}}" for each in several))


@given(st.decimals(0, 99_999_999, places=2), st.sampled_from(["{}", "{:,}", "¥{}"]))
def test_amounts_are_none(amount: Decimal, form: str) -> None:
    assert not has_personal_number(f"金额{form.format(amount)}元")


@given(st.sampled_from(REGIONS), days, st.integers(0, 999_999), st.sampled_from(["", "-01", "-02-1"]))
def test_transfer_and_remittance_numbers_are_none(region: str, day: date, serial: int, end: str) -> None:
    assert not has_personal_number(f"见 ZY-{region}-{day:%Y%m%d}-{serial:06d}{end}，已到账")


@given(credit_codes())
def test_unified_social_credit_codes_are_none(code: str) -> None:
    assert not has_personal_number(f"单位 {code}")


@given(days, st.integers(0, 9_999_999_999), st.sampled_from(["BK", "ICBC", "FT-", "CMB/"]))
def test_bank_references_are_none(day: date, serial: int, bank: str) -> None:
    assert not has_personal_number(f"银行流水 {bank}{day:%Y%m%d}{serial:010d}")


@given(st.text())
def test_every_text_has_an_answer(text: str) -> None:
    assert has_personal_number(text) in (True, False)
