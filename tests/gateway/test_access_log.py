"""Every look at a person's data leaves one entry that says who, in which role, for which purpose, through which operation."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest

from activities.bank.entries import EntryKind
from activities.bank.sending_home import carry_out as send_home
from activities.people import find_person
from gateway.access_looks import open_looker
from gateway.auth import ANONYMOUS, Viewer
from gateway.types.reference import node_id
from tests.activities.bank_messages import DAY, Inbox, advice, entry
from tests.activities.desk import MONDAY, TUESDAY
from tests.activities.register_extracts import LI, WANG
from tests.cases import BALANCE_FEN, BEIJING, EMPLOYER_ID, SHANGHAI_POOL
from tests.conftest import Database
from tests.gateway.test_mandates import GRANT, REGIONS, REVOKE, ask, carry_out, done, grant_input
from tests.gateway.window import (
    EMPLOYER,
    O_CLERK,
    OPERATOR,
    OTHER_CLERK,
    PERSON,
    R_CLERK,
    R_FINANCE,
    STRANGER,
    SUPERVISOR,
    Window,
    downloads_of,
    open_window,
)
from workflows.messages import UnmatchedFundsOrder
from workflows.vocabulary import Role

BY_NO = "query ($no: TransferNo!) { transfer(no: $no) { status } }"
LIST = "{ transfers { edges { node { no } } } }"
NODE = "query ($id: ID!) { node(id: $id) { id } }"
MINE = "{ viewer { transfers { edges { node { no } } } } }"
WORKLIST = "{ viewer { worklist { edges { node { id } } } } }"
MANDATES = "query ($of: ResidentId) { viewer { mandates(residentId: $of) { given { id } held { id } } } }"
ELIGIBILITY = "query ($input: EligibilityInput!) { eligibility(input: $input) { eligible } }"
FOLLOW = "subscription ($id: ID!) { transferProgress(transferId: $id) { seq } }"
ENTRY = "at agency { region { code } } role purpose operation transferNo looks"
LOG = f"query ($first: Int! = 20, $after: String) {{ viewer {{ accessLog(first: $first, after: $after) {{ edges {{ cursor node {{ {ENTRY} }} }} pageInfo {{ hasNextPage endCursor }} }} }} }}"
OWN_LOG = LOG.replace("accessLog(", "ownAccessLog(")
SYSTEM = Viewer("core-110000", (Role.AGENCY_SYSTEM,), region=BEIJING, issuer="https://issuer.example")
KEY = "key-0123456789-abcdef"

Row = tuple[str, str, str | None, str, bool, int]


@dataclass
class Recorder:
    """What a window's access log holds, beginning with what was written since the last question."""

    window: Window
    seen: set[UUID] = field(default_factory=set)

    async def rows(self) -> list[asyncpg.Record]:
        assert await self.window.services.access_log.flush()
        rows = await self.window.desk.db.fetch(
            "select * from access_log order by operation, role, looker_key, transfer_no"
        )
        new = [row for row in rows if row["entry_id"] not in self.seen]
        self.seen.update(row["entry_id"] for row in new)
        return new

    async def looks(self) -> list[Row]:
        """(operation, role, region, purpose, own, looks) of each new entry, all of which are about the person and the transfer."""
        return [
            (row["operation"], row["role"], row["region"], row["purpose"], row["own"], row["looks"])
            for row in await self.rows()
        ]


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person's case waits for the form of the transfer-out agency."""
    async with open_window(database) as each:
        await each.desk.accepted()
        yield each


@pytest.fixture
def log(window: Window) -> Recorder:
    return Recorder(window)


def by(role: str, region: str | None, purpose: str) -> tuple[str, str | None, str, bool, int]:
    return role, region, purpose, False, 1


OWN = ("INSURED_PERSON", None, "OWN_AFFAIRS", True, 1)
OUT = by("CLERK", BEIJING, "CASE_HANDLING")


async def test_each_read_leaves_one_entry_with_the_role_the_purpose_and_the_operation(
    window: Window, log: Recorder
) -> None:
    transfer = await window.node_id()
    (document,) = await window.desk.db.fetch("select document_id from documents where kind = 'ENROLMENT_CERTIFICATE'")
    (item,) = await window.desk.db.fetch("select transfer_id, step, round from work_items")
    await log.rows()
    item_id = node_id("WorkItem", f"{item['transfer_id']}:{item['step']}:{item['round']}")
    check = {"input": REGIONS | {"residentId": WANG}}
    cases: list[tuple[Viewer, str, dict[str, Any], str, tuple[str, str | None, str, bool, int]]] = [
        (PERSON, BY_NO, {"no": window.no}, "transfer", OWN),
        (O_CLERK, BY_NO, {"no": window.no}, "transfer", OUT),
        (R_FINANCE, BY_NO, {"no": window.no}, "transfer", by("FINANCE", SHANGHAI_POOL, "CASE_HANDLING")),
        (EMPLOYER, BY_NO, {"no": window.no}, "transfer", by("EMPLOYER", None, "EMPLOYEE_AFFAIRS")),
        (SUPERVISOR, BY_NO, {"no": window.no}, "transfer", by("SUPERVISOR", "310000", "SUPERVISION")),
        (OPERATOR, BY_NO, {"no": window.no}, "transfer", by("OPERATOR", None, "PLATFORM_OPERATION")),
        (O_CLERK, LIST, {}, "transfers", OUT),
        (O_CLERK, NODE, {"id": transfer}, "node", OUT),
        (R_CLERK, NODE, {"id": node_id("TransferDocument", document["document_id"])}, "node", by("CLERK", SHANGHAI_POOL, "CASE_HANDLING")),
        (O_CLERK, NODE, {"id": item_id}, "node", OUT),
        (PERSON, MINE, {}, "viewer.transfers", OWN),
        (O_CLERK, WORKLIST, {}, "viewer.worklist", OUT),
        (O_CLERK, ELIGIBILITY, check, "eligibility", by("CLERK", BEIJING, "PRE_CHECK")),
        (EMPLOYER, ELIGIBILITY, check, "eligibility", by("EMPLOYER", None, "PRE_CHECK")),
        (PERSON, ELIGIBILITY, {"input": REGIONS}, "eligibility", OWN),
        (PERSON, LOG, {}, "viewer.accessLog", OWN),
        (PERSON, OWN_LOG, {}, "viewer.ownAccessLog", OWN),
    ]  # fmt: skip
    person = await window.desk.db.fetchval("select person_id from transfers")
    for viewer, query, variables, operation, expected in cases:
        await window.data(viewer, query, **variables)
        rows = await log.rows()
        found = [
            (row["operation"], (row["role"], row["region"], row["purpose"], row["own"], row["looks"])) for row in rows
        ]
        assert found == [(operation, expected)], (viewer, query)
        (row,) = rows
        of_transfer = operation.rpartition(".")[2] not in {"eligibility", "accessLog", "ownAccessLog"}
        assert (row["at"], row["person_id"]) == (MONDAY, person)
        assert (row["transfer_no"], row["transfer_id"] is not None) == (window.no if of_transfer else None, of_transfer)


async def test_one_that_is_refused_or_absent_leaves_no_entry(window: Window, log: Recorder) -> None:
    transfer, absent = await window.node_id(), node_id("Transfer", "0192f0c1-2222-7000-8000-000000000001")
    await log.rows()
    withdraw = "mutation ($input: ReasonInput!) { withdrawTransfer(input: $input) { __typename } }"
    for viewer in (OTHER_CLERK, STRANGER, ANONYMOUS):
        for no in (window.no, "ZY-319900-20260302-999999"):
            await window.post(viewer, BY_NO, no=no)
        for identifier in (transfer, absent):
            await window.post(viewer, NODE, id=identifier)
            (body,) = [each async for each in window.bodies(viewer, FOLLOW, id=identifier)]
            assert "errors" in body
            await window.post(
                viewer, withdraw, input={"idempotencyKey": KEY, "transferId": identifier, "reason": "改期"}
            )
        for query in (LIST, MINE, WORKLIST):
            await window.post(viewer, query)
        await window.post(viewer, ELIGIBILITY, input=REGIONS | {"residentId": WANG})
        await window.post(viewer, MANDATES, of=WANG)
    # A number that is in no register.
    await window.data(O_CLERK, ELIGIBILITY, input=REGIONS | {"residentId": LI})
    assert await log.looks() == []
    # The stranger is in no register either: reading their own log is a look at nobody's data.
    await window.data(STRANGER, LOG)
    assert await log.looks() == []


async def test_a_stream_leaves_one_entry_whatever_comes_through_it(window: Window, log: Recorder) -> None:
    transfer = await window.node_id()
    await log.rows()
    stream = window.stream(O_CLERK, FOLLOW, id=transfer)
    for seq in range(1, 4):
        assert await anext(stream) == {"transferProgress": {"seq": seq}}
    await stream.aclose()  # type: ignore[attr-defined]
    assert await log.looks() == [("transferProgress", *OUT)]


async def test_a_mutation_that_shows_the_transfer_is_a_look_and_one_that_is_pending_is_none(
    window: Window, log: Recorder
) -> None:
    given = {"transferId": await window.node_id(), "idempotencyKey": KEY, "actingPerson": "lee"}
    deliver = (
        """mutation ($input: DeliverInformationFormInput!) { deliverInformationForm(input: $input) { __typename } }"""
    )
    remit = """mutation ($input: TransferInput!) { confirmContinuation(input: $input) { __typename } }"""
    await log.rows()
    assert (await ask(window, SYSTEM, deliver, **given))["__typename"] == "StepPending"
    assert await log.looks() == []
    await carry_out(window)
    assert (await ask(window, SYSTEM, deliver, **given))["__typename"] == "StepPayload"
    (row,) = await log.rows()
    assert (row["operation"], row["role"], row["region"]) == ("deliverInformationForm", "AGENCY_SYSTEM", BEIJING)
    assert await looker(window, row) == {
        "subject": "core-110000",
        "issuer": "https://issuer.example",
        "acting_person": "lee",
    }
    refused = given | {"idempotencyKey": f"{KEY}-2", "actingPerson": None, "expectedRevision": 1}
    assert (await ask(window, R_CLERK, remit, **refused))["__typename"] in {"StaleRevision", "StepNotAllowed"}
    assert await log.looks() == [("confirmContinuation", *by("CLERK", SHANGHAI_POOL, "CASE_HANDLING"))]


async def test_an_application_and_its_refusal_are_looks(window: Window, log: Recorder) -> None:
    submit = "mutation ($input: SubmitTransferInput!) { submitTransfer(input: $input) { __typename ... on NotEligible { existing { no } } } }"
    given = REGIONS | {"residentId": WANG}
    refused = await ask(window, O_CLERK, submit, idempotencyKey=KEY, **given)
    assert refused == {"__typename": "NotEligible", "existing": {"no": window.no}}
    assert await log.looks() == [("submitTransfer", *OUT)]
    # Whom the caller may not ask about: nothing was shown.
    await ask(window, STRANGER, submit, idempotencyKey=KEY, **given)
    assert await log.looks() == []
    await window.desk.db.execute("delete from work_items")
    await window.desk.db.execute("update transfers set status = 'WITHDRAWN', closed_at = submitted_at")
    # The desk has made its own number.
    await window.desk.db.execute("select setval('transfer_serial', 100)")
    staff = by("EMPLOYER", None, "EMPLOYEE_AFFAIRS")
    mismatched = given | {"toScheme": "RESIDENT"}
    refused = await ask(window, EMPLOYER, submit, idempotencyKey=KEY, **mismatched)
    assert refused == {"__typename": "NotEligible", "existing": None}
    (row,) = await log.rows()
    assert (row["operation"], row["role"], row["transfer_no"]) == ("submitTransfer", "EMPLOYER", None)
    taken = await done(window, EMPLOYER, submit, idempotencyKey=f"{KEY}-2", **given)
    assert taken == {"__typename": "SubmitTransferPayload"}
    assert await log.looks() == [("submitTransfer", *staff)]


async def test_certificates_and_mandates_are_looks_and_a_mandate_holders_are_shown(
    window: Window, log: Recorder
) -> None:
    certificate = "mutation ($input: RequestCertificateInput!) { requestCertificate(input: $input) { __typename } }"
    given = {"idempotencyKey": KEY, "region": BEIJING, "scheme": "EMPLOYEE", "residentId": WANG}
    assert (await done(window, O_CLERK, certificate, **given))["__typename"] == "RequestCertificatePayload"
    (row,) = await log.rows()
    assert (row["operation"], row["role"], row["own"]) == ("requestCertificate", "CLERK", False)
    assert (row["document_id"] is not None, row["transfer_no"]) == (True, None)
    mandate = (await done(window, PERSON, GRANT, **grant_input()))["mandate"]
    assert await log.looks() == [("grantMandate", *OWN)]
    agent = by("INSURED_PERSON", None, "OWN_AFFAIRS")
    asked: list[tuple[Viewer, dict[str, Any], Any]] = [
        (PERSON, {}, OWN),
        (STRANGER, {}, agent),
        (O_CLERK, {"of": WANG}, OUT),
    ]
    for viewer, variables, expected in asked:
        await window.data(viewer, MANDATES, **variables)
        assert await log.looks() == [("viewer.mandates", *expected)]
    await window.data(STRANGER, BY_NO, no=window.no)
    assert await log.looks() == [("transfer", *agent)]
    await window.data(STRANGER, NODE, id=mandate["id"])
    assert await log.looks() == [("node", *agent)]
    revoke = {"idempotencyKey": f"{KEY}-r", "mandateId": mandate["id"]}
    await done(window, O_CLERK, REVOKE, **revoke)
    assert await log.looks() == [("revokeMandate", *OUT)]
    edges = (await window.data(PERSON, LOG, "en"))["viewer"]["accessLog"]["edges"]
    held = [edge["node"] for edge in edges if edge["node"]["role"] == "INSURED_PERSON"]
    assert {(each["operation"], each["purpose"], each["agency"]) for each in held} == {
        (operation, "Acting for the person under a mandate", None)
        for operation in ("transfer", "viewer.mandates", "node")
    }


async def test_the_person_sees_who_looked_newest_first_in_their_language_and_not_their_own_looks(
    window: Window, log: Recorder
) -> None:
    await window.data(PERSON, BY_NO, no=window.no)
    await window.data(O_CLERK, BY_NO, no=window.no)
    await window.data(O_CLERK, BY_NO, no=window.no)
    window.now[0] = TUESDAY
    await window.data(EMPLOYER, BY_NO, no=window.no)
    # What is noted and not written yet is in the answer.
    page = (await window.data(PERSON, LOG))["viewer"]["accessLog"]
    assert [edge["node"] for edge in page["edges"]] == [
        {
            "at": "2026-03-03T09:00:00+08:00",
            "agency": None,
            "role": "EMPLOYER",
            "purpose": "办理职工参保事务",
            "operation": "transfer",
            "transferNo": window.no,
            "looks": 1,
        },
        {
            "at": "2026-03-02T09:00:00+08:00",
            "agency": {"region": {"code": BEIJING}},
            "role": "CLERK",
            "purpose": "办理转移接续业务",
            "operation": "transfer",
            "transferNo": window.no,
            "looks": 2,
        },
    ]
    assert O_CLERK.subject not in str(page)
    assert EMPLOYER_ID not in str(page)
    first = (await window.data(PERSON, LOG, "en", first=1))["viewer"]["accessLog"]
    assert first["pageInfo"] == {"hasNextPage": True, "endCursor": page["edges"][0]["cursor"]}
    second = (await window.data(PERSON, LOG, "en", first=1, after=first["pageInfo"]["endCursor"]))["viewer"][
        "accessLog"
    ]
    assert [edge["node"]["purpose"] for edge in second["edges"]] == ["Handling of the transfer"]
    assert second["pageInfo"]["hasNextPage"] is False
    await log.rows()
    own = (await window.data(PERSON, OWN_LOG, "en"))["viewer"]["ownAccessLog"]["edges"]
    shown = sorted((edge["node"]["operation"], edge["node"]["looks"]) for edge in own)
    assert shown == [("transfer", 1), *[("viewer.accessLog", 1)] * 3]
    assert (await window.data(STRANGER, LOG))["viewer"]["accessLog"]["edges"] == []
    for viewer in (O_CLERK, EMPLOYER, SUPERVISOR, OPERATOR):
        assert (await window.error(viewer, LOG))["extensions"]["code"] == "FORBIDDEN"
    for after in ("x", page["edges"][0]["cursor"][:-4], "WyI5OTk5LTEyLTMxVDIzOjU5OjU5WiIsIjAiXQ"):
        assert (await window.error(PERSON, LOG, after=after))["extensions"]["code"] == "VALIDATION_FAILED"


async def looker(window: Window, row: asyncpg.Record) -> dict[str, str | None]:
    person = await find_person(window.desk.db, window.services.keyring, WANG)
    assert person is not None
    return open_looker(person.data_key, row["entry_id"], row["looker_sealed"])


async def test_who_looked_is_sealed_under_the_persons_key_and_is_shredded_with_it(
    window: Window, log: Recorder
) -> None:
    await window.data(O_CLERK, BY_NO, no=window.no)
    await window.data(PERSON, BY_NO, no=window.no)
    clerk, person = await log.rows()
    assert (await looker(window, clerk))["subject"] == "clerk-110000"
    assert (await looker(window, person))["subject"] == "person-1"
    stored = await window.desk.db.fetch(
        "select t::text from access_log t union all select t::text from access_lookers t"
    )
    text = " ".join(row[0] for row in stored)
    for subject in ("clerk-110000", "person-1", WANG):
        for form in (subject, subject.encode().hex()):
            assert form not in text
    await window.desk.db.execute("update persons set wrapped_key = ''")
    await window.data(O_CLERK, LIST)
    (row,) = await log.rows()
    assert (row["operation"], row["looker_sealed"], row["looker_key"]) == ("transfers", None, clerk["looker_key"])


async def test_a_transfer_that_unmatched_money_may_belong_to_is_a_look(window: Window, log: Recorder) -> None:
    await window.desk.remitted()
    account = await window.desk.db.fetchval(
        "select receiving_account from pooling_regions where code = $1", SHANGHAI_POOL
    )
    payer = {"other_name": "北京某单位", "other_account": "9999110000871090000"}
    stray = entry(EntryKind.CREDIT, "C1", account, BALANCE_FEN, None, booked_on=DAY, value_on=DAY, **payer)
    await Inbox(window.desk).takes(advice("M1", stray))
    unmatched = "{ viewer { unmatchedFunds { edges { node { id proposals { transferNo } } } } } }"
    (edge,) = (await window.data(R_FINANCE, unmatched))["viewer"]["unmatchedFunds"]["edges"]
    assert edge["node"]["proposals"] == [{"transferNo": window.no}]
    finance = by("FINANCE", SHANGHAI_POOL, "CASE_HANDLING")
    (row,) = await log.rows()
    assert (row["operation"], row["role"], row["region"]) == ("viewer.unmatchedFunds", *finance[:2])
    assert (row["transfer_no"], row["transfer_id"]) == (window.no, window.desk.transfer.transfer_id)
    send = "mutation ($input: SendUnmatchedFundsHomeInput!) { sendUnmatchedFundsHome(input: $input) { __typename } }"
    given = {"idempotencyKey": KEY, "entryId": edge["node"]["id"], "reason": "Paid twice"}
    assert (await ask(window, R_FINANCE, send, **given))["__typename"] == "StepPending"
    command = await window.desk.db.fetchval("select command_id from commands where outcome is null")
    await send_home(window.desk.cases.worker_pool, UnmatchedFundsOrder(command_id=command))
    assert (await ask(window, R_FINANCE, send, **given))["__typename"] == "SendUnmatchedFundsHomePayload"
    assert await log.looks() == [("sendUnmatchedFundsHome", *finance)]


async def test_a_download_is_a_look_by_whom_the_link_was_made_for(window: Window, log: Recorder) -> None:
    query = "query ($no: TransferNo!) { transfer(no: $no) { documents { kind downloadUrl } } }"
    downloads = downloads_of(window.services)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(downloads), base_url="https://gateway.example"
    ) as client:
        for viewer, expected in ((R_CLERK, ("CLERK", SHANGHAI_POOL, "CASE_HANDLING", False)), (PERSON, OWN[:-1])):
            document = (await window.data(viewer, query, no=window.no))["transfer"]["documents"][0]
            (asked,) = await log.rows()
            link = document["downloadUrl"]
            assert viewer.subject not in link
            assert WANG not in link
            assert (await client.get(link)).status_code == 200
            (row,) = await log.rows()
            assert (row["operation"], row["transfer_no"]) == ("documents", window.no)
            assert (row["role"], row["region"], row["purpose"], row["own"]) == expected
            assert str(row["document_id"]) in link
            assert (row["looker_sealed"], row["looker_key"]) == (None, asked["looker_key"])
            # Whoever changes the holder has no good link, and leaves no entry.
            for other in (link.replace("holder=", "holder=x"), re.sub("&holder=[^&]*", "", link)):
                assert other != link
                assert (await client.get(other)).status_code == 403
            assert await log.rows() == []
