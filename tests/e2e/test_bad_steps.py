"""A step out of order, by the wrong one or with a wrong field is answered in words, and changes nothing."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError

from tests.e2e.books import changed, digest, nothing_changes
from tests.e2e.caller import INPUT_OF, PROGRESS, STEP, new_key
from tests.e2e.people import (
    BALANCE_FEN,
    SHENZHEN,
    today,
)
from tests.e2e.standing_cases import ADVICE, REASON, RETURN, STOP, Scene
from tests.e2e.system import System
from workflows.vocabulary import Role


@pytest.mark.parametrize(
    ("case", "who", "mutation", "given", "answer"),
    [
        # Out of order.
        ("opened", "R clerk", "confirmContinuation", {}, "StepNotAllowed"),
        ("opened", "O finance", "remitPersonalAccount", {}, "StepNotAllowed"),
        ("opened", "R finance", "confirmReceipt", ADVICE, "StepNotAllowed"),
        ("opened", "R clerk", "acceptTransfer", {}, "StepNotAllowed"),
        ("opened", "R clerk", "declineTransfer", {"reasons": ["IDENTITY_MISMATCH"]}, "StepNotAllowed"),
        ("opened", "O clerk", "stopCoverage", STOP, "StepNotAllowed"),
        ("stopping", "O clerk", "deliverInformationForm", {}, "StepNotAllowed"),
        ("stopping", "O clerk", "reissueCertificate", REASON, "StepNotAllowed"),
        # Twice.
        ("remitted", "O clerk", "deliverInformationForm", {}, "StepNotAllowed"),
        ("remitted", "O finance", "remitPersonalAccount", {}, "StepNotAllowed"),
        ("completed", "R clerk", "confirmContinuation", {}, "StepNotAllowed"),
        ("completed", "R finance", "confirmReceipt", ADVICE, "StepNotAllowed"),
        # Too late.
        ("remitted", "O clerk", "returnTransfer", RETURN, "StepNotAllowed"),
        # By the wrong side.
        ("opened", "R clerk", "deliverInformationForm", {}, "StepNotAllowed"),
        ("opened", "R clerk", "returnTransfer", RETURN, "StepNotAllowed"),
        ("stopping", "R clerk", "stopCoverage", STOP, "StepNotAllowed"),
        ("remitted", "O clerk", "confirmContinuation", {}, "StepNotAllowed"),
        ("remitted", "O finance", "confirmReceipt", ADVICE, "StepNotAllowed"),
        # By another agency, or another person: it does not exist for them.
        ("opened", "another agency", "deliverInformationForm", {}, "TransferNotFound"),
        ("remitted", "another agency's finance", "confirmReceipt", ADVICE, "TransferNotFound"),
        ("completed", "another agency", "confirmContinuation", {}, "TransferNotFound"),
        ("opened", "another person", "withdrawTransfer", REASON, "TransferNotFound"),
        ("opened", "another person", "reissueCertificate", REASON, "TransferNotFound"),
        # By the wrong role.
        ("opened", "O finance", "deliverInformationForm", {}, "FORBIDDEN"),
        ("opened", "person", "deliverInformationForm", {}, "FORBIDDEN"),
        ("opened", "O clerk", "withdrawTransfer", REASON, "FORBIDDEN"),
        ("opened", "supervisor", "returnTransfer", RETURN, "FORBIDDEN"),
        ("opened", "operator", "deliverInformationForm", {}, "FORBIDDEN"),
        ("remitted", "O clerk", "remitPersonalAccount", {}, "FORBIDDEN"),
        ("remitted", "R clerk", "confirmReceipt", ADVICE, "FORBIDDEN"),
        ("remitted", "R finance", "confirmContinuation", {}, "FORBIDDEN"),
        ("opened", "nobody", "deliverInformationForm", {}, "UNAUTHENTICATED"),
    ],
)
async def test_a_step_out_of_order_or_by_the_wrong_one_is_refused(
    system: System, scene: Scene, case: str, who: str, mutation: str, given: dict[str, Any], answer: str
) -> None:
    transfer = scene.case(case)
    caller = scene.callers()[who]
    async with nothing_changes(system):
        if answer in {"FORBIDDEN", "UNAUTHENTICATED"}:
            document = STEP % (INPUT_OF[mutation], mutation)
            asked = {"idempotencyKey": new_key(), "transferId": transfer.id} | given
            assert await caller.fault(document, input=asked) == answer
            return
        said = await caller.step(mutation, transfer.id, **given)
    assert said["__typename"] == answer, said
    assert said["message"]
    if answer == "StepNotAllowed":
        assert said["transfer"]["no"] == transfer.no
        assert said["allowedActions"] == (await transfer.read(caller))["allowedActions"]


async def test_what_a_caller_may_not_see_is_told_like_what_does_not_exist(system: System, scene: Scene) -> None:
    stranger = system.caller(Role.CLERK, SHENZHEN)
    read = "query ($no: TransferNo!, $id: ID!) { transfer(no: $no) { no } node(id: $id) { id } }"
    nothing = {"transfer": None, "node": None}
    async with nothing_changes(system):
        assert await stranger.ask(read, no=scene.opened.no, id=scene.opened.id) == nothing
        assert await stranger.ask(read, no="ZY-319900-20200101-999999", id="VHJhbnNmZXI6bm9uZQ") == nothing
        unseen = await stranger.step("deliverInformationForm", scene.opened.id)
        for absent in ("", "x", "VHJhbnNmZXI6bm9uZQ", "QWdlbmN5OjExMDAwMA", "🙂" * 50, "a" * 5000):
            assert await stranger.step("deliverInformationForm", absent) == unseen


async def test_nobody_follows_a_case_that_they_may_not_see(system: System, scene: Scene) -> None:
    who = {
        "NOT_FOUND": system.caller(Role.CLERK, SHENZHEN),
        "UNAUTHENTICATED": system.bearer(None),
    }
    for code, caller in who.items():
        headers = caller.headers | {"accept": "text/event-stream"}
        request = {"query": PROGRESS, "variables": {"id": scene.opened.id}}
        answer = await system.http.post(f"{caller.gateway}/graphql", json=request, headers=headers)
        (data,) = [line.removeprefix("data:") for line in answer.text.splitlines() if line.startswith("data: ")]
        assert [error["extensions"]["code"] for error in json.loads(data)["errors"]] == [code]
        async with caller.socket() as socket:
            payload = {"query": PROGRESS, "variables": {"id": scene.opened.id}}
            await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
            message = json.loads(await asyncio.wait_for(socket.recv(), 10))
        assert message["type"] == "error"
        assert [error["extensions"]["code"] for error in message["payload"]] == [code]
    with pytest.raises(ConnectionClosedError, match="4403"):
        async with system.bearer("garbage").socket():
            pass


@pytest.mark.parametrize(
    ("case", "who", "mutation", "given", "path", "code"),
    [
        ("stopping", "O clerk", "stopCoverage", {"stoppedOn": "2199-01-01"}, "stoppedOn", "IN_THE_FUTURE"),
        ("stopping", "O clerk", "stopCoverage", {"stoppedOn": "2014-06-30"}, "stoppedOn", "BEFORE_COVERAGE"),
        ("remitted", "R finance", "confirmReceipt", ADVICE | {"receivedOn": "2199-01-01"}, "receivedOn", "IN_THE_FUTURE"),
        ("remitted", "R finance", "confirmReceipt", ADVICE | {"receivedOn": "2020-01-01"}, "receivedOn", "BEFORE_THE_ORDER"),
        ("remitted", "R finance", "confirmReceipt", {"bankReference": ""}, "bankReference", "EMPTY"),
        ("remitted", "R finance", "confirmReceipt", {"bankReference": "B" * 65}, "bankReference", "TOO_LONG"),
        ("remitted", "R finance", "confirmReceipt", {"bankReference": "B\x00"}, "bankReference", "CONTROL_CHARACTER"),
        ("remitted", "R finance", "confirmReceipt", {"bankReference": "used"}, "bankReference", "ALREADY_USED"),
        ("remitted", "R finance", "confirmReceipt", {"remittanceReference": "other"}, "remittanceReference", "UNKNOWN_REFERENCE"),
        ("opened", "O clerk", "deliverInformationForm", {"personalAccountBalance": 1}, "personalAccountBalance", "DIFFERS_FROM_REGISTER"),
        (
            "opened",
            "O clerk",
            "deliverInformationForm",
            {"personalAccountBalance": BALANCE_FEN + 1, "note": "found more"},
            "personalAccountBalance",
            "MORE_THAN_THE_ACCOUNT_HOLDS",
        ),
        ("opened", "O clerk", "deliverInformationForm", {"contributionPeriods": []}, "contributionPeriods", "EMPTY"),
        (
            "opened",
            "O clerk",
            "deliverInformationForm",
            {"contributionPeriods": [{"firstMonth": "2015-01", "lastMonth": "2015-12"}]},
            "contributionPeriods",
            "DIFFERS_FROM_REGISTER",
        ),
        ("opened", "O clerk", "returnTransfer", RETURN | {"note": " "}, "note", "EMPTY"),
        ("opened", "O clerk", "returnTransfer", RETURN | {"note": "x" * 501}, "note", "TOO_LONG"),
        ("opened", "person", "withdrawTransfer", {"reason": ""}, "reason", "EMPTY"),
        ("opened", "person", "withdrawTransfer", {"reason": "a\x00b"}, "reason", "CONTROL_CHARACTER"),
        ("opened", "R clerk", "declineTransfer", {"reasons": []}, "reasons", "EMPTY"),
        ("opened", "O clerk", "deliverInformationForm", {"idempotencyKey": "short"}, "idempotencyKey", "IDEMPOTENCY_KEY_FORM"),
        ("opened", "O clerk", "deliverInformationForm", {"expectedRevision": -1}, "expectedRevision", "NEGATIVE"),
    ],
)  # fmt: skip
async def test_a_step_with_a_wrong_field_is_a_violation_of_that_field_and_binds_no_key(
    system: System, scene: Scene, case: str, who: str, mutation: str, given: dict[str, Any], path: str, code: str
) -> None:
    transfer = scene.case(case)
    given = {"idempotencyKey": new_key()} | given
    if mutation == "confirmReceipt":
        given = ADVICE | {"receivedOn": today().isoformat(), "bankReference": "BK-fresh"} | given
        if given["bankReference"] == "used":
            given["bankReference"] = f"BK-{scene.completed.no}"
    for _ in range(2):
        # What the registers had against it is on record as a released command with its texts; nothing else is.
        async with nothing_changes_but_released_commands(system):
            answer = await scene.callers()[who].step(mutation, transfer.id, **given)
        assert answer["__typename"] == "ValidationFailed", answer
        assert (answer["violations"][0]["path"], answer["violations"][0]["code"]) == (["input", path], code)
        assert answer["violations"][0]["message"]


@asynccontextmanager
async def nothing_changes_but_released_commands(system: System) -> AsyncIterator[None]:
    bound = "select count(*) from commands where not released"
    async with system.database() as connection:
        before, kept = await digest(connection), await connection.fetchval(bound)
        yield
        assert changed(before, await digest(connection)) <= {"commands", "sealed_texts"}
        assert await connection.fetchval(bound) == kept


@pytest.mark.parametrize(
    "amount",
    [-1, 2**53, 2**63, 1e300, 1.5, 864205.0, "864205", "8642.05", True, None, [1], {"fen": 1}],
    ids=str,
)
async def test_an_amount_that_is_no_whole_number_of_fen_is_refused_before_anything(
    system: System, scene: Scene, amount: Any
) -> None:
    asked = ADVICE | {"idempotencyKey": new_key(), "transferId": scene.remitted.id, "amount": amount}
    async with nothing_changes(system):
        answer = await scene.desks.r_finance.post(STEP % ("ConfirmReceiptInput", "confirmReceipt"), input=asked)
    body = answer.json()
    assert body.get("data") in (None, {"confirmReceipt": None})
    assert {error["extensions"]["code"] for error in body["errors"]} == {"VALIDATION_FAILED"}


@pytest.mark.parametrize(
    ("mutation", "given"),
    [
        ("stopCoverage", {"stoppedOn": "2026-02-30"}),
        ("stopCoverage", {"stoppedOn": "2026-1-1"}),
        ("stopCoverage", {"stoppedOn": "01/02/2026"}),
        ("stopCoverage", {"stoppedOn": 20260101}),
        ("stopCoverage", {"stoppedOn": "0000-01-01"}),
        ("stopCoverage", {}),
        ("deliverInformationForm", {"contributionPeriods": [{"firstMonth": "2015-13", "lastMonth": "2016-01"}]}),
        ("returnTransfer", {"reason": "BECAUSE", "note": "x"}),
        ("declineTransfer", {"reasons": ["NO_SUCH_CODE"]}),
        ("deliverInformationForm", {"expectedRevision": "1"}),
        ("deliverInformationForm", {"expectedRevision": 2**31}),
        ("deliverInformationForm", {"unknownField": 1}),
        ("deliverInformationForm", {"transferId": None}),
    ],
)
async def test_an_input_that_is_not_of_its_type_is_refused_before_anything(
    system: System, scene: Scene, mutation: str, given: dict[str, Any]
) -> None:
    asked = {"idempotencyKey": new_key(), "transferId": scene.stopping.id} | given
    async with nothing_changes(system):
        answer = await scene.desks.o_clerk.post(STEP % (INPUT_OF[mutation], mutation), input=asked)
    assert answer.status_code in {200, 400}
    assert {error["extensions"]["code"] for error in answer.json()["errors"]} == {"VALIDATION_FAILED"}
