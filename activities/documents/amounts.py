"""Money on paper: whole fen as figures and as the capital characters 大写 that banks and agencies read.

Written here because the packages that do it either go through floats or misplace the zeros (壹拾万零叁仟).
The rule is 支付结算办法 附件一《正确填写票据和结算凭证的基本规定》: runs of zeros are written as one 零, 整 closes an amount
that ends at yuan or jiao, 零 stands between yuan and fen when there is no jiao. Where the rule leaves a choice the
shorter form is taken (107,000.53 is 壹拾万柒仟元伍角叁分).
"""

from typing import Final

MAX_FEN: Final = 2**53 - 1  # the contract's scalar Fen

_DIGITS: Final = "零壹贰叁肆伍陆柒捌玖"
_PLACES: Final = ((1000, "仟"), (100, "佰"), (10, "拾"), (1, ""))


def yuan_figures(amount_fen: int) -> str:
    """Yuan with two decimals and thousands separators: 123456 fen → `1,234.56`. ValueError outside 0 … 2^53-1."""
    yuan, rest = divmod(_checked(amount_fen), 100)
    return f"{yuan:,}.{rest:02d}"


def yuan_words(amount_fen: int) -> str:
    """Capital characters: 123456 fen → `人民币壹仟贰佰叁拾肆元伍角陆分`. ValueError outside 0 … 2^53-1."""
    yuan, rest = divmod(_checked(amount_fen), 100)
    jiao, fen = divmod(rest, 10)
    words = "人民币"
    if yuan or not rest:
        words += f"{_integer(yuan) or '零'}元"
    if jiao:
        words += f"{_DIGITS[jiao]}角"
    elif fen and yuan:
        words += "零"
    return words + (f"{_DIGITS[fen]}分" if fen else "整")


def _checked(amount_fen: int) -> int:
    if not 0 <= amount_fen <= MAX_FEN:
        raise ValueError(f"amount of {amount_fen} fen is outside 0 … {MAX_FEN}")
    return amount_fen


def _integer(number: int) -> str:
    """Characters of a whole number; empty for zero."""
    for unit, name in ((10**8, "亿"), (10**4, "万")):
        if number >= unit:
            high, low = divmod(number, unit)
            # A part that does not fill its places is announced by one 零.
            gap = "零" if 0 < low < unit // 10 else ""
            return f"{_integer(high)}{name}{gap}{_integer(low)}"
    return _below_ten_thousand(number)


def _below_ten_thousand(number: int) -> str:
    words = ""
    gap = False
    for place, name in _PLACES:
        digit = number // place % 10
        if digit:
            words += ("零" if gap else "") + _DIGITS[digit] + name
            gap = False
        else:
            gap = bool(words)
    return words
