"""Resident identity numbers and names: what is wrong with one, how two are compared, how one is shown masked.

Numbers follow GB 11643. Their first six digits are never held against a table of regions: tables change, people do
not, and such a check rejects real people.
"""

import re
import unicodedata
from datetime import date
from operator import mul

MAX_NAME_LENGTH = 100

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"
_EARLIEST_BIRTH_YEAR = 1900
_RESIDENT_ID_LENGTH = 18
_RESIDENT_ID = re.compile("[0-9]{17}[0-9X]")
# Numbers of the first generation, withdrawn in 2013: told apart so that the person learns what to do.
_OLD_RESIDENT_ID_LENGTH = 15

# Full-width letters, digits and signs, each 0xFEE0 above its ASCII twin.
_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
# What keyboards and old systems write for the middle dot of an ethnic name.
_DOTS = "·•∙⋅・･‧⸱ꞏ"
_BLANK = _DOTS + ". \t\r\n\u00a0\u3000"
_FOLDED = _HALF_WIDTH | dict.fromkeys(map(ord, _DOTS), "·")
# Rare characters that a system could not write yet sit in the private use area: for spacing they are Chinese too.
_CJK = "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003fffd\ue000-\uf8ff"
_SPACE_BETWEEN_CJK = re.compile(rf"(?<=[{_CJK}])\s+(?=[{_CJK}])|\s*(?=·)|(?<=·)\s*")
_FULL_STOP_BETWEEN_CJK = re.compile(rf"(?<=[{_CJK}])\s*\.\s*(?=[{_CJK}])")
_VARIATION_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_PARTS = re.compile(r"([·\s]+)")


def check_digit(first17: str) -> str:
    """The eighteenth character that GB 11643 gives to seventeen digits: `0`-`9` or `X`."""
    return _CHECK_DIGITS[sum(map(mul, _WEIGHTS, map(int, first17))) % 11]


def resident_id_fault(text: str, *, today: date | None = None) -> str | None:
    """What makes this no resident identity number, or None when it is one.

    LENGTH, FIFTEEN_DIGITS, FULL_WIDTH, LOWERCASE_X, NOT_DIGITS, BIRTH_DATE (no such day, before 1900, or after
    `today` when that is given) or CHECK_DIGIT; the first that applies, in an order that names the cause.
    """
    form = _form_fault(text)
    if form is not None:
        return form
    born = _birth_date(text)
    if born is None or born.year < _EARLIEST_BIRTH_YEAR or (today is not None and born > today):
        return "BIRTH_DATE"
    return None if text[17] == check_digit(text[:17]) else "CHECK_DIGIT"


def mask_resident_id(text: str) -> str:
    """`110101********1234`; of anything that has not eighteen characters nothing is shown."""
    if len(text) != _RESIDENT_ID_LENGTH:
        return "*" * len(text)
    return f"{text[:6]}{'*' * 8}{text[14:]}"


def normalise_name(text: str) -> str:
    """One spelling for what is written in many: for comparison by `comparable_name`, and to show.

    NFC; full-width Latin becomes half-width; look-alikes of the middle dot, and a full stop between Chinese
    characters, become `·` (U+00B7); white space goes at the ends, around a dot and between Chinese characters, and is
    one space elsewhere.
    """
    folded = unicodedata.normalize("NFC", text).translate(_FOLDED)
    dotted = _FULL_STOP_BETWEEN_CJK.sub("·", folded.strip())
    return " ".join(_SPACE_BETWEEN_CJK.sub("", dotted).split())


def comparable_name(text: str) -> str:
    """The key by which two spellings are one name: normalised, without case and without glyph variants."""
    return _VARIATION_SELECTORS.sub("", normalise_name(text)).casefold()


def name_fault(text: str) -> str | None:
    """What makes this no name, or None when it is one.

    EMPTY; TOO_LONG (more than 100 characters); CONTROL_CHARACTER (controls, line breaks, zero-width and bidirectional
    marks); NOT_A_CHARACTER (surrogates, non-characters, and the replacement character that a broken import leaves).
    Private-use and not yet assigned characters pass: registers hold rare names there, and GB 18030-2022 maps characters
    that are newer than any table a program ships.
    """
    if len(text) > MAX_NAME_LENGTH:
        return "TOO_LONG"
    if not text.strip(_BLANK):
        return "EMPTY"
    if text.isprintable() and "\ufffd" not in text:
        return None
    for character in text:
        code, category = ord(character), unicodedata.category(character)
        if category in {"Cc", "Cf", "Zl", "Zp"}:
            return "CONTROL_CHARACTER"
        if category == "Cs" or code == 0xFFFD or 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE:
            return "NOT_A_CHARACTER"
    return None


def mask_name(text: str) -> str:
    """`王*琪`, `王*`, and `*` for a single character; each part of `阿卜杜拉·买买提` by itself: `阿**拉·买*提`.

    At least one character of every part is hidden, so that no name is shown whole.
    """
    return "".join(
        part if _PARTS.fullmatch(part) else _mask_part(part) for part in _PARTS.split(normalise_name(text)) if part
    )


def _form_fault(text: str) -> str | None:
    if _RESIDENT_ID.fullmatch(text):
        return None
    half_width = text.translate(_HALF_WIDTH)
    if half_width != text and re.fullmatch("[0-9]+[0-9Xx]", half_width):
        return "FULL_WIDTH"
    if re.fullmatch(f"[0-9]{{{_OLD_RESIDENT_ID_LENGTH}}}", text):
        return "FIFTEEN_DIGITS"
    if len(text) != _RESIDENT_ID_LENGTH:
        return "LENGTH"
    return "LOWERCASE_X" if _RESIDENT_ID.fullmatch(text.upper()) else "NOT_DIGITS"


def _birth_date(resident_id: str) -> date | None:
    try:
        return date(int(resident_id[6:10]), int(resident_id[10:12]), int(resident_id[12:14]))
    except ValueError:
        return None


def _mask_part(part: str) -> str:
    # A combining mark or a glyph variant belongs to the character before it: alone it would be shown as a letter.
    shown: list[str] = []
    for character in part:
        if shown and unicodedata.category(character) in {"Mn", "Mc", "Me"}:
            shown[-1] += character
        else:
            shown.append(character)
    if len(shown) == 1:
        return "*"
    last = shown[-1] if len(shown) > 2 else "*"
    return shown[0] + "*" * (len(shown) - 2) + last


def holds_resident_id(text: str, *, today: date) -> bool:
    """Whether a resident identity number stands anywhere in `text`, separators of references left out."""
    plain = re.sub("[._/-]", "", text).upper()
    places = range(len(plain) - _RESIDENT_ID_LENGTH + 1)
    return any(resident_id_fault(plain[at : at + _RESIDENT_ID_LENGTH], today=today) is None for at in places)
