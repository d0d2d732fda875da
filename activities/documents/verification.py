"""Numbers and codes by which anyone can ask whether a document is genuine. Randomness comes from the caller."""

import re
from typing import Final

# 省简称 by the first two digits of the pooling region's code (GB/T 2260); 66 is the pool of 新疆生产建设兵团.
PROVINCE_SHORT_NAMES: Final = {
    "11": "京", "12": "津", "13": "冀", "14": "晋", "15": "蒙",
    "21": "辽", "22": "吉", "23": "黑",
    "31": "沪", "32": "苏", "33": "浙", "34": "皖", "35": "闽", "36": "赣", "37": "鲁",
    "41": "豫", "42": "鄂", "43": "湘", "44": "粤", "45": "桂", "46": "琼",
    "50": "渝", "51": "川", "52": "贵", "53": "云", "54": "藏",
    "61": "陕", "62": "甘", "63": "青", "64": "宁", "65": "新", "66": "兵",
}  # fmt: skip

# Crockford's base 32: without I, L, O and U, so that a code can be read out over the telephone.
_ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKES: Final = str.maketrans("ILO", "110")
_CODE_LENGTH: Final = 12  # 60 bits
_CODE_BYTES: Final = 8


def certificate_number(region: str, year: int, serial: int) -> str:
    """省简称 + year + serial of six digits or more, e.g. `京2026000042` for region 110000.

    ValueError for a region of no known province, a year that is not of four digits, or a serial below 1.
    """
    short_name = PROVINCE_SHORT_NAMES.get(region[:2])
    if short_name is None or not 1000 <= year <= 9999 or serial < 1:
        raise ValueError(f"no certificate number for region {region}, year {year}, serial {serial}")
    return f"{short_name}{year}{serial:06d}"


def contact_letter_number(region: str, year: int, serial: int) -> str:
    """Region + year + serial of six digits or more, e.g. `3199002026000042`; `region` is that of the agency that writes.

    ValueError for a region that is not of six digits, a year that is not of four, or a serial below 1.
    """
    if re.fullmatch("[0-9]{6}", region) is None or not 1000 <= year <= 9999 or serial < 1:
        raise ValueError(f"no contact letter number for region {region}, year {year}, serial {serial}")
    return f"{region}{year}{serial:06d}"


def verification_code(randomness: bytes) -> str:
    """Twelve characters in groups of four, e.g. `7K3M-0QXZ-9V2C`, from eight random bytes. ValueError for other lengths."""
    if len(randomness) != _CODE_BYTES:
        raise ValueError(f"a verification code needs {_CODE_BYTES} random bytes, not {len(randomness)}")
    number = int.from_bytes(randomness, "big")
    code = "".join(_ALPHABET[number >> (5 * place) & 31] for place in range(_CODE_LENGTH))
    return "-".join(code[start : start + 4] for start in range(0, _CODE_LENGTH, 4))


def normalised_code(typed: str) -> str | None:
    """The code as issued from what a person typed: case, spaces, hyphens and look-alike letters forgiven. None if it cannot be one."""
    code = re.sub(r"[\s\-]", "", typed).upper().translate(_LOOK_ALIKES)
    if len(code) != _CODE_LENGTH or not set(code) <= set(_ALPHABET):
        return None
    return "-".join(code[start : start + 4] for start in range(0, _CODE_LENGTH, 4))
