"""What people write in a step: readable where it is shown, nowhere in clear where it is kept, gone with the person's key."""

import hashlib
import logging
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import asyncpg
import orjson
import pytest

from activities.reference import set_policy
from gateway.auth import Viewer
from tests.activities.desk import snapshot
from tests.activities.register_extracts import LI, ROW, WANG
from tests.canaries import ENCODINGS, dump, files, found_in, spellings
from tests.cases import SHANGHAI_POOL
from tests.conftest import Database
from tests.gateway.test_commands import DECLINE, DELIVER, KEY, RECEIVE, REMIT, WITHDRAW, ask, step
from tests.gateway.test_stopped_clocks import ACCEPT, CORRECT, LETTER, MAIL, take
from tests.gateway.window import O_CLERK, O_FINANCE, PERSON, R_CLERK, R_FINANCE, SUPERVISOR, Window, open_window
from workflows.policy import RegionPolicy

REISSUE = step("reissueCertificate", "ReasonInput")
RETURN = step("returnTransfer", "ReturnTransferInput")
MATCH = step("matchFunds", "MatchFundsInput")
TERMINATE = step("terminateTransfer", "ReasonInput")
MESSAGES = "query ($no: TransferNo!) { transfer(no: $no) { events(first: 50) { edges { node { kind message } } } } }"
# Each step has a word of its own, with a `+` and a `/` among those of base64.
REISSUED, DELIVERED, DISPUTED, CORRECTED, RECEIVED, MATCHED, ENDED = (
    f"金丝雀{each}の歌唱啾啾" for each in ("补办", "送达", "异议", "更正", "到账", "匹配", "终止")
)
CARRIER, TRACKING = "金丝雀邮政の速递", "CANARY-TRACKING-XYZZY"
REMOVED = {"zh-CN": "（已删除）", "en": "(removed)"}


@pytest.fixture
async def accepted(database: Database) -> AsyncIterator[Window]:
    """Temporal is away; the person's case was accepted on Monday 2026-03-02."""
    async with open_window(database) as each:
        await each.desk.accepted()
        yield each


async def messages(window: Window, viewer: Viewer = R_CLERK, language: Any = "zh-CN") -> str:
    """What the case says of its events, as one text."""
    data = await window.data(viewer, MESSAGES, language, no=window.no)
    return "\n".join(edge["node"]["message"] for edge in data["transfer"]["events"]["edges"])


async def with_a_word_in_every_step(window: Window) -> tuple[str, ...]:
    """A case that differs, is disputed, corrected, matched and ended, each with words; and those words."""
    await take(window, "03-03", PERSON, REISSUE, reason=REISSUED)
    await take(window, "03-03", O_CLERK, DELIVER, note=DELIVERED)
    await take(window, "03-04", R_CLERK, CORRECT, reason="YEARS_DISPUTED", note=DISPUTED)
    await take(window, "03-05", O_CLERK, DELIVER, note=CORRECTED)
    await take(window, "03-05", O_FINANCE, REMIT)
    await window.desk.steps.note_bank_took_order(await window.desk.bank_word())
    advice = {"amount": 419_999, "bankReference": "B-1", "receivedOn": "2026-03-06", "note": RECEIVED}
    await take(window, "03-06", R_FINANCE, RECEIVE, **advice)
    match = {"remittanceReference": f"{window.no}-01", "decision": "ACCEPT_AMOUNT", "reason": MATCHED}
    await take(window, "03-06", R_FINANCE, MATCH, **match)
    await take(window, "03-09", SUPERVISOR, TERMINATE, reason=ENDED)
    return REISSUED, DELIVERED, DISPUTED, CORRECTED, RECEIVED, MATCHED, ENDED


async def test_no_word_of_a_step_nor_the_person_is_kept_in_clear(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    owner = await asyncpg.connect(database.owner_url)
    since = await owner.fetchval("select pg_current_wal_lsn()::text")
    async with open_window(database) as window:
        await window.desk.accepted()
        words = await with_a_word_in_every_step(window)
        refused = await ask(window, O_CLERK, RETURN, **await a_return(window, f"电话 138 0013 8000 {CARRIER}"))
        assert refused["__typename"] == "ValidationFailed"
        canaries = (*words, CARRIER, "13800138000", "138 0013 8000", ROW["name"], WANG)
        kept = {name: found for name, data in (await dump(owner)).items() if (found := found_in(data, *canaries))}
        assert kept == {}
        written = {
            name: found for name, data in (await files(owner, since)).items() if (found := found_in(data, *canaries))
        }
        assert written == {}
        assert found_in(caplog.text.encode(), *canaries) == set()
        # Seven steps had a text each.
        assert await owner.fetchval("select count(*) from sealed_texts") == 7
        await window.desk.verify()
    await owner.close()


async def test_the_scan_finds_a_word_in_each_of_nine_encodings_in_tables_and_in_files(
    database: Database,
) -> None:
    owner = await asyncpg.connect(database.owner_url)
    since = await owner.fetchval("select pg_current_wal_lsn()::text")
    await owner.execute("create table planted (encoding text, written bytea, long text)")
    written = [(name, each) for name in ENCODINGS for each in spellings(DISPUTED)[name]]
    for name, each in written:
        await owner.execute("insert into planted values ($1, $2)", name, b"before" + each + b"after")
        assert (DISPUTED, name) in found_in(b"x" + each + b"x", DISPUTED)
    assert len(ENCODINGS) == 9
    everywhere = {(DISPUTED, name) for name in ENCODINGS}
    assert found_in((await dump(owner))["planted"], DISPUTED) == everywhere
    beside = await files(owner, since)
    segments = b"".join(data for name, data in beside.items() if name.startswith("pg_wal"))
    tables = b"".join(data for name, data in beside.items() if not name.startswith("pg_wal"))
    assert found_in(segments, DISPUTED) == found_in(tables, DISPUTED) == everywhere
    # Compressed and kept apart, it is found by SQL alone.
    await owner.execute("update planted set written = null")
    await owner.execute(
        "insert into planted (long) values (repeat('x', 20000) || $1 || repeat('y', 2000000))", REISSUED
    )
    assert found_in((await dump(owner))["planted"], DISPUTED, REISSUED) == {(REISSUED, "utf-8")}
    await owner.close()


async def test_words_are_shown_to_who_reads_the_events_and_are_removed_with_the_persons_key(accepted: Window) -> None:
    await with_a_word_in_every_step(accepted)
    shown = await messages(accepted)
    assert [word in shown for word in (DISPUTED, RECEIVED, MATCHED, ENDED)] == [True] * 4
    assert "text:" not in shown
    before = await snapshot(accepted.desk.db)
    await accepted.desk.db.execute("update persons set wrapped_key = ''")
    for language, removed in REMOVED.items():
        shown = await messages(accepted, language=language)
        assert shown.count(removed) == 5
        assert [word in shown for word in (DISPUTED, RECEIVED, MATCHED, ENDED)] == [False] * 4
        assert "text:" not in shown
    # The chain stays whole, and nothing but the key has gone.
    await accepted.desk.verify()
    after = await snapshot(accepted.desk.db)
    assert {name for name in after if before[name] != after[name]} == {"persons"}


async def test_a_step_after_the_key_was_shredded_keeps_no_words(accepted: Window) -> None:
    await accepted.desk.db.execute("update persons set wrapped_key = ''")
    await take(accepted, "03-03", SUPERVISOR, TERMINATE, reason=ENDED)
    assert found_in(b"".join((await dump(accepted.desk.db)).values()), ENDED) == set()
    assert await accepted.desk.db.fetchval("select count(*) from sealed_texts") == 0
    assert REMOVED["en"] in await messages(accepted, language="en")
    await accepted.desk.verify()


async def test_carrier_and_tracking_number_are_sealed_and_told(database: Database) -> None:
    async with open_window(database) as window:
        await set_policy(window.desk.db, SHANGHAI_POOL, RegionPolicy(connected=False), date(2026, 1, 1))
        await window.desk.open()
        await take(window, "03-05", R_CLERK, ACCEPT)
        await take(window, "03-06", R_CLERK, LETTER)
        post = {"item": "CONTACT_LETTER", "carrier": CARRIER, "trackingNo": TRACKING, "sentOn": "2026-03-06"}
        answer = await take(window, "03-06", R_CLERK, MAIL, **post)
        assert answer["event"]["kind"] == "MAIL_RECORDED"
        shown = await messages(window)
        assert (CARRIER in shown, TRACKING in shown) == (True, True)
        assert found_in(b"".join((await dump(window.desk.db)).values()), CARRIER, TRACKING) == set()
        await window.desk.verify()


@pytest.mark.parametrize(
    ("viewer", "query", "given"),
    [
        (PERSON, WITHDRAW, {"reason": ENDED}),
        (O_CLERK, RETURN, {"reason": "NO_RECORD", "note": ENDED}),
    ],
)
async def test_the_words_of_an_end_are_sealed(
    accepted: Window, viewer: Viewer, query: str, given: dict[str, Any]
) -> None:
    await take(accepted, "03-03", viewer, query, **given)
    assert found_in(b"".join((await dump(accepted.desk.db)).values()), ENDED) == set()
    assert await accepted.desk.db.fetchval("select count(*) from sealed_texts") == 1


async def test_the_reasons_of_a_declined_application_are_sealed(database: Database) -> None:
    async with open_window(database) as window:
        await set_policy(window.desk.db, SHANGHAI_POOL, RegionPolicy(connected=False), date(2026, 1, 1))
        await window.desk.open()
        await take(window, "03-05", R_CLERK, DECLINE, reasons=["NOT_ENROLLED_AT_DESTINATION"], note=ENDED)
        assert found_in(b"".join((await dump(window.desk.db)).values()), ENDED) == set()
        assert ENDED in await messages(window)


async def test_the_answer_to_a_step_and_its_followers_read_the_words(accepted: Window) -> None:
    given = {"idempotencyKey": KEY, "reason": "NO_RECORD", "note": ENDED}
    await take(accepted, "03-03", O_CLERK, RETURN, **given)
    query = RETURN.replace("event {", "event { message ")
    answer = await ask(accepted, O_CLERK, query, transferId=await accepted.node_id(), **given)
    assert answer["event"]["message"].endswith(f"经办机构说明：{ENDED}")
    subscription = "subscription ($id: ID!) { transferProgress(transferId: $id) { message } }"
    told = [each async for each in accepted.stream(O_CLERK, subscription, id=await accepted.node_id())]
    assert told[-1]["transferProgress"]["message"].endswith(f"经办机构说明：{ENDED}")


# ------------------------------------------------------------------ the idempotency key


async def test_a_key_is_bound_to_the_words_by_a_hash_that_nobody_can_try_out(accepted: Window) -> None:
    given = {"idempotencyKey": KEY, "transferId": await accepted.node_id(), "reason": "遗失"}
    pending = await ask(accepted, PERSON, REISSUE, **given)
    assert pending["__typename"] == "StepPending"
    before = await snapshot(accepted.desk.db)
    assert (await ask(accepted, PERSON, REISSUE, **given))["__typename"] == "StepPending"
    other = await ask(accepted, PERSON, REISSUE, **given | {"reason": "损坏"})
    assert other["__typename"] == "IdempotencyConflict"
    assert await snapshot(accepted.desk.db) == before
    plain = {
        "mutation": "reissueCertificate",
        "input": {"reason": "遗失", "transfer_id": given["transferId"]},
        "person": "",
    }
    guess = hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()
    assert guess not in str(before["commands"])
    # A key that was bound before words were hashed under a key still finds its command.
    await accepted.desk.db.execute("update commands set input_hash = $1 where kind = 'REISSUE_CERTIFICATE'", guess)
    assert (await ask(accepted, PERSON, REISSUE, **given))["__typename"] == "StepPending"


# ------------------------------------------------------------------ personal numbers


async def a_return(window: Window, note: str) -> dict[str, Any]:
    return {"idempotencyKey": KEY, "transferId": await window.node_id(), "reason": "NO_RECORD", "note": note}


ADVICE = {"amount": 1, "bankReference": "BK1", "receivedOn": "2026-03-02"}
POST = {"item": "CONTACT_LETTER", "trackingNo": "13800138000"}
ACCOUNT = {"bankName": "工商银行", "accountName": "王思琪", "accountNumber": "6222020200112230"}
PAYOUT = step("providePayoutAccount", "PayoutAccountInput")


@pytest.mark.parametrize(
    ("viewer", "query", "given", "field"),
    [
        (PERSON, WITHDRAW, {}, "reason"),
        (PERSON, REISSUE, {}, "reason"),
        (SUPERVISOR, TERMINATE, {}, "reason"),
        (R_CLERK, DECLINE, {"reasons": ["NOT_ENROLLED_AT_DESTINATION"]}, "note"),
        (O_CLERK, RETURN, {"reason": "NO_RECORD"}, "note"),
        (O_CLERK, DELIVER, {}, "note"),
        (R_CLERK, CORRECT, {"reason": "YEARS_DISPUTED"}, "note"),
        (R_FINANCE, RECEIVE, ADVICE, "note"),
        (R_FINANCE, MATCH, {"remittanceReference": "R-1", "decision": "ACCEPT_AMOUNT"}, "reason"),
        (R_CLERK, MAIL, POST, "carrier"),
        (PERSON, PAYOUT, ACCOUNT, "bankName"),
    ],
)
async def test_a_personal_number_in_any_text_is_refused_and_nothing_is_written(
    accepted: Window, viewer: Viewer, query: str, given: dict[str, Any], field: str
) -> None:
    before = await snapshot(accepted.desk.db)
    identifier = await accepted.node_id()
    for number in (LI, "138-0013-8000"):
        asked = {"idempotencyKey": KEY, "transferId": identifier} | given | {field: f"见{number}"}
        refused = await ask(accepted, viewer, query, **asked)
        assert refused["__typename"] == "ValidationFailed"
        assert [(each["path"], each["code"]) for each in refused["violations"]] == [
            (["input", field], "PERSONAL_NUMBER_IN_TEXT")
        ]
        assert number not in str(refused)
    assert await snapshot(accepted.desk.db) == before


async def test_the_refusal_says_why_in_both_languages(accepted: Window) -> None:
    given = await a_return(accepted, WANG)
    told = []
    for language in ("zh-CN", "en"):
        data = await accepted.data(O_CLERK, RETURN, language, input=given)
        told.append(data["returnTransfer"]["violations"][0]["message"])
    chinese, english = told
    assert chinese == "含有身份证号码或电话号码：文字会随案件保存并供他人查看，请删去号码，或只写末四位。"
    assert english == (
        "It contains an identity or phone number. Texts are kept with the case and read by others: "
        "leave the number out, or write its last four digits only."
    )


# ------------------------------------------------------------------ from before texts were sealed


async def test_an_event_from_before_texts_were_sealed_is_read_as_it_is(accepted: Window) -> None:
    await take(accepted, "03-03", O_CLERK, RETURN, reason="NO_RECORD", note="参保地为天津")
    db = accepted.desk.db
    await db.execute("alter table transfer_events disable trigger append_only")
    await db.execute(
        """update transfer_events set event = jsonb_set(event, '{fact,note}', '"参保地为重庆"') where type = 'declined.1'"""
    )
    assert "参保地为重庆" in await messages(accepted)
