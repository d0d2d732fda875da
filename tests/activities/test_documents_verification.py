"""Numbers of certificates and letters, and verification codes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.documents.verification import (
    certificate_number,
    contact_letter_number,
    normalised_code,
    verification_code,
)


def test_a_certificate_number_is_province_year_and_serial() -> None:
    assert certificate_number("110000", 2026, 42) == "京2026000042"
    assert certificate_number("319900", 2026, 1) == "沪2026000001"
    assert certificate_number("440343", 2027, 1_234_567) == "粤20271234567"


@pytest.mark.parametrize(("region", "year", "serial"), [("990000", 2026, 1), ("110000", 26, 1), ("110000", 2026, 0)])
def test_a_certificate_number_is_refused_without_province_year_or_serial(region: str, year: int, serial: int) -> None:
    with pytest.raises(ValueError, match=f"no certificate number for region {region}, year {year}, serial {serial}"):
        certificate_number(region, year, serial)


def test_a_contact_letter_number_is_region_year_and_serial() -> None:
    assert contact_letter_number("319900", 2026, 42) == "3199002026000042"
    assert contact_letter_number("440343", 2027, 1_234_567) == "44034320271234567"


@pytest.mark.parametrize(
    ("region", "year", "serial"), [("3199", 2026, 1), ("31990x", 2026, 1), ("319900", 26, 1), ("319900", 2026, 0)]
)
def test_a_contact_letter_number_is_refused_without_region_year_or_serial(region: str, year: int, serial: int) -> None:
    with pytest.raises(ValueError, match=f"no contact letter number for region {region}, year {year}, serial {serial}"):
        contact_letter_number(region, year, serial)


def test_a_verification_code_spells_sixty_bits_without_look_alikes() -> None:
    assert verification_code(bytes(8)) == "0000-0000-0000"
    assert verification_code(b"\xff" * 8) == "ZZZZ-ZZZZ-ZZZZ"
    assert verification_code((1).to_bytes(8, "big")) == "1000-0000-0000"


@pytest.mark.parametrize("length", [0, 7, 9])
def test_a_verification_code_needs_eight_random_bytes(length: int) -> None:
    with pytest.raises(ValueError, match=f"needs 8 random bytes, not {length}"):
        verification_code(bytes(length))


@given(st.binary(min_size=8, max_size=8))
def test_a_code_is_recognised_however_a_person_types_it(randomness: bytes) -> None:
    code = verification_code(randomness)
    assert normalised_code(code) == code
    assert normalised_code(f" {code.lower().replace('-', ' ')} ") == code
    assert normalised_code(code.replace("0", "O").replace("1", "l")) == code


@pytest.mark.parametrize("typed", ["", "7K3M-0QXZ-9V2", "7K3M-0QXZ-9V2CC", "7K3M-0QXZ-9V2U", "京K3M-0QXZ-9V2C"])
def test_what_cannot_be_a_code_is_none(typed: str) -> None:
    assert normalised_code(typed) is None
