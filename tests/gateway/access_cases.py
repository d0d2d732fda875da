"""One transfer that has everything, and a caller of each relation to it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

from gateway.access_model import Relation
from gateway.auth import Viewer
from stack.postgres import PostgresServer
from tests.activities.desk import MONDAY, THURSDAY, TUESDAY, WEDNESDAY
from tests.activities.register_extracts import LI, WANG
from tests.cases import BEIJING, DESTINATION, EMPLOYER_ID, SHANGHAI_POOL
from tests.cases import O_CLERK as OUT_CLERK
from tests.cases import O_FINANCE as OUT_FINANCE
from tests.cases import R_CLERK as IN_CLERK
from tests.conftest import fresh_database
from tests.gateway.test_mandates import granted
from tests.gateway.window import Window, open_window
from workflows import commands as c
from workflows.coverage_gap import CoverageGap
from workflows.vocabulary import AGENCY_STAFF, CorrectionReason, Role

R = Relation
# Insured and in no relation to anybody here.
NOBODY = "110101195001010033"
# Whose roles a relation can have.
ROLES: dict[Relation, tuple[Role, ...]] = {
    R.SELF: (Role.INSURED_PERSON,),
    R.MANDATE: (Role.INSURED_PERSON,),
    R.EMPLOYER: (Role.EMPLOYER,),
    R.FORMER_EMPLOYER: (Role.EMPLOYER,),
    R.TRANSFER_OUT: AGENCY_STAFF,
    R.TRANSFER_IN: AGENCY_STAFF,
    R.SUPERVISOR: (Role.SUPERVISOR,),
    R.OPERATOR: (Role.OPERATOR,),
    R.OTHER_AGENCY: AGENCY_STAFF,
    R.NONE: (Role.INSURED_PERSON, Role.EMPLOYER, Role.SUPERVISOR),
}
SUBJECTS = {R.MANDATE: "agent-1", R.EMPLOYER: DESTINATION["employer_id"], R.FORMER_EMPLOYER: EMPLOYER_ID}
REGIONS = {R.TRANSFER_OUT: BEIJING, R.TRANSFER_IN: SHANGHAI_POOL, R.SUPERVISOR: "310000", R.OTHER_AGENCY: "440300"}
NUMBERS = {R.SELF: WANG, R.MANDATE: LI, R.NONE: NOBODY}
ARREARS = {"arrears_fen": "120000", "arrears_from": "2025-01", "arrears_to": "2025-03"}
ORIGIN = {"status": "ACTIVE", "stopped_on": "", **ARREARS}
NOTE = "王思琪的电话是13800000000"


def caller(relation: Relation, role: Role | None = None) -> Viewer:
    """A caller who is that to the transfer, in `role` or in the first that they can have."""
    role = role or ROLES[relation][0]
    region = REGIONS.get(relation, "330100" if role is Role.SUPERVISOR else None)
    number = NUMBERS[relation] if role is Role.INSURED_PERSON else None
    subject = SUBJECTS.get(relation, f"{role.lower()}-{region or number or relation.lower()}")
    return Viewer(subject, (role,), region=region, resident_id=number)


CALLERS = {relation: caller(relation) for relation in ROLES}


@asynccontextmanager
async def open_everything(server: PostgresServer, template: str) -> AsyncIterator[Window]:
    """A window on that transfer, in a database of its own: the tests of a module look at it in turn."""
    async with (
        fresh_database(server, template) as database,
        open_window(database, origin=ORIGIN, request_stop=True) as window,
    ):
        await everything_happens(window)
        yield window


async def everything_happens(window: Window) -> None:
    """Arrears warned of, coverage stopped, form delivered, money sent, form disputed; and then a gap and an end noted.

    No life of a transfer has all fields at once: the last two are written into what is stored. The former employer of the
    transfer-out side stopped being it after all of that.
    """
    desk = window.desk
    await desk.open()
    await desk.take(c.StopCoverage(stopped_on=MONDAY.date()), OUT_CLERK, MONDAY)
    await desk.steps.issue_certificate(await desk.clock(MONDAY))
    await desk.take(c.DeliverInformationForm(note=NOTE), OUT_CLERK, TUESDAY)
    await desk.take(c.RemitPersonalAccount(), OUT_FINANCE, WEDNESDAY)
    await desk.steps.note_bank_took_order(await desk.bank_word())
    await desk.take(c.RequestCorrection(reason=CorrectionReason.AMOUNT_DISPUTED, note=NOTE), IN_CLERK, WEDNESDAY)
    window.now[0] = THURSDAY
    await granted(window, validUntil="2026-03-31")
    gap = CoverageGap(stopped_on=MONDAY.date(), closes_on=date(2026, 6, 30))
    noted = {"gap": gap.model_dump(mode="json"), "closed_at": THURSDAY.isoformat()}
    await desk.db.execute("update transfers set state = state || $1::jsonb", json.dumps(noted))
    yesterday = THURSDAY.date() - timedelta(days=1)
    await desk.db.execute("update enrolments set stopped_on = $1 where employer_id = $2", yesterday, EMPLOYER_ID)
