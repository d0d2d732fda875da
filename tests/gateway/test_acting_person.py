"""For whom an agency's system acts: the token's `act` claim or the request names them, the directory of staff knows them."""

import json
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.people import person_by_id
from activities.reference import set_policy
from activities.staff_load import load_staff
from gateway.auth import Viewer
from tests.activities.desk import MONDAY, snapshot
from tests.cases import BEIJING, SHANGHAI_POOL
from tests.conftest import Database
from tests.gateway.test_commands import DELIVER, REMIT, ask, carry_out, step
from tests.gateway.test_stopped_clocks import take
from tests.gateway.window import O_CLERK, O_FINANCE, Window, open_window
from workflows.policy import ActingPerson, RegionPolicy
from workflows.vocabulary import Role

RELEASE = step("releaseRemittance", "RemittanceInput")
CHECK = step("checkInformationForm", "TransferInput")
STOP = step("stopCoverage", "StopCoverageInput")
ZERO_WIDTH_JOINER = "\u200d"
DIRECTORY = ["staff_id,subjects,ends_on", "Lee,user-17;lee@work,", "wang-02,user-18,", "chen-03,user-19,2026-03-01"]


def system(signed: str | None = None, region: str = BEIJING) -> Viewer:
    """The agency's system, with the person that its token's `act` claim names."""
    return Viewer(f"system-{region}", (Role.AGENCY_SYSTEM,), region=region, acting_person=signed)


def finance(subject: str, region: str = BEIJING) -> Viewer:
    return Viewer(subject, (Role.FINANCE,), region=region)


async def policy(window: Window, **policy: Any) -> None:
    """From now on; the gateway sees it when it next looks at the directory of regions."""
    own = RegionPolicy(release_threshold_fen=1, **policy)
    await set_policy(window.desk.db, BEIJING, own, date(2026, 1, 1))
    window.now[0] += timedelta(seconds=31)


async def directory(window: Window, folder: Path, lines: Sequence[str] = DIRECTORY, region: str = BEIJING) -> None:
    path = folder / "staff.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    report = await load_staff(window.desk.cases.database.owner_url, path, region, today=MONDAY.date())
    assert report.errors == ()


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the transfer-out agency has delivered its form, and each of its orders takes two people."""
    async with open_window(database) as each:
        await set_policy(each.desk.db, BEIJING, RegionPolicy(release_threshold_fen=1), date(2026, 1, 1))
        await each.desk.accepted()
        await take(each, "03-03", O_CLERK, DELIVER)
        yield each


async def prepares(window: Window, viewer: Viewer, **given: Any) -> None:
    answer = await take(window, "03-04", viewer, REMIT, **given)
    assert answer["event"]["kind"] == "REMITTANCE_PREPARED"


async def refused(window: Window, viewer: Viewer, mutation: str = RELEASE, **given: Any) -> tuple[str, str]:
    """The answer's type and its violation's code, or its message; nothing has changed, and the key is free."""
    if mutation == RELEASE:
        given = {"remittanceReference": f"{window.no}-01"} | given
    before = await snapshot(window.desk.db)
    asked = {"idempotencyKey": secrets.token_hex(12), "transferId": await window.node_id()} | given
    answer = await ask(window, viewer, mutation, **asked)
    assert await snapshot(window.desk.db) == before
    if answer["__typename"] == "ValidationFailed":
        (violation,) = answer["violations"]
        assert violation["path"] == ["input", "actingPerson"]
        return "ValidationFailed", violation["code"]
    return answer["__typename"], answer["message"]


SAME_PERSON = ("StepNotAllowed", "复核或放行的人不能是制作人，请由另一人办理。")


async def releases(window: Window, viewer: Viewer, **given: Any) -> None:
    answer = await take(window, "03-04", viewer, RELEASE, remittanceReference=f"{window.no}-01", **given)
    assert answer["event"]["kind"] == "STEP_DONE"


async def released_by(window: Window) -> str | None:
    """The releasing person on the paper of the order."""
    row = await window.desk.row("select content_sealed from documents where kind = 'REMITTANCE_ORDER'")
    person_id = (await window.desk.state()).person_id
    person = await person_by_id(window.desk.db, window.desk.cases.keyring, person_id)
    assert person is not None
    released: str | None = json.loads(person.data_key.open(row["content_sealed"], b"document"))["released_by"]
    return released


# ------------------------------------------------------------------ without a directory


async def test_a_plain_name_prepares_and_another_releases(window: Window) -> None:
    await prepares(window, system(), actingPerson="li-01")
    for spelling in ("li-01", "LI-01", "Li-01"):
        assert await refused(window, system(), actingPerson=spelling) == SAME_PERSON
    await releases(window, system(), actingPerson="wang-02")
    assert (await window.desk.state()).remittances[0].prepared_by == "li-01"
    assert await released_by(window) == "wang-02"


@pytest.mark.parametrize(
    "spelling",
    ["lee", "LEE", "\uff2cee", f"L{ZERO_WIDTH_JOINER}ee", "Le\u0301e", "L\u00e9e"],
    ids=["case", "capitals", "full width", "zero-width joiner", "combining mark", "precomposed mark"],
)
async def test_no_spelling_that_a_token_signs_makes_a_second_person(window: Window, spelling: str) -> None:
    await prepares(window, finance("Lee"))
    assert await refused(window, system(spelling)) == SAME_PERSON
    assert await refused(window, finance(spelling)) == SAME_PERSON
    assert await refused(window, system(), actingPerson="lee") == SAME_PERSON


async def test_a_release_in_nobodys_name_is_refused(window: Window) -> None:
    await prepares(window, system(), actingPerson="lee")
    assert await refused(window, system()) == ("ValidationFailed", "ACTING_PERSON_REQUIRED")
    assert await refused(window, system(), actingPerson="SYSTEM-110000") == (
        "ValidationFailed",
        "ACTING_PERSON_REQUIRED",
    )


async def test_an_order_in_nobodys_name_is_not_prepared_and_its_key_is_free(window: Window) -> None:
    asked = {"idempotencyKey": secrets.token_hex(12), "transferId": await window.node_id()}
    before = await window.desk.state()
    assert (await ask(window, system(), REMIT, **asked))["__typename"] == "StepPending"
    await carry_out(window)
    row = await window.desk.row("select outcome::text, released from commands where kind = 'REMIT_PERSONAL_ACCOUNT'")
    assert ("ACTING_PERSON_REQUIRED" in row["outcome"], row["released"]) == (True, True)
    assert await window.desk.state() == before
    assert await window.desk.db.fetchval("select count(*) from remittances") == 0
    await take(window, "03-04", system(), REMIT, idempotencyKey=asked["idempotencyKey"], actingPerson="lee")
    assert (await window.desk.state()).to_release is not None


async def test_a_person_who_changes_agency_does_not_release_what_they_prepared(window: Window) -> None:
    await prepares(window, finance("Lee"))
    type_name, _ = await refused(window, finance("Lee", SHANGHAI_POOL))
    assert type_name == "StepNotAllowed"
    assert await refused(window, finance("lee")) == SAME_PERSON


async def test_a_form_that_needs_a_checker_is_not_checked_by_another_spelling(database: Database) -> None:
    async with open_window(database) as window:
        await set_policy(window.desk.db, BEIJING, RegionPolicy(form_needs_checker=True), date(2026, 1, 1))
        await window.desk.accepted()
        prepared = await take(window, "03-03", system(), DELIVER, actingPerson="lee")
        assert prepared["event"]["kind"] == "FORM_PREPARED"
        own_token = Viewer("L\u00e9e", (Role.CHECKER,), region=BEIJING)
        assert await refused(window, own_token, CHECK) == SAME_PERSON
        assert await refused(window, system(), CHECK, actingPerson="LEE") == SAME_PERSON
        assert await refused(window, system(), CHECK) == ("ValidationFailed", "ACTING_PERSON_REQUIRED")
        await take(window, "03-03", system("wang-02"), CHECK)


# ------------------------------------------------------------------ the token's claim


async def test_the_token_and_the_request_name_the_same_person(window: Window) -> None:
    both = {"actingPerson": "wang"}
    assert await refused(window, system("lee"), REMIT, **both) == ("ValidationFailed", "ACTING_PERSON_DIFFERS")
    await prepares(window, system("LEE"), actingPerson="lee")
    assert await refused(window, system("lee")) == SAME_PERSON
    await releases(window, system("wang"))


async def test_under_one_key_a_system_asks_for_one_person(window: Window) -> None:
    asked = {"idempotencyKey": secrets.token_hex(12), "transferId": await window.node_id()}
    assert (await ask(window, system("lee"), REMIT, **asked))["__typename"] == "StepPending"
    before = await snapshot(window.desk.db)
    assert (await ask(window, system("wang"), REMIT, **asked))["__typename"] == "IdempotencyConflict"
    assert await snapshot(window.desk.db) == before


async def test_where_the_region_wants_a_signed_name_the_plain_field_is_refused(window: Window) -> None:
    await policy(window, acting_person=ActingPerson.SIGNED)
    plain = await refused(window, system(), REMIT, actingPerson="lee")
    assert plain == ("ValidationFailed", "ACTING_PERSON_NOT_SIGNED")
    await prepares(window, system("lee"), actingPerson="lee")
    assert await refused(window, system(), actingPerson="wang") == ("ValidationFailed", "ACTING_PERSON_NOT_SIGNED")
    await releases(window, system("wang"))


# ------------------------------------------------------------------ the directory of staff


async def test_a_person_of_the_directory_is_one_by_all_their_names(window: Window, tmp_path: Path) -> None:
    await directory(window, tmp_path)
    await prepares(window, system(), actingPerson="lee")
    assert (await window.desk.state()).remittances[0].prepared_by == "Lee"
    for viewer in (finance("user-17"), finance("USER-17"), finance("Lee@work"), system("user-17"), system("lee")):
        assert await refused(window, viewer) == SAME_PERSON
    await releases(window, finance("user-18"))
    assert (await window.desk.state()).remittances[0].prepared_by == "Lee"
    assert await released_by(window) == "wang-02"


async def test_who_prepared_with_their_own_token_does_not_release_by_the_systems_word(
    window: Window, tmp_path: Path
) -> None:
    await prepares(window, finance("user-17"))
    # The agency loads its directory only now.
    await directory(window, tmp_path)
    assert await refused(window, system(), actingPerson="Lee") == SAME_PERSON
    await releases(window, system(), actingPerson="wang-02")


@pytest.mark.parametrize("subject", ["user-99", "user-5"], ids=["of the next agency", "of the one after that"])
async def test_a_person_of_several_agencies_is_one_by_the_subjects_that_they_share(
    window: Window, tmp_path: Path, subject: str
) -> None:
    await directory(window, tmp_path)
    await directory(window, tmp_path, ["staff_id,subjects", "sh-1,user-17;user-99"], SHANGHAI_POOL)
    await directory(window, tmp_path, ["staff_id,subjects", "sz-1,user-99;user-5"], "440300")
    await prepares(window, finance(subject))
    assert await refused(window, system(), actingPerson="lee") == SAME_PERSON
    await releases(window, system(), actingPerson="wang-02")


@pytest.mark.parametrize("stranger", ["nobody", "chen-03", "sh-1"], ids=["unknown", "ended", "of another agency"])
async def test_who_is_not_in_service_by_the_directory_is_refused(window: Window, tmp_path: Path, stranger: str) -> None:
    await directory(window, tmp_path)
    await directory(window, tmp_path, ["staff_id,subjects", "sh-1,user-99"], SHANGHAI_POOL)
    unknown = ("ValidationFailed", "ACTING_PERSON_UNKNOWN")
    assert await refused(window, system(), REMIT, actingPerson=stranger) == unknown
    assert await refused(window, system(stranger), REMIT) == unknown
    # On every step that names a person, also one that takes no second.
    assert await refused(window, system(), STOP, actingPerson=stranger, stoppedOn="2026-03-01") == unknown


async def test_the_last_day_of_service_counts(window: Window, tmp_path: Path) -> None:
    await directory(window, tmp_path, ["staff_id,subjects,ends_on", "chen-03,,2026-03-04"])
    await prepares(window, system(), actingPerson="chen-03")


async def test_where_the_region_wants_the_directory_and_has_none_nobody_is_taken(
    window: Window, tmp_path: Path
) -> None:
    await policy(window, acting_person=ActingPerson.DIRECTORY)
    unknown = ("ValidationFailed", "ACTING_PERSON_UNKNOWN")
    assert await refused(window, system(), REMIT, actingPerson="lee") == unknown
    await directory(window, tmp_path)
    await prepares(window, system(), actingPerson="lee")


async def test_a_repeated_call_is_answered_as_it_was_though_the_person_has_left(window: Window, tmp_path: Path) -> None:
    await directory(window, tmp_path)
    asked = {"idempotencyKey": secrets.token_hex(12), "transferId": await window.node_id(), "actingPerson": "lee"}
    assert (await ask(window, system(), REMIT, **asked))["__typename"] == "StepPending"
    await carry_out(window)
    await directory(window, tmp_path, ["staff_id,subjects", "wang-02,user-18"])
    again = await ask(window, system(), REMIT, **asked)
    assert (again["__typename"], again["replayed"]) == ("StepPayload", True)


async def test_a_persons_own_step_that_takes_no_second_costs_no_look_into_the_directory(window: Window) -> None:
    statements = window.pool.statements
    statements.clear()
    await refused(window, O_CLERK, STOP, stoppedOn="2026-03-01")
    assert not [each for each in statements if "staff" in each]
    await prepares(window, O_FINANCE)
    assert len([each for each in statements if "staff" in each]) == 2  # asked twice: at first, and once carried out
