"""Money that is nobody's yet, seen and sent home through the API: by whom, whose, in pages, once, and never on bad input."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from activities.bank.entries import BankEntry, EntryKind
from activities.bank.sending_home import COMMAND, carry_out
from activities.free_text import open_without_person
from gateway.auth import Viewer
from gateway.types.reference import node_id
from tests.activities.bank_messages import DAY, PAYER_NAME, Inbox, advice, entry
from tests.activities.desk import changed, snapshot
from tests.canaries import dump, found_in
from tests.cases import BEIJING, SHANGHAI_POOL
from tests.conftest import Database
from tests.gateway.window import (
    EMPLOYER,
    O_CLERK,
    O_FINANCE,
    OPERATOR,
    PERSON,
    R_CLERK,
    R_FINANCE,
    SUPERVISOR,
    Window,
    open_window,
)
from workflows.messages import UnmatchedFundsOrder
from workflows.vocabulary import Role

R_SYSTEM = Viewer("system-319900", (Role.AGENCY_SYSTEM,), region=SHANGHAI_POOL)
OTHER_SUPERVISOR = Viewer("bureau-110000", (Role.SUPERVISOR,), region=BEIJING)
PAYER_ACCOUNT = "9999110000871090000"
KEY = "key-0123456789-abcdef"
PAGE = """query ($first: Int!, $after: String) { viewer { unmatchedFunds(first: $first, after: $after) {
    edges { cursor node { id bankReference amount { fen } receivedOn ageDays why message agency { region { code } } saidReference
        payerName payerAccount text goingHome proposals { remittanceReference } } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }"""
SEND = """mutation ($input: SendUnmatchedFundsHomeInput!) { sendUnmatchedFundsHome(input: $input) { __typename
    ... on SendUnmatchedFundsHomePayload { replayed unmatchedFunds { id goingHome } }
    ... on UserError { code message } ... on ValidationFailed { violations { path code } } } }"""


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; three sums lie on the account of R's agency and one on O's, each from a day of its own."""
    async with open_window(database) as each:
        await each.desk.db.execute("delete from commands")
        inbox = Inbox(each.desk)
        strays = [await _stray(each, SHANGHAI_POOL, f"C{day}", day) for day in (1, 2, 3)]
        await inbox.takes(advice("M1", *strays, await _stray(each, BEIJING, "C4", 4)))
        yield each


async def _stray(window: Window, region: str, name: str, days: int, **more: Any) -> BankEntry:
    account = await window.desk.db.fetchval("select receiving_account from pooling_regions where code = $1", region)
    on = DAY + timedelta(days=days)
    said = {"other_name": PAYER_NAME, "other_account": PAYER_ACCOUNT, "text": "医保"} | more
    return entry(EntryKind.CREDIT, name, account, days * 100, None, booked_on=on, value_on=on, **said)


async def page(window: Window, viewer: Viewer, first: int = 20, after: str | None = None) -> dict[str, Any]:
    data = await window.data(viewer, PAGE, "en", first=first, after=after)
    found: dict[str, Any] = data["viewer"]["unmatchedFunds"]
    return found


async def references(window: Window, viewer: Viewer, first: int = 20, after: str | None = None) -> list[str]:
    return [each["node"]["bankReference"] for each in (await page(window, viewer, first, after))["edges"]]


async def send(window: Window, viewer: Viewer, **given: Any) -> dict[str, Any]:
    answer = (await window.data(viewer, SEND, "en", input={"idempotencyKey": KEY, "reason": "Paid twice"} | given))[
        "sendUnmatchedFundsHome"
    ]
    assert isinstance(answer, dict)
    return answer


async def first_id(window: Window, viewer: Viewer = R_FINANCE) -> str:
    return str((await page(window, viewer))["edges"][0]["node"]["id"])


async def changes_nothing(window: Window, viewer: Viewer, **given: Any) -> dict[str, Any]:
    before = await snapshot(window.desk.db)
    answer = await send(window, viewer, **given)
    assert await snapshot(window.desk.db) == before
    return answer


# ------------------------------------------------------------------ the list


async def test_the_list_says_what_came_why_it_is_nobodys_and_who_must_act(window: Window) -> None:
    node = (await page(window, R_FINANCE))["edges"][0]["node"]
    agency = await window.desk.db.fetchval("select agency_name from pooling_regions where code = $1", SHANGHAI_POOL)
    assert node == {
        "id": node["id"],
        "bankReference": "C1",
        "amount": {"fen": 100},
        "receivedOn": "2026-03-05",
        # It is Monday the second at this window.
        "ageDays": -3,
        "why": "NO_REFERENCE",
        "message": f"The payer gave no reference: {agency} finds out which order it belongs to, or sends it home.",
        "agency": {"region": {"code": SHANGHAI_POOL}},
        "saidReference": None,
        "payerName": PAYER_NAME,
        "payerAccount": "****0000",
        "text": "医保",
        "goingHome": False,
        "proposals": [],
    }


@pytest.mark.parametrize(
    ("viewer", "sees"),
    [
        (R_FINANCE, ["C1", "C2", "C3"]),
        (R_SYSTEM, ["C1", "C2", "C3"]),
        (SUPERVISOR, ["C1", "C2", "C3"]),
        (O_FINANCE, ["C4"]),
        (OTHER_SUPERVISOR, ["C4"]),
        (Viewer("finance-440300", (Role.FINANCE,), region="440300"), []),
    ],
)
async def test_finance_sees_its_agencys_and_a_supervisor_its_areas(
    window: Window, viewer: Viewer, sees: list[str]
) -> None:
    assert await references(window, viewer) == sees


@pytest.mark.parametrize("viewer", [R_CLERK, O_CLERK, PERSON, EMPLOYER, OPERATOR])
async def test_nobody_else_sees_whose_money_it_may_be_or_sends_it_home(window: Window, viewer: Viewer) -> None:
    given = {"idempotencyKey": KEY, "reason": "x", "entryId": await first_id(window)}
    before = await snapshot(window.desk.db)
    for query, variables in ((PAGE, {"first": 20, "after": None}), (SEND, {"input": given})):
        assert (await window.error(viewer, query, **variables))["extensions"]["code"] == "FORBIDDEN"
    assert await snapshot(window.desk.db) == before


async def test_pages_stay_where_they_are_while_money_comes_and_goes(window: Window) -> None:
    start = await page(window, R_FINANCE, 2)
    cursors = [each["cursor"] for each in start["edges"]]
    assert [each["node"]["bankReference"] for each in start["edges"]] == ["C1", "C2"]
    assert start["pageInfo"] == {
        "hasNextPage": True,
        "hasPreviousPage": False,
        "startCursor": cursors[0],
        "endCursor": cursors[1],
    }
    # One that was read leaves the list, and an older one is put on it.
    await window.desk.db.execute("update bank_entries set state = 'SENT_HOME' where entry_reference = 'C2'")
    older = await _stray(window, SHANGHAI_POOL, "C0", 0)
    await window.desk.db.execute("update bank_cursors set place = ''")
    await Inbox(window.desk).takes(advice("M2", older.model_copy(update={"amount_fen": 7})))
    rest = await page(window, R_FINANCE, 2, cursors[1])
    assert [each["node"]["bankReference"] for each in rest["edges"]] == ["C3"]
    assert (rest["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasPreviousPage"]) == (False, True)
    assert await references(window, R_FINANCE) == ["C0", "C1", "C3"]


@pytest.mark.parametrize(
    ("first", "after", "path"),
    [(0, None, "first"), (51, None, "first"), (2, "nonsense", "after"), (2, "WzFd", "after")],
)
async def test_a_page_that_there_cannot_be_is_refused(window: Window, first: int, after: str | None, path: str) -> None:
    error = await window.error(R_FINANCE, PAGE, first=first, after=after)
    assert error["extensions"]["code"] == "VALIDATION_FAILED"
    assert [each["path"] for each in error["extensions"]["violations"]] == [[path]]


# ------------------------------------------------------------------ sent home


async def test_it_is_recorded_once_though_temporal_is_away_and_goes_home_when_carried_out(window: Window) -> None:
    entry_id = await first_id(window)
    before = await snapshot(window.desk.db)
    assert (await send(window, R_FINANCE, entryId=entry_id))["__typename"] == "StepPending"
    after = await snapshot(window.desk.db)
    assert changed(before, after) == {"commands"}
    # The same again records nothing, another content under the key is refused.
    assert (await send(window, R_FINANCE, entryId=entry_id))["__typename"] == "StepPending"
    assert await snapshot(window.desk.db) == after
    other = await changes_nothing(window, R_FINANCE, entryId=entry_id, reason="Another reason")
    assert other["__typename"] == "IdempotencyConflict"
    row = await window.desk.row("select command_id, kind, input from commands")
    assert row["kind"] == COMMAND
    # Nobody knows yet whose money it is: the reason is sealed under the keyring, in the command and in the entry.
    reason = json.loads(row["input"])["reason"]
    assert open_without_person(window.services.keyring, reason) == "Paid twice"
    assert found_in(b"".join((await dump(window.desk.db)).values()), "Paid twice") == set()
    await carry_out(window.desk.cases.worker_pool, UnmatchedFundsOrder(command_id=row["command_id"]))
    answer = await changes_nothing(window, R_FINANCE, entryId=entry_id)
    assert answer == {
        "__typename": "SendUnmatchedFundsHomePayload",
        "replayed": True,
        "unmatchedFunds": {"id": entry_id, "goingHome": True},
    }
    # Under another key there is nothing left to be sent.
    again = await changes_nothing(window, R_FINANCE, entryId=entry_id, idempotencyKey=f"{KEY}-2")
    assert again["__typename"] == "UnmatchedFundsNotFound"


async def test_only_the_agency_that_has_it_sends_it_home(window: Window) -> None:
    entry_id = await first_id(window)
    assert (await changes_nothing(window, O_FINANCE, entryId=entry_id))["__typename"] == "UnmatchedFundsNotFound"
    given = {"idempotencyKey": KEY, "reason": "x", "entryId": entry_id}
    before = await snapshot(window.desk.db)
    assert (await window.error(SUPERVISOR, SEND, input=given))["extensions"]["code"] == "FORBIDDEN"
    assert await snapshot(window.desk.db) == before


@pytest.mark.parametrize(
    ("given", "violation"),
    [
        ({"reason": " "}, {"path": ["input", "reason"], "code": "EMPTY"}),
        ({"reason": "x" * 501}, {"path": ["input", "reason"], "code": "TOO_LONG"}),
        ({"idempotencyKey": "short"}, {"path": ["input", "idempotencyKey"], "code": "IDEMPOTENCY_KEY_FORM"}),
    ],
)
async def test_bad_input_changes_nothing(window: Window, given: dict[str, Any], violation: dict[str, Any]) -> None:
    answer = await changes_nothing(window, R_FINANCE, **({"entryId": await first_id(window)} | given))
    assert (answer["__typename"], answer["violations"]) == ("ValidationFailed", [violation])


@pytest.mark.parametrize("entry_id", ["nonsense", "", node_id("UnmatchedFunds", "C1"), node_id("Transfer", "C1")])
async def test_what_is_on_no_list_is_not_found(window: Window, entry_id: str) -> None:
    answer = await changes_nothing(window, R_FINANCE, entryId=entry_id)
    assert (answer["__typename"], answer["code"]) == ("UnmatchedFundsNotFound", "NOT_FOUND")
    assert answer["message"] == "There is no such money on your agency's list."


async def test_money_from_an_account_that_nobody_knows_cannot_go_home(window: Window) -> None:
    await window.desk.db.execute("update bank_cursors set place = ''")
    unknown = await _stray(window, SHANGHAI_POOL, "C0", 0, other_account=None)
    await Inbox(window.desk).takes(advice("M2", unknown.model_copy(update={"amount_fen": 7})))
    answer = await changes_nothing(window, R_FINANCE, entryId=await first_id(window))
    assert (answer["__typename"], answer["violations"]) == (
        "ValidationFailed",
        [{"path": ["input", "entryId"], "code": "PAYER_UNKNOWN"}],
    )
