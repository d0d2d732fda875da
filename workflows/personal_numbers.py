"""Identity and phone numbers in free text: whether a text has one, in any spelling.

Resident identity numbers by GB 11643 (18 characters with a birth date and a check digit, and the 15 digits of the first
generation), mainland mobile numbers, and landlines with their area code. Full-width and Chinese digits count as digits;
spaces, dashes, dots and strokes may stand between them, and invisible characters are skipped. Digits beside capital letters,
as in `HK-20261122`, are the reference of something else, unless they are an identity number of 18 characters.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import date
from typing import Final

from workflows.identity import resident_id_fault

_BETWEEN: Final = r"[\s\-\u2010-\u2015\u2212_./·()]{0,3}"
# Digits with what may stand between them, and the X that may end an identity number.
_DIGITS: Final = re.compile(rf"[0-9](?:{_BETWEEN}[0-9])*(?:{_BETWEEN}[Xx](?![0-9A-Za-z]))?")
_GROUP: Final = re.compile("[0-9]+[Xx]?|[Xx]")
_CAPITALS_BEFORE: Final = re.compile("(?<![A-Za-z])([A-Z]+)[-_/]?$")
_CAPITALS_AFTER: Final = re.compile("[-_/]?[A-Z]")
# What people write before a number of a person, also in capitals.
_BEFORE_A_NUMBER: Final = frozenset({"TEL", "PHONE", "MOBILE", "MOB", "FAX", "NO", "ID", "VX", "WX", "QQ"})
_CHINESE_DIGITS: Final = re.compile("[〇○零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖]{11,}")
_CHINESE_VALUES: Final = str.maketrans("〇○零一二三四五六七八九幺壹贰叁肆伍陆柒捌玖", "0001234567891123456789")

_MOBILE: Final = re.compile("1[3-9][0-9]{9}")
# With its area code: three digits in ten cities, four elsewhere.
_LANDLINE: Final = re.compile("0(?:10|2[0-9])[2-8][0-9]{7}|0[3-9][0-9]{2}[2-8][0-9]{6,7}")
# Longer ones first.
_COUNTRY: Final = ("0086", "86")
# How the digits of a phone number are grouped, the country's code left out; other groups are dates, amounts and numbers in a row.
_MOBILE_GROUPS: Final = frozenset(
    {
        (11,),
        (3, 4, 4),
        (3, 8),
        (7, 4),
        (4, 7),
        (4, 4, 3),
        (3, 3, 5),
        (3, 5, 3),
        (5, 6),
        (6, 5),
        (1,) * 11,
        (2, 2, 2, 2, 2, 1),
    }
)
_LANDLINE_GROUPS: Final = frozenset({(), (7,), (8,), (3, 4), (4, 3), (4, 4)})
# The first generation has no check digit: its numbers are told by the province (GB/T 2260), the date and the groups.
_PROVINCES: Final = frozenset(
    {*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55), *range(61, 66), 71, 81, 82}
)
_OLD_ID_GROUPS: Final = frozenset({(15,), (6, 6, 3), (6, 9), (12, 3), (6, 2, 2, 2, 3), (3,) * 5, (5,) * 3})
_LATEST_BIRTH: Final = date(2099, 12, 31)
_ID_LENGTH: Final = 18
_BIRTH_AT: Final = 6
_OLD_ID_LENGTH: Final = 15
# A landline of ten cities, after the country's code without its 0: `86 10 6234 5678`.
_SHORTEST: Final = 11
# GB 32100, of the seventeen characters before the check character.
_CREDIT_CODE_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def has_personal_number(text: str) -> bool:
    """Whether `text` has a resident identity number, a mobile number or a landline with its area code."""
    plain = _plain(text)
    return any(_is_personal(run, plain) for run in _DIGITS.finditer(plain))


def _plain(text: str) -> str:
    """One spelling: half-width, without invisible characters, with ASCII digits."""
    shown = (each for each in unicodedata.normalize("NFKC", text) if unicodedata.category(each) != "Cf")
    with_digits = "".join(str(unicodedata.digit(each)) if each.isdecimal() else each for each in shown)
    return _CHINESE_DIGITS.sub(lambda found: found.group().translate(_CHINESE_VALUES), with_digits)


def _is_personal(run: re.Match[str], plain: str) -> bool:
    groups = _GROUP.findall(run.group())
    if any(_is_resident_id(each) for each in _of_id_length(groups)):
        return True
    before = _CAPITALS_BEFORE.search(plain, 0, run.start())
    beside_capitals = before is not None and before.group(1) not in _BEFORE_A_NUMBER
    if beside_capitals or _CAPITALS_AFTER.match(plain, run.end()):
        return False
    return any(_is_old_resident_id(each) or _is_phone(each) for each in _windows(groups))


def _windows(groups: list[str]) -> Iterator[list[str]]:
    """Neighbouring groups that have together as many digits as a phone number or an old identity number can have."""
    for first in range(len(groups)):
        length = 0
        for last in range(first, len(groups)):
            length += len(groups[last])
            if length > _ID_LENGTH:
                break
            if length >= _SHORTEST:
                yield groups[first : last + 1]


def _of_id_length(groups: list[str]) -> Iterator[str]:
    """The numbers of 18 characters that begin and end where a group does; of a longer group, its beginning and its end."""
    for window in _windows(groups):
        joined = "".join(window)
        if len(joined) == _ID_LENGTH and (len(window) == 1 or not _are_dates(window)):
            yield joined
    for group in groups:
        if len(group) > _ID_LENGTH:
            yield from (group[:_ID_LENGTH], group[-_ID_LENGTH:])


def _are_dates(groups: list[str]) -> bool:
    """Whether groups are months or days in a row: the first is a year, or a date stands where no birth date does."""
    joined = "".join(groups)
    # An identity number begins with its province, or with the 9 of a foreigner's.
    if joined[0] != "9" and int(joined[:2]) not in _PROVINCES:
        return True
    start = 0
    for year, month, day in zip(groups, groups[1:], groups[2:], strict=False):
        if start != _BIRTH_AT and len(year) == 4 and year[:2] in ("19", "20") and len(month) <= 2 and len(day) <= 2:
            return True
        start += len(year)
    return False


def _is_resident_id(number: str) -> bool:
    number = number.upper()
    if resident_id_fault(number, today=_LATEST_BIRTH) is not None:
        return False
    return not (number.startswith("9") and _is_credit_code(number))


def _is_credit_code(code: str) -> bool:
    """Whether this is a company's unified social credit code, whose first digit is 9, without a letter in it."""
    if not code.isdecimal():
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_CREDIT_CODE_WEIGHTS, code[:-1], strict=True))
    return -total % 31 == int(code[-1])


def _is_old_resident_id(groups: list[str]) -> bool:
    number = "".join(groups)
    if len(number) != _OLD_ID_LENGTH or not number.isdecimal() or tuple(map(len, groups)) not in _OLD_ID_GROUPS:
        return False
    try:
        date(1900 + int(number[6:8]), int(number[8:10]), int(number[10:12]))
    except ValueError:
        return False
    return int(number[:2]) in _PROVINCES


def _is_phone(groups: list[str]) -> bool:
    if _is_mobile(groups) or _is_landline(groups):
        return True
    code = next((each for each in _COUNTRY if groups[0].startswith(each)), None)
    if code is None:
        return False
    own = [groups[0].removeprefix(code), *groups[1:]]
    own = own if own[0] else own[1:]
    return bool(own) and (_is_mobile(own) or _is_landline(own) or _is_landline([f"0{own[0]}", *own[1:]]))


def _is_mobile(groups: list[str]) -> bool:
    return bool(_MOBILE.fullmatch("".join(groups))) and tuple(map(len, groups)) in _MOBILE_GROUPS


def _is_landline(groups: list[str]) -> bool:
    number = "".join(groups)
    if not _LANDLINE.fullmatch(number):
        return False
    area_code = 3 if number[1] in "12" else 4
    return len(groups) == 1 or (len(groups[0]) == area_code and tuple(map(len, groups[1:])) in _LANDLINE_GROUPS)
