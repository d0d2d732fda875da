"""The embedded typeface, and what it cannot show. Never an empty box: a missing character is printed as its code point."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Final

import typst
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

# Noto Sans CJK (SIL Open Font License): every character of GB 2312 and, but for one sign, of GBK; the unified ideographs
# and extension A up to Unicode 12; 2,300 further characters of extensions B to G. No package has a freely licensed
# typeface with the rest of GB 18030. The collection's third face has the glyph forms of mainland China.
FAMILY: Final = "Noto Sans CJK SC"
_FONT_FILE: Final = Path(str(files("noto_cjk_sans_otc"))) / "NotoSansCJK-Regular.ttc"
_FACE: Final = 2


@cache
def typefaces() -> typst.Fonts:
    """The fonts a document may use: ours alone, so that every machine prints the same bytes."""
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[_FONT_FILE.parent])


@cache
def _unprintable() -> re.Pattern[str]:
    """Matches any character without a glyph. A line break is no character."""
    with TTFont(_FONT_FILE, fontNumber=_FACE, lazy=True) as font:
        covered: Mapping[int, str] = font.getBestCmap()
    ranges: list[list[int]] = []
    for code_point in sorted({*covered, ord("\n")}):
        if ranges and ranges[-1][1] == code_point - 1:
            ranges[-1][1] = code_point
        else:
            ranges.append([code_point, code_point])
    return re.compile("[^" + "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges) + "]")


def missing_characters(text: str) -> set[str]:
    """Characters of the text that the typeface lacks, control and invisible characters among them."""
    return set(_unprintable().findall(text))


def printable(text: str) -> str:
    """The text with each missing character as its code point in brackets: `[U+2AED0]`."""
    return _unprintable().sub(lambda match: code_point_name(match[0]), text)


def code_point_name(character: str) -> str:
    return f"[U+{ord(character):04X}]"
