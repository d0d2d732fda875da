"""Money on paper: exact tables, and a reader of 大写 that gets every amount back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.documents.amounts import MAX_FEN, yuan_figures, yuan_words

DIGITS = "零壹贰叁肆伍陆柒捌玖"
UNITS = {"拾": 10, "佰": 100, "仟": 1000}


def _number(words: str) -> int:
    for name, unit in (("亿", 10**8), ("万", 10**4)):
        high, found, low = words.rpartition(name)
        if found:
            return _number(high) * unit + _number(low)
    total = digit = 0
    for character in words:
        if character in UNITS:
            total += digit * UNITS[character]
            digit = 0
        else:
            digit = DIGITS.index(character)
    return total + digit


def _fen(words: str) -> int:
    rest = words.removeprefix("人民币").removesuffix("整")
    yuan, _, rest = rest.rpartition("元")
    jiao, _, rest = rest.rpartition("角")
    fen = rest.removesuffix("分")
    return _number(yuan) * 100 + _number(jiao) * 10 + _number(fen)


@pytest.mark.parametrize(
    ("amount_fen", "figures", "words"),
    [
        (0, "0.00", "人民币零元整"),
        (1, "0.01", "人民币壹分"),
        (10, "0.10", "人民币壹角整"),
        (56, "0.56", "人民币伍角陆分"),
        (100, "1.00", "人民币壹元整"),
        (101, "1.01", "人民币壹元零壹分"),
        (1_000, "10.00", "人民币壹拾元整"),
        (1_234_56, "1,234.56", "人民币壹仟贰佰叁拾肆元伍角陆分"),
        (1_409_50, "1,409.50", "人民币壹仟肆佰零玖元伍角整"),
        (6_007_14, "6,007.14", "人民币陆仟零柒元壹角肆分"),
        (1_680_32, "1,680.32", "人民币壹仟陆佰捌拾元叁角贰分"),
        (107_000_53, "107,000.53", "人民币壹拾万柒仟元伍角叁分"),
        (16_409_02, "16,409.02", "人民币壹万陆仟肆佰零玖元零贰分"),
        (325_04, "325.04", "人民币叁佰贰拾伍元零肆分"),
        (103_453_00, "103,453.00", "人民币壹拾万叁仟肆佰伍拾叁元整"),
        (100_700_00, "100,700.00", "人民币壹拾万零柒佰元整"),
        (10_000_000_00, "10,000,000.00", "人民币壹仟万元整"),
        (100_000_000_00, "100,000,000.00", "人民币壹亿元整"),
        (100_050_000_00, "100,050,000.00", "人民币壹亿零伍万元整"),
        (100_000_001_00, "100,000,001.00", "人民币壹亿零壹元整"),
        (1_000_000_000_000_00, "1,000,000,000,000.00", "人民币壹万亿元整"),
        (1_000_000_010_000_00, "1,000,000,010,000.00", "人民币壹万亿零壹万元整"),
        (MAX_FEN, "90,071,992,547,409.91", "人民币玖拾万零柒佰壹拾玖亿玖仟贰佰伍拾肆万柒仟肆佰零玖元玖角壹分"),
    ],
)
def test_an_amount_in_figures_and_words(amount_fen: int, figures: str, words: str) -> None:
    assert yuan_figures(amount_fen) == figures
    assert yuan_words(amount_fen) == words


@given(st.integers(0, MAX_FEN) | st.integers(0, 10**7) | st.integers(0, 15).map(lambda power: 10**power))
def test_every_amount_reads_back_as_itself_with_no_two_zeros_in_a_row(amount_fen: int) -> None:
    words = yuan_words(amount_fen)
    assert _fen(words) == amount_fen
    assert "零零" not in words
    assert words.startswith("人民币")
    assert words.endswith("分" if amount_fen % 10 else "整")
    assert int(yuan_figures(amount_fen).replace(",", "").replace(".", "")) == amount_fen


@pytest.mark.parametrize("amount_fen", [-1, MAX_FEN + 1])
def test_an_amount_outside_the_contract_is_refused(amount_fen: int) -> None:
    for form in (yuan_figures, yuan_words):
        with pytest.raises(ValueError, match=f"amount of {amount_fen} fen is outside 0 … {MAX_FEN}"):
            form(amount_fen)
