"""Persons' look-ups that come at once are one statement, and each finds what its own person may see."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from gateway import own_cases
from gateway.own_cases import OwnCases
from tests.activities.register_extracts import LI, WANG
from tests.cases import BEIJING
from tests.conftest import Database
from tests.gateway.window import EMPLOYER, O_CLERK, PERSON, STRANGER, Window, open_window

BY_NO = "query ($no: TransferNo!) { transfer(no: $no) { no } }"


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as each:
        await each.desk.accepted()
        # The stranger is in the registers too: known, and still a stranger to this case.
        await each.desk.cases.registers({"resident_id": LI, "region": BEIJING})
        await each.data(PERSON, BY_NO, no=each.no)
        each.pool.statements.clear()
        yield each


def keys(window: Window, number: str) -> list[bytes]:
    return window.services.keyring.person_keys(number)


async def test_look_ups_of_one_moment_are_one_statement_and_each_sees_its_own(window: Window) -> None:
    asked = [(PERSON, window.no), (STRANGER, window.no), (PERSON, "ZY-319900-20260302-999999"), (PERSON, window.no)]
    answers = await asyncio.gather(*(window.data(viewer, BY_NO, no=no) for viewer, no in asked))
    seen = {"transfer": {"no": window.no}}
    assert answers == [seen, {"transfer": None}, {"transfer": None}, seen]
    # What is not their own may be theirs to see by a mandate: that is asked for each.
    assert len(window.pool.statements) == 3


async def test_those_of_agencies_and_employers_are_statements_of_their_own(window: Window) -> None:
    await asyncio.gather(*(window.data(viewer, BY_NO, no=window.no) for viewer in (O_CLERK, EMPLOYER)))
    # What the employer was shown last is folded from the events: its row stopped before.
    assert len(window.pool.statements) == 3


async def test_a_person_is_found_by_the_key_of_any_version(window: Window) -> None:
    pool: Any = window.pool
    unknown = [bytes(32)]
    found = await OwnCases().state(pool, [*unknown, *keys(window, WANG)], window.no)
    assert found is not None
    assert f'"no": "{window.no}"' in found
    assert await OwnCases().state(pool, unknown, window.no) is None
    assert await OwnCases().state(pool, keys(window, LI), window.no) is None


async def test_who_leaves_takes_nothing_from_the_others(window: Window) -> None:
    cases, pool = OwnCases(), window.pool
    staying, leaving = (asyncio.create_task(cases.state(pool, keys(window, WANG), window.no)) for _ in range(2))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    leaving.cancel()
    assert await staying is not None
    assert leaving.cancelled()
    assert len(window.pool.statements) == 1


async def test_what_the_database_refuses_every_look_up_hears(window: Window) -> None:
    cases, pool = OwnCases(), window.pool
    await window.desk.db.execute("revoke select on transfers from yibao_gateway")
    wanted = [cases.state(pool, keys(window, WANG), window.no) for _ in range(2)]  # type: ignore[arg-type]
    refused = await asyncio.gather(*wanted, return_exceptions=True)
    assert [type(each) for each in refused] == [asyncpg.InsufficientPrivilegeError] * 2
    await window.desk.db.execute("grant select on transfers to yibao_gateway")
    assert await cases.state(pool, keys(window, WANG), window.no) is not None  # type: ignore[arg-type]


async def test_a_statement_has_so_many_look_ups_and_no_more(window: Window, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_cases, "MAX_AT_ONCE", 2)
    cases, pool = OwnCases(), window.pool
    wanted = [cases.state(pool, keys(window, WANG), window.no) for _ in range(5)]  # type: ignore[arg-type]
    assert None not in await asyncio.gather(*wanted)
    assert len(window.pool.statements) == 3
