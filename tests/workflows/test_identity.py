"""Numbers by GB 11643, and names. All persons are synthetic."""

import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.identity import (
    check_digit,
    comparable_name,
    holds_resident_id,
    mask_name,
    mask_resident_id,
    name_fault,
    normalise_name,
    resident_id_fault,
)


@pytest.mark.parametrize(
    ("first17", "digit"), [("11010519491231002", "X"), ("44052418800101001", "4"), ("11010119900307123", "3")]
)
def test_the_check_digit_is_that_of_gb_11643(first17: str, digit: str) -> None:
    assert check_digit(first17) == digit


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("11010519491231002X", None),
        ("110101199003071233", None),
        ("999999199003071234", None),  # no such region, and never asked
        ("110101199003071234", "CHECK_DIGIT"),
        ("11010519491231002x", "LOWERCASE_X"),
        ("110105491231002", "FIFTEEN_DIGITS"),
        ("１１０１０１１９９００３０７１２３３", "FULL_WIDTH"),
        ("11010519491231002Ｘ", "FULL_WIDTH"),
        ("", "LENGTH"),
        ("1101011990030712333", "LENGTH"),
        ("1101011990O3071233", "NOT_DIGITS"),
        ("11010119900307 233", "NOT_DIGITS"),
        ("1101011990030712X3", "NOT_DIGITS"),
        ("١١٠١٠١١٩٩٠٠٣٠٧١٢٣٣", "NOT_DIGITS"),  # digits of another script
        ("110101199002301230", "BIRTH_DATE"),
        ("110101189912311230", "BIRTH_DATE"),
        ("110101199013071230", "BIRTH_DATE"),
    ],
)
def test_what_is_wrong_with_a_number_is_named(text: str, fault: str | None) -> None:
    assert resident_id_fault(text) == fault


def test_nobody_is_born_after_today_and_a_child_born_today_is_a_person() -> None:
    text = "11010120260201001"
    number = text + check_digit(text)
    assert resident_id_fault(number) is None
    assert resident_id_fault(number, today=date(2026, 2, 1)) is None
    assert resident_id_fault(number, today=date(2026, 1, 31)) == "BIRTH_DATE"


@given(st.text())
def test_no_text_whatever_breaks_the_checks_of_a_number(text: str) -> None:
    assert resident_id_fault(text) is None or resident_id_fault(text)


@given(st.dates(min_value=date(1900, 1, 1)), st.integers(0, 999), st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(born: date, serial: int, place: int, off: int) -> None:
    text = f"110101{born:%Y%m%d}{serial:03}"
    number = text + check_digit(text)
    assert resident_id_fault(number) is None
    values = "0123456789X" if place == 17 else "0123456789"
    wrong = values[(values.index(number[place]) + off) % len(values)]
    assert resident_id_fault(number[:place] + wrong + number[place + 1 :]) in {"CHECK_DIGIT", "BIRTH_DATE"}


def test_a_number_is_shown_without_the_date_of_birth() -> None:
    assert mask_resident_id("110101199003071233") == "110101********1233"
    assert mask_resident_id("110105491231002") == "***************"


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("王思琪", "王思琪"),
        (" 王 思　琪 ", "王思琪"),
        ("阿卜杜拉•买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉 ・ 买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉.买买提", "阿卜杜拉·买买提"),
        ("阿卜杜拉．买买提", "阿卜杜拉·买买提"),
        ("Anna  B. Smith", "Anna B. Smith"),
        ("Ａｎｎａ　Smith", "Anna Smith"),
        ("e\u0301lise", "élise"),
        ("𠀀𠀁 𠀂", "𠀀𠀁𠀂"),
    ],
)
def test_a_name_has_one_normal_spelling(text: str, normalised: str) -> None:
    assert normalise_name(text) == normalised


def test_names_are_compared_without_case_and_glyph_variants() -> None:
    assert comparable_name("ANNA smith") == comparable_name("Anna Smith")
    assert comparable_name("葛\U000e0100城") == comparable_name("葛城")
    assert comparable_name("王思琪") != comparable_name("王思琦")


@given(st.text(max_size=30))
def test_normalising_a_name_is_final_and_composed(text: str) -> None:
    once = normalise_name(text)
    assert unicodedata.is_normalized("NFC", once)
    assert normalise_name(once) == once


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("王思琪", None),
        ("𠀀𠀁𠀂", None),  # four-byte characters
        ("王\ue000", None),  # private use: where registers keep rare names
        ("王\U000323af", None),  # newer than the tables of this Python
        ("阿卜杜拉·买买提", None),
        ("", "EMPTY"),
        ("　 ", "EMPTY"),
        ("·", "EMPTY"),
        ("王" * 100, None),
        ("王" * 101, "TOO_LONG"),
        ("王\n思琪", "CONTROL_CHARACTER"),
        ("王\u200b思琪", "CONTROL_CHARACTER"),
        ("王\u202e思琪", "CONTROL_CHARACTER"),
        ("王\x00", "CONTROL_CHARACTER"),
        ("王\u2028", "CONTROL_CHARACTER"),
        ("王\ufffd琪", "NOT_A_CHARACTER"),
        ("王\ud800", "NOT_A_CHARACTER"),
        ("王\uffff", "NOT_A_CHARACTER"),
        ("王\ufdd0", "NOT_A_CHARACTER"),
    ],
)
def test_what_is_wrong_with_a_name_is_named(text: str, fault: str | None) -> None:
    assert name_fault(text) == fault


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("王思琪", "王*琪"),
        ("王琪", "王*"),
        ("王", "*"),
        ("欧阳思琪", "欧**琪"),
        ("阿卜杜拉·买买提", "阿**拉·买*提"),
        ("Anna Smith", "A**a S***h"),
        ("𠀀𠀁𠀂", "𠀀*𠀂"),
        ("葛\U000e0100", "*"),  # a glyph variant is no second character
    ],
)
def test_a_name_is_shown_without_its_inner_characters(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@given(st.text(min_size=1, max_size=20))
def test_no_part_of_a_masked_name_is_whole(text: str) -> None:
    masked = mask_name(text)
    assert all("*" in part for part in masked.replace("·", " ").split())


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("11010519491231002X", True),
        ("SQ-11010519491231002x", True),
        ("SQ/110105-19491231-002X/7", True),
        # Another check digit, too short, a day and a serial.
        ("110105194912310021", False),
        ("1101051949123100", False),
        ("SQ-20260302-000123", False),
    ],
)
def test_a_reference_that_holds_a_number_is_found(text: str, *, held: bool) -> None:
    assert holds_resident_id(text, today=date(2026, 3, 2)) is held
