"""What the tests of the further rules share: regions with a policy of their own, dates by the published tables, papers."""

import io
import re
import unicodedata
from datetime import date
from typing import Any

from pypdf import PdfReader

from activities.calendar_data import published_editions, statutory_days
from activities.reference import set_policy
from tests.e2e.case import Case
from tests.e2e.people import today
from tests.e2e.system import System
from workflows.policy import RegionPolicy
from workflows.workdays import WorkingCalendar

CALENDAR = WorkingCalendar.of(list(published_editions()), statutory_days())
CHECK = "query ($number: String!, $code: String!) { certificateCheck(number: $number, code: $code) { valid voidedOn } }"


async def decides(system: System, *regions: str, **policy: Any) -> None:
    """Put a policy in force for regions that no other test asks about."""
    async with system.database() as connection:
        for region in regions:
            await set_policy(connection, region, RegionPolicy.model_validate(policy), today())


def working_days_later(count: int, start: date | None = None) -> str:
    """The last day of a period that starts on `start`, which is today unless given."""
    return CALENDAR.add_working_days(start or today(), count).isoformat()


def step(transfer: dict[str, Any], kind: str) -> dict[str, Any]:
    """The latest round of a step."""
    found: dict[str, Any] = [each for each in transfer["steps"] if each["kind"] == kind][-1]
    return found


def open_steps(transfer: dict[str, Any]) -> list[tuple[str, int, str | None]]:
    """Kind, round and due date of every open step."""
    return [
        (each["kind"], each["round"], each["deadline"] and each["deadline"]["dueOn"])
        for each in transfer["steps"]
        if each["state"] == "OPEN"
    ]


def kinds(transfer: dict[str, Any]) -> list[str]:
    return [edge["node"]["kind"] for edge in transfer["events"]["edges"]]


def papers(transfer: dict[str, Any]) -> list[tuple[str, int, bool]]:
    """Kind, version and whether it is void, in the order of their issue."""
    return [(each["kind"], each["version"], each["void"]) for each in transfer["documents"]]


async def pdf(system: System, document: dict[str, Any]) -> str:
    """What a document says, without the spaces that the layout puts between."""
    answer = await system.http.get(document["downloadUrl"])
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    text = "".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.content)).pages)
    # A typeface may draw a radical where the text has the character.
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", text))


async def certificate(system: System, case: Case) -> tuple[str, str]:
    """Number and verification code of the latest certificate."""
    document = [each for each in (await case.read())["documents"] if each["kind"] == "ENROLMENT_CERTIFICATE"][-1]
    found = re.search(r"验证码[:：]?([0-9A-Z-]{6,24}?)(?=[^0-9A-Z-])", await pdf(system, document))
    assert found is not None
    return document["number"], found[1]


async def checked(system: System, number: str, code: str) -> tuple[bool, bool]:
    """What anybody is told about a certificate: whether it is valid, and whether it is known and void."""
    said = (await system.bearer(None).ask(CHECK, number=number, code=code))["certificateCheck"]
    return said["valid"], said["voidedOn"] is not None
