"""What people read, in Chinese and English: templates by key, and how dates, months and amounts are written.

Pure, and beside the law: the documents, the API and the operator's view say the same thing in the same words.
"""

import re
from datetime import date
from functools import cache
from typing import Literal

from workflows.words import differences, en, mandates, parties, zh

Language = Literal["zh-CN", "en"]

WORDS: dict[Language, dict[str, str]] = {
    "zh-CN": zh.WORDS | differences.ZH | mandates.ZH | parties.ZH,
    "en": en.WORDS | differences.EN | mandates.EN | parties.EN,
}
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_PLACEHOLDER = re.compile(r"{(\w+)}")


def say(language: Language, key: str, **figures: object) -> str:
    """The words of `key` with `figures` filled in. Raises KeyError for a key or a figure that is not there."""
    return WORDS[language][key].format(**figures)


def knows(language: Language, key: str) -> bool:
    return key in WORDS[language]


@cache
def placeholders(language: Language, key: str) -> frozenset[str]:
    """The names of the figures that the words of `key` need."""
    return frozenset(_PLACEHOLDER.findall(WORDS[language][key]))


def day(language: Language, value: date) -> str:
    """`2026年12月4日`, `4 December 2026`."""
    if language == "en":
        return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"
    return f"{value.year}年{value.month}月{value.day}日"


def month(language: Language, value: str) -> str:
    """`YYYY-MM` as `2015年1月`, `January 2015`."""
    year, number = int(value[:4]), int(value[5:])
    return f"{_MONTHS[number - 1]} {year}" if language == "en" else f"{year}年{number}月"


def yuan(amount_fen: int) -> str:
    """Whole fen as yuan: `1,234.56`."""
    return f"{amount_fen // 100:,}.{amount_fen % 100:02d}"
