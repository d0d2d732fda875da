"""A person's consent at a window: recorded with its reason, seen and taken back by the person, used by that agency alone."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from activities.keyring import Keyring
from gateway.auth import Viewer
from gateway.types.reference import node_id
from tests.activities.desk import MONDAY, TUESDAY, changed, snapshot
from tests.activities.register_extracts import LI
from tests.cases import DESTINATION, ORIGIN
from tests.gateway.test_ties import (
    ALL_OF_IT,
    CLERK,
    ELIGIBILITY,
    ERRORS,
    GUANGZHOU_CLERK,
    HANGZHOU,
    IN,
    KEY,
    NOBODY,
    PERSON,
    SUBMIT,
    SYSTEM,
    VICTIM,
    ask,
    codes,
    window,
)
from tests.gateway.window import EMPLOYER, O_FINANCE, OPERATOR, SUPERVISOR, Window
from workflows.messages import ClockOrder, StepOrder
from workflows.vocabulary import Role

__all__ = ["window"]

UNTIED = ["AGENT_NOT_AUTHORISED", "NOT_ENROLLED_AT_DESTINATION"]
OTHER_WINDOW = Viewer("clerk-440300", (Role.CLERK,), region="440300")
OTHER_PERSON = Viewer("person-7", (Role.INSURED_PERSON,), resident_id=LI)
REASON = "本人到窗口咨询医保关系转移接续"
CONSENT = "{ id agency { region { code } } givenAt validUntil reason revokedAt }"
RECORD = f"""mutation ($input: RecordConsentInput!) {{ recordConsent(input: $input) {{ __typename
    ... on RecordConsentPayload {{ replayed consent {CONSENT} }} {ERRORS} }} }}"""
REVOKE = f"""mutation ($input: RevokeConsentInput!) {{ revokeConsent(input: $input) {{ __typename
    ... on RevokeConsentPayload {{ replayed consent {CONSENT} }} {ERRORS} }} }}"""
CONSENTS = f"{{ viewer {{ consents {CONSENT} }} }}"


async def record(window: Window, viewer: Viewer = CLERK, **given: Any) -> dict[str, Any]:
    return await ask(window, viewer, RECORD, **{"idempotencyKey": KEY, "residentId": VICTIM, "reason": REASON} | given)


async def revoke(window: Window, viewer: Viewer, consent: str, key: str = f"{KEY}-revoke") -> dict[str, Any]:
    return await ask(window, viewer, REVOKE, idempotencyKey=key, consentId=consent)


async def consents(window: Window, viewer: Viewer = PERSON) -> list[dict[str, Any]]:
    listed = (await window.data(viewer, CONSENTS))["viewer"]["consents"]
    assert isinstance(listed, list)
    return listed


async def test_a_consent_is_recorded_done_seen_by_the_person_and_replayed(window: Window) -> None:
    before = await snapshot(window.desk.db)
    answer = await record(window)
    consent = answer["consent"]
    assert answer == {
        "__typename": "RecordConsentPayload",
        "replayed": False,
        "consent": {
            "id": consent["id"],
            "agency": {"region": {"code": HANGZHOU}},
            "givenAt": "2026-03-02T09:00:00+08:00",
            "validUntil": "2026-03-02",
            "reason": REASON,
            "revokedAt": None,
        },
    }
    assert changed(before, await snapshot(window.desk.db)) == {"commands"}
    row = await window.desk.row("select * from commands where kind = 'RECORD_CONSENT'")
    assert json.loads(row["actor"])["subject"] == CLERK.subject
    assert (row["received_at"], row["carried_out_at"]) == (MONDAY, MONDAY)
    # Done as it is recorded: no sweeper and no workflow has to do with it.
    assert json.loads(row["outcome"]) == {"kind": "DONE"}
    assert (row["transfer_id"], row["refusal_no"], row["released"]) == (None, None, False)
    # The next day, too, the same call has the same answer.
    window.now[0] = TUESDAY
    assert await record(window) == answer | {"replayed": True}
    assert await consents(window) == [consent]
    assert await consents(window, OTHER_PERSON) == []
    assert (await record(window, reason="另一事由"))["__typename"] == "IdempotencyConflict"


@pytest.mark.parametrize("viewer", [CLERK, SYSTEM], ids=["clerk", "system"])
async def test_the_agency_sees_everything_to_the_end_of_the_last_day_and_no_other_agency_does(
    window: Window, viewer: Viewer
) -> None:
    assert await codes(window) == UNTIED
    await record(window, viewer, validUntil="2026-03-03")
    for each in (CLERK, SYSTEM):
        assert await codes(window, each) == sorted(ALL_OF_IT)
    assert await codes(window, OTHER_WINDOW, toRegion="440300") == UNTIED
    midnight = datetime(2026, 3, 4, tzinfo=MONDAY.tzinfo)
    window.now[0] = midnight - timedelta(microseconds=1)
    assert await codes(window) == sorted(ALL_OF_IT)
    window.now[0] = midnight
    assert await codes(window) == UNTIED


async def test_the_consent_of_another_person_or_at_another_window_opens_nothing(window: Window) -> None:
    await record(window, residentId=LI)
    await record(window, OTHER_WINDOW, idempotencyKey=f"{KEY}-2")
    assert await codes(window) == UNTIED
    before = await snapshot(window.desk.db)
    refused = await ask(window, CLERK, SUBMIT, idempotencyKey=f"{KEY}-s", residentId=VICTIM, **IN)
    assert sorted(each["code"] for each in refused["findings"]) == UNTIED
    assert changed(before, await snapshot(window.desk.db)) == {"commands"}
    assert await codes(window, number=LI) == ["NOT_ENROLLED_AT_DESTINATION"]
    assert await codes(window, OTHER_WINDOW, toRegion="440300") == sorted(ALL_OF_IT)


async def test_the_person_takes_it_back_and_it_ends_at_once(window: Window) -> None:
    consent = (await record(window, validUntil="2026-03-31"))["consent"]
    window.now[0] = TUESDAY
    answer = await revoke(window, PERSON, consent["id"])
    ended = consent | {"revokedAt": "2026-03-03T09:00:00+08:00"}
    assert answer == {"__typename": "RevokeConsentPayload", "replayed": False, "consent": ended}
    assert await codes(window) == UNTIED
    assert await revoke(window, PERSON, consent["id"]) == answer | {"replayed": True}
    # Taken back once more, it has ended as it ended.
    window.now[0] = TUESDAY + timedelta(days=1)
    again = await revoke(window, PERSON, consent["id"], f"{KEY}-again")
    assert again == {"__typename": "RevokeConsentPayload", "replayed": False, "consent": ended}
    assert await consents(window) == [ended]
    # A new consent is another one.
    await record(window, idempotencyKey=f"{KEY}-new")
    assert await codes(window) == sorted(ALL_OF_IT)


async def test_nobody_but_the_person_takes_a_consent_back_and_what_is_not_theirs_is_not_there(window: Window) -> None:
    consent = (await record(window))["consent"]
    before = await snapshot(window.desk.db)
    missing = await revoke(window, PERSON, node_id("Consent", "0" * 64))
    assert missing == {"__typename": "ConsentNotFound", "code": "NOT_FOUND", "message": "You have no such consent."}
    assert await revoke(window, OTHER_PERSON, consent["id"]) == missing
    for other in ("", "x", node_id("Mandate", "0" * 64), node_id("Consent", ""), "\u0000"):
        assert await revoke(window, PERSON, other) == missing, other
    given = {"idempotencyKey": KEY, "consentId": consent["id"]}
    for viewer in (CLERK, SYSTEM, EMPLOYER, O_FINANCE, SUPERVISOR, OPERATOR):
        assert (await window.error(viewer, REVOKE, input=given))["extensions"]["code"] == "FORBIDDEN"
        assert (await window.error(viewer, CONSENTS))["extensions"]["code"] == "FORBIDDEN"
    assert await snapshot(window.desk.db) == before
    assert await codes(window) == sorted(ALL_OF_IT)


async def test_only_a_window_records_a_consent(window: Window) -> None:
    before = await snapshot(window.desk.db)
    given = {"idempotencyKey": KEY, "residentId": VICTIM, "reason": REASON}
    for viewer in (PERSON, EMPLOYER, O_FINANCE, SUPERVISOR, OPERATOR):
        assert (await window.error(viewer, RECORD, input=given))["extensions"]["code"] == "FORBIDDEN"
    assert await snapshot(window.desk.db) == before


async def test_the_answer_does_not_say_whether_any_register_has_the_person(window: Window) -> None:
    known = await record(window)
    unknown = await record(window, idempotencyKey=f"{KEY}-2", residentId=NOBODY)
    assert unknown["consent"].pop("id") != known["consent"].pop("id")
    assert unknown == known
    # Nothing of either is in clear.
    rows = await window.desk.db.fetch("select row_to_json(c)::text from commands c where kind = 'RECORD_CONSENT'")
    stored = "".join(row[0] for row in rows)
    assert len(rows) == 2
    for secret in (REASON, VICTIM, NOBODY, REASON.encode().hex(), VICTIM.encode().hex()):
        assert secret not in stored
    nobody = Viewer("person-8", (Role.INSURED_PERSON,), resident_id=NOBODY)
    assert [each["reason"] for each in await consents(window, nobody)] == [REASON]
    assert await codes(window, number=NOBODY) == ["NOT_ENROLLED_AT_DESTINATION", "NO_RECORD_AT_ORIGIN"]


async def test_the_reason_is_gone_with_the_persons_key(window: Window) -> None:
    await record(window)
    await window.desk.db.execute("update persons set wrapped_key = ''")
    assert [each["reason"] for each in await consents(window)] == [None]


async def test_a_consent_outlives_the_change_of_the_keyring(window: Window) -> None:
    old = window.services.keyring
    await record(window)
    rotated = Keyring("new", {**old._keys, "new": bytes(range(32))})
    window.services = replace(window.services, keyring=rotated)
    assert await codes(window) == sorted(ALL_OF_IT)
    (consent,) = await consents(window)
    assert (consent["reason"], consent["revokedAt"]) == (REASON, None)
    assert (await revoke(window, PERSON, consent["id"]))["__typename"] == "RevokeConsentPayload"
    assert await codes(window) == UNTIED


INVALID: list[tuple[dict[str, Any], str, str]] = [
    ({"residentId": ""}, "residentId", "RESIDENT_ID_REQUIRED"),
    ({"residentId": "110101199003071234"}, "residentId", "RESIDENT_ID_INVALID"),
    ({"reason": " "}, "reason", "EMPTY"),
    ({"reason": "注" * 501}, "reason", "TOO_LONG"),
    ({"reason": "a\u0000b"}, "reason", "CONTROL_CHARACTER"),
    ({"reason": f"身份证号{VICTIM}"}, "reason", "PERSONAL_NUMBER_IN_TEXT"),
    ({"reason": "联系电话１３８００１３８０００"}, "reason", "PERSONAL_NUMBER_IN_TEXT"),
    ({"validUntil": "2026-03-01"}, "validUntil", "IN_THE_PAST"),
    ({"validUntil": "2026-04-02"}, "validUntil", "TOO_FAR_AHEAD"),
    ({"idempotencyKey": "short"}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
]


async def test_what_cannot_be_recorded_changes_nothing_and_leaves_the_key_free(window: Window) -> None:
    before = await snapshot(window.desk.db)
    for given, field, code in INVALID:
        failed = await record(window, **given)
        assert failed["__typename"] == "ValidationFailed", given
        assert [(each["path"], each["code"]) for each in failed["violations"]] == [(["input", field], code)]
        assert VICTIM not in str(failed)
    assert await snapshot(window.desk.db) == before
    assert (await record(window, validUntil="2026-04-01"))["__typename"] == "RecordConsentPayload"


# ------------------------------------------------------------------ what was rightly taken goes on


@pytest.fixture
async def moving(window: Window) -> Window:
    """Another person, stopped in Guangzhou, whom Hangzhou's register does not know yet."""
    await window.desk.cases.registers(ORIGIN | {"resident_id": NOBODY, "region": "440100"})
    return window


async def test_an_application_taken_on_a_consent_goes_on_when_the_consent_has_ended(moving: Window) -> None:
    person = Viewer("person-8", (Role.INSURED_PERSON,), resident_id=NOBODY)
    consent = (await record(moving, residentId=NOBODY))["consent"]
    given = {"idempotencyKey": f"{KEY}-s", "residentId": NOBODY, "waitForRegister": True, **IN}
    assert (await ask(moving, CLERK, SUBMIT, **given))["__typename"] == "StepPending"
    row = await moving.desk.row("select * from commands where outcome is null")
    assert json.loads(row["input"])["tie"] == "CONSENT"
    await revoke(moving, person, consent["id"])
    order = StepOrder(transfer_id=row["transfer_id"], after_seq=0, command_id=row["command_id"])
    await moving.desk.steps.open_transfer(order)
    transfer = (await ask(moving, CLERK, SUBMIT, **given))["transfer"]
    assert transfer["status"] == "SUBMITTED"
    # The registers are asked again for it, still without the consent: what it waited for has come, and it goes on.
    window_now = MONDAY + timedelta(days=2)
    await moving.desk.cases.registers(DESTINATION | {"resident_id": NOBODY, "region": HANGZHOU})
    await moving.desk.db.execute("update enrolments set status = 'ACTIVE', stopped_on = null where region = '330100'")
    state = await moving.desk.cases.state(row["transfer_id"])
    clock = ClockOrder(transfer_id=row["transfer_id"], after_seq=state.revision, now=window_now)
    await moving.desk.steps.recheck_registers(clock)
    assert (await moving.desk.cases.state(row["transfer_id"])).status == "TRANSFERRING_OUT"


async def test_an_application_taken_before_ties_were_recorded_goes_on(moving: Window) -> None:
    await record(moving, residentId=NOBODY)
    given = {"idempotencyKey": f"{KEY}-s", "residentId": NOBODY, "waitForRegister": True, **IN}
    await ask(moving, CLERK, SUBMIT, **given)
    await moving.desk.db.execute("delete from commands where kind = 'RECORD_CONSENT'")
    await moving.desk.db.execute("update commands set input = input - 'tie' where outcome is null")
    row = await moving.desk.row("select * from commands where outcome is null")
    assert "tie" not in json.loads(row["input"])
    order = StepOrder(transfer_id=row["transfer_id"], after_seq=0, command_id=row["command_id"])
    await moving.desk.steps.open_transfer(order)
    assert (await moving.desk.cases.state(row["transfer_id"])).status == "SUBMITTED"


async def test_the_dry_run_and_the_recorded_refusal_give_the_same_reasons(window: Window) -> None:
    for number, viewer in ((1, CLERK), (2, GUANGZHOU_CLERK)):
        dry = await ask(window, viewer, ELIGIBILITY, residentId=VICTIM, **IN)
        given = {"idempotencyKey": f"{KEY}-{number}", "residentId": VICTIM, **IN}
        refused = await ask(window, viewer, SUBMIT, **given)
        shown = [{name: each[name] for name in ("code", "message", "fix", "where")} for each in dry["findings"]]
        assert refused["findings"] == shown
        # A consent that comes later changes nothing of the refusal that is on record.
        await record(window, idempotencyKey=f"{KEY}-c")
        assert await ask(window, viewer, SUBMIT, **given) == refused


async def test_two_windows_consents_are_listed_newest_first(window: Window) -> None:
    first = (await record(window))["consent"]
    window.now[0] = TUESDAY
    second = (await record(window, OTHER_WINDOW, idempotencyKey=f"{KEY}-2", reason="补办"))["consent"]
    assert [each["id"] for each in await consents(window)] == [second["id"], first["id"]]
    assert second["agency"] == {"region": {"code": "440300"}}
