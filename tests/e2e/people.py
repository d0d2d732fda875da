"""Synthetic persons, and the extracts of two agencies' registers that know them. Nobody has these numbers."""

import csv
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from activities.register_load import load_register, today_in_shanghai
from tests.e2e.system import System
from workflows.identity import check_digit

BEIJING, SHANGHAI, SHENZHEN = "110000", "319900", "440300"
BALANCE_FEN = 864_205
EMPLOYER_ID = "91110000600037341L"
FLAGS = (
    *("retired", "deceased", "account_frozen", "unsettled_claims", "current_month_unpaid", "special_personnel"),
    "next_year_enrolled",
)
COLUMNS = (
    *("resident_id", "name", "region", "scheme", "status", "stopped_on", "enrolled_on", "employer_id", *FLAGS),
    *("arrears_fen", "arrears_from", "arrears_to", "personal_account_fen", "contribution_months"),
)


def today() -> date:
    return today_in_shanghai()


def last_of_previous_month() -> date:
    return today().replace(day=1) - timedelta(days=1)


def months_at_origin() -> str:
    return f"d201001-201406;201407-{last_of_previous_month():%Y%m}"


def months_at_destination() -> str:
    return f"{today():%Y%m}-{today():%Y%m}"


def months_after_transfer() -> str:
    """The union of both, as one side shows it when the transfer is done."""
    return f"d201001-201406;201407-{today():%Y%m}"


def stopped() -> dict[str, str]:
    return {"status": "STOPPED", "stopped_on": last_of_previous_month().isoformat()}


def active() -> dict[str, str]:
    return {"status": "ACTIVE", "stopped_on": ""}


@dataclass(frozen=True)
class Person:
    """`origin` and `destination` change what the two registers say; None: that register does not know them."""

    resident_id: str
    name: str = "林晓舟"
    origin: dict[str, str] | None = field(default_factory=dict)
    destination: dict[str, str] | None = field(default_factory=dict)
    elsewhere: tuple[dict[str, str], ...] = ()

    def rows(self) -> Iterator[dict[str, str]]:
        known = {"resident_id": self.resident_id, "name": self.name, "scheme": "EMPLOYEE"}
        at_origin = {
            "region": BEIJING,
            "enrolled_on": "2014-07-01",
            "employer_id": EMPLOYER_ID,
            "personal_account_fen": str(BALANCE_FEN),
            "contribution_months": months_at_origin(),
        }
        at_destination = {
            "region": SHANGHAI,
            "enrolled_on": today().replace(day=1).isoformat(),
            "contribution_months": months_at_destination(),
        }
        if self.origin is not None:
            yield known | at_origin | stopped() | self.origin
        if self.destination is not None:
            yield known | at_destination | active() | self.destination
        for row in self.elsewhere:
            yield known | active() | row


def _numbers() -> Iterator[str]:
    for count in itertools.count():
        born = date(1970, 1, 1) + timedelta(days=count % 11_000)
        first = f"110101{born:%Y%m%d}{count // 11_000:03d}"
        yield first + check_digit(first)


_NUMBERS = _numbers()


def new_resident_id() -> str:
    return next(_NUMBERS)


def at(region: str, **differs: str) -> dict[str, str]:
    """The changes that put a side's row of the standard person into the register of `region`."""
    return {"region": region} | differs


class Registers:
    """What the agencies' core systems know, loaded as their extracts."""

    def __init__(self, system: System, folder: Path) -> None:
        self._system = system
        self._folder = folder
        self._count = itertools.count()

    async def know(self, *persons: Person) -> None:
        """Load the extract with these persons, as `yibao register load` does."""
        file = self.extract(*persons)
        report = await load_register(self._system.stack()["postgres"], self._system.keyring, file)
        assert report.error_count == report.conflict_count == 0, report

    def extract(self, *persons: Person) -> Path:
        """The file of these persons."""
        file = self._folder / f"extract-{next(self._count)}.csv"
        with file.open("w", encoding="utf-8", newline="") as text:
            writer = csv.DictWriter(text, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(row for person in persons for row in person.rows())
        return file

    async def person(
        self, origin: dict[str, str] | None = None, destination: dict[str, str] | None = None, name: str = "林晓舟"
    ) -> Person:
        """One more person, known to both registers."""
        person = Person(new_resident_id(), name, origin or {}, destination or {})
        await self.know(person)
        return person

    async def persons(self, count: int) -> list[Person]:
        """Many at once, all as the standard person."""
        persons = [Person(new_resident_id()) for _ in range(count)]
        await self.know(*persons)
        return persons
