"""A contribution that arrives at O after 已办结, from the feed on the command line to the credit at R; nobody is asked."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.activities.contribution_feeds import contribution, feed
from tests.e2e.books import ledger, register, require_sound
from tests.e2e.case import Case, Desks
from tests.e2e.law_book import decides
from tests.e2e.people import BALANCE_FEN, Registers, at, today
from tests.e2e.system import System, until
from workflows.vocabulary import Role

# Regions that no other test asks about; O of the second keeps balances in the province.
LATE, KEEPS, TO = "150400", "150500", "150600"
EVERYTHING = """query ($no: TransferNo!) { transfer(no: $no) { status fundsStatus allowedActions
  progress { headline money actions } remittances { reference kind status amount { fen } corrects }
  events(first: 50) { edges { node { seq kind step message } } } } }"""


@pytest.fixture(scope="module", autouse=True)
async def _policies(system: System) -> None:
    await decides(system, KEEPS, disposition=[{"disposition": "retain"}])


async def _completed(system: System, registers: Registers, origin: str = LATE) -> Case:
    person = await registers.person(at(origin), at(TO))
    case = Case(system, person, Desks(system, origin, TO))
    await case.submits()
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    if origin == LATE:
        await case.remits()
        await case.receives(case.desks.r_finance, BALANCE_FEN)
    await case.take(case.desks.r_clerk, "confirmContinuation")
    await case.reaches(status="COMPLETED")
    return case


def _line(case: Case, name: str, **changes: str) -> str:
    whose = {"resident_id": case.person.resident_id, "region": case.desks.origin}
    # The month in which the person left, paid late.
    return contribution(contribution_id=name, month=f"{today():%Y-%m}", **whose | changes)


async def _told(case: Case, language: str = "en") -> dict[str, Any]:
    caller = case.system.caller(Role.INSURED_PERSON, resident_id=case.person.resident_id, language=language)
    transfer: dict[str, Any] = (await caller.ask(EVERYTHING, no=case.no))["transfer"]
    return transfer


@asynccontextmanager
async def _nothing_late(system: System) -> AsyncIterator[None]:
    """Nothing is taken from a feed, and no case hears of one. The bank's word of an earlier case may come meanwhile."""

    async def held() -> Any:
        async with system.database() as connection:
            return await connection.fetch(
                """select contribution_id, state, seq from late_contributions union all
                   select transfer_id::text, type, seq from transfer_events where type = 'late_contribution.1' order by 1, 2"""
            )

    before = await held()
    yield
    assert await held() == before


async def test_a_late_contribution_follows_the_person_and_nothing_is_asked_of_them(
    system: System, registers: Registers, tmp_path: Path
) -> None:
    case = await _completed(system, registers)
    file = feed(tmp_path, _line(case, "CF-1", amount_fen="1000"), _line(case, "CF-2", amount_fen="250"))
    said = await system.cli("contributions", "load", file)
    assert (said.code, said.out) == (
        0,
        "2 rows: 2 were taken, 0 known already\n2 to be swept along (AWAITS_SWEEP)\n",
    )
    await case.reaches(status="AWAITING_FUNDS", fundsStatus="REMITTED")
    read, zh = await _told(case), await _told(case, "zh-CN")
    assert [
        (each["reference"][-2:], each["kind"], each["status"], each["amount"]["fen"]) for each in read["remittances"]
    ] == [
        ("01", "TRANSFER", "CREDITED", BALANCE_FEN),
        ("02", "RESIDUAL", "REMITTED", 1_250),
    ]
    assert read["remittances"][1]["corrects"] == read["remittances"][0]["reference"]
    names = await _names(system)
    assert zh["progress"]["money"] == (
        f"原参保地{names[0]}又到账一笔缴费12.50元，银行已汇出，待{names[1]}确认到账，无需您办理。"
    )
    assert "late contribution of 12.50 yuan" in read["progress"]["money"]
    assert zh["progress"]["headline"] == "关系已转入；办结之后转出地又收到缴费，正在补划，无需您办理"
    # The person could ask for their papers, as before, and has nothing to do.
    assert read["progress"]["actions"] == ["DOWNLOAD_DOCUMENTS"]
    assert read["allowedActions"] == ["REISSUE_CERTIFICATE"]
    kinds = [edge["node"]["kind"] for edge in read["events"]["edges"]]
    assert kinds[kinds.index("COMPLETED") + 1 :][:4] == [
        "REOPENED",
        "LATE_CONTRIBUTION",
        "LATE_CONTRIBUTION",
        "FUNDS_ORDERED",
    ]
    late = next(edge["node"] for edge in zh["events"]["edges"] if edge["node"]["kind"] == "LATE_CONTRIBUTION")
    assert "10.00元计入个人账户" in late["message"]
    assert f"该月已计入您在{names[1]}的缴费年限" in late["message"]
    await case.receives(case.desks.r_finance, 1_250)
    done = await case.reaches(status="COMPLETED", fundsStatus="CREDITED")
    assert "8,654.55" in done["progress"]["money"]
    booked = {
        ("PERSONAL_ACCOUNTS", LATE): -BALANCE_FEN,
        ("PERSONAL_ACCOUNTS", TO): BALANCE_FEN + 1_250,
        ("CLEARING", LATE): -1_250,
    }
    await require_sound(system, case, booked=booked)
    held = await register(system, case.person)
    assert held[LATE]["personal_account_fen"] == held[LATE]["frozen_fen"] == 0
    assert held[TO]["personal_account_fen"] == BALANCE_FEN + 1_250
    shown = await system.cli("contributions", "show", "--resident-id", case.person.resident_id, "--json")
    assert [
        (each["contribution_id"], each["state"], each["transfer_no"]) for each in json.loads(shown.out)["contributions"]
    ] == [
        ("CF-1", "SWEPT_ALONG", case.no),
        ("CF-2", "SWEPT_ALONG", case.no),
    ]
    # The same feed once more: known, and nothing moves.
    async with _nothing_late(system):
        again = await system.cli("contributions", "load", file)
        assert (again.code, again.out) == (0, "2 rows: 0 were taken, 2 known already\n")
    why = await system.cli("why", case.no)
    assert "办结后又到账 12.50 元" in why.out


async def test_what_the_province_keeps_is_booked_at_the_old_region_and_the_case_stays_completed(
    system: System, registers: Registers, tmp_path: Path
) -> None:
    case = await _completed(system, registers, KEEPS)
    await system.cli("contributions", "load", feed(tmp_path, _line(case, "BY-1")))

    async def kept() -> bool:
        async with system.database() as connection:
            return await ledger(connection, case) == {("CLEARING", KEEPS): -1_250, ("PERSONAL_ACCOUNTS", KEEPS): 1_250}

    await until(kept)
    read = await _told(case)
    assert (read["status"], read["fundsStatus"], read["remittances"]) == ("COMPLETED", "RETAINED_IN_PROVINCE", [])
    assert [edge["node"]["kind"] for edge in read["events"]["edges"]][-3:] == [
        "REOPENED",
        "LATE_CONTRIBUTION",
        "COMPLETED",
    ]
    assert "by regulation its 12.50 yuan stay" in read["events"]["edges"][-2]["node"]["message"]


async def test_a_bad_feed_is_refused_whole(system: System, registers: Registers, tmp_path: Path) -> None:
    case = await _completed(system, registers)
    async with _nothing_late(system):
        said = await system.cli(
            "contributions", "load", feed(tmp_path, _line(case, "CF-9"), _line(case, "CF-9", amount_fen="1"))
        )
        assert (said.code, said.out) == (1, "line 3, contribution_id: line 2 has this id with another amount_fen\n")
        assert "nothing was loaded: 1 errors in 2 rows" in said.err


async def _names(system: System) -> tuple[str, str]:
    async with system.database() as connection:
        rows = await connection.fetch("select code, name from pooling_regions where code = any($1)", [LATE, TO])
    names = {row["code"]: row["name"] for row in rows}
    return names[LATE], names[TO]
