"""The checker can fail: every kind of damage, done behind the database's own guards, is named."""

import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tests.faults import checker, outside_money
from tests.faults.acts import ACTS
from tests.faults.books import Openings
from tests.faults.checker import Report, check
from tests.faults.harms import DAMAGES, DAMAGES_AT_THE_BANK, LAST
from tests.faults.proving_ground import BANK_FILE, ProvingGround


@dataclass(frozen=True)
class Whole:
    """What an act has left behind, with nothing to object to."""

    owner: asyncpg.Connection
    bank: Path
    openings: Openings

    async def report(self, bank: Path | None = None) -> Report:
        return await check(self.owner, bank or self.bank, self.openings)

    @asynccontextmanager
    async def damaged(self, statement: str) -> AsyncIterator[None]:
        """While the block lasts; no trigger and no constraint stops it."""
        # As the checker reads, which reads within it.
        damage = self.owner.transaction(isolation="repeatable_read")
        await damage.start()
        try:
            await self.owner.execute("set local session_replication_role = replica")
            await self.owner.execute(statement)
            yield
        finally:
            await damage.rollback()


After = Callable[[str], Awaitable[Whole]]


@asynccontextmanager
async def carried_out(ground: ProvingGround, name: str) -> AsyncIterator[Whole]:
    scene = await ground.scene(next(act for act in ACTS if act.name == name))
    async with ground.copy_of(scene) as copy:
        assert (await ground.run(scene, copy)).end == 0
        async with ground.owner(copy) as owner:
            whole = Whole(owner, ground.bank_dir(copy) / BANK_FILE, scene.openings)
            assert await whole.report() == Report([], 0)
            yield whole
    await ground.drop(scene)


@pytest.fixture(scope="module")
async def after(ground: ProvingGround) -> AsyncIterator[After]:
    """What the act of that name has left behind, carried out once for all of its damages."""
    known: dict[str, Whole] = {}
    async with AsyncExitStack() as opened:

        async def carry_out(name: str) -> Whole:
            if name not in known:
                known[name] = await opened.enter_async_context(carried_out(ground, name))
            return known[name]

        yield carry_out


@pytest.mark.parametrize(("act", "damage"), DAMAGES)
async def test_damage_in_the_database_is_named(after: After, act: str, damage: str) -> None:
    statement, rules = DAMAGES[act, damage]
    whole = await after(act)
    async with whole.damaged(statement):
        assert (await whole.report()).rules == rules
    assert await whole.report() == Report([], 0)


@pytest.mark.parametrize(("act", "damage"), DAMAGES_AT_THE_BANK)
async def test_damage_at_the_bank_is_named(after: After, act: str, damage: str, tmp_path: Path) -> None:
    statement, rules = DAMAGES_AT_THE_BANK[act, damage]
    whole, bank = await after(act), tmp_path / BANK_FILE
    with sqlite3.connect(whole.bank) as memory, sqlite3.connect(bank) as copy:
        memory.backup(copy)
        copy.execute(statement)
    assert (await whole.report(bank)).rules == rules


async def test_what_is_lost_is_told_to_the_fen(after: After) -> None:
    whole = await after(LAST)
    async with whole.damaged("update enrolments set personal_account_fen = personal_account_fen + 7"):
        assert (await whole.report()).lost_fen == 14


def test_every_rule_is_broken_by_some_damage() -> None:
    source = "".join(Path(file).read_text("utf-8") for file in (checker.__file__, outside_money.__file__))
    broken = set[str]().union(*(rules for _, rules in (*DAMAGES.values(), *DAMAGES_AT_THE_BANK.values())))
    assert set(re.findall(r'Damage\(\s*"([A-Z_]+)"', source)) == broken
