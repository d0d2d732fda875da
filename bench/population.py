"""Synthetic persons, as the registers' extracts have them: insured in Beijing until lately, now in Shanghai."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from workflows.identity import check_digit

ORIGIN: Final = "110000"
DESTINATION: Final = "319900"
BALANCE_FEN: Final = 864_205
HEADER: Final = "resident_id,name,region,scheme,status,stopped_on,enrolled_on,personal_account_fen,contribution_months"
FAMILY_NAMES: Final = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"
GIVEN_NAMES: Final = "安宁清远思齐明哲嘉禾若水云舒景行"


class Person(NamedTuple):
    """Nobody has this number: the days of birth and serials run through all there are."""

    resident_id: str
    name: str


def persons() -> Iterator[Person]:
    """As many different persons as are asked for."""
    born_first = date(1965, 1, 1)
    for number in range(12_000 * 900):
        born = born_first + timedelta(days=number % 12_000)
        first = f"110101{born:%Y%m%d}{number // 12_000:03}"
        family = FAMILY_NAMES[number % len(FAMILY_NAMES)]
        given = GIVEN_NAMES[number // 7 % len(GIVEN_NAMES)] + GIVEN_NAMES[number // 11 % len(GIVEN_NAMES)]
        yield Person(first + check_digit(first), family + given)


def write_extract(path: Path, count: int, today: date) -> list[Person]:
    """Write the rows of `count` persons, two each, and return the persons."""
    this_month = today.replace(day=1)
    stopped_on = this_month - timedelta(days=1)
    made = [person for person, _ in zip(persons(), range(count), strict=False)]
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{HEADER}\n")
        for person in made:
            file.write(
                f"{person.resident_id},{person.name},{ORIGIN},EMPLOYEE,STOPPED,{stopped_on},2014-07-01,{BALANCE_FEN},"
                f"d201001-201406;201407-202012;202203-{stopped_on:%Y%m}\n"
                f"{person.resident_id},{person.name},{DESTINATION},EMPLOYEE,ACTIVE,,{this_month},0,"
                f"{today:%Y%m}-{today:%Y%m}\n"
            )
    return made
