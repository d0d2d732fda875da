"""The ledger against a model in plain Python: whatever is asked of it in whatever order, both take and refuse the same."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from activities.ledger.accounts import MAY_BE_NEGATIVE, Account, AccountName, Entry
from activities.ledger.posting import post, reverse
from activities.ledger.statement import Scope, draw_statement
from tests.activities.desk import MONDAY, open_desk
from tests.cases import BEIJING, SHANGHAI_POOL
from tests.conftest import Database
from workflows.vocabulary import InsuranceScheme

T = TypeVar("T")
NAMES: tuple[AccountName, ...] = ("PERSONAL_ACCOUNTS", "FROZEN", "IN_TRANSIT", "SUSPENSE", "CLEARING")
ACCOUNTS = [Account(name, region, InsuranceScheme.EMPLOYEE) for name in NAMES for region in (BEIJING, SHANGHAI_POOL)]
ONE_MORE_TRANSFER = """
insert into transfers (transfer_id, no, person_id, route, from_region, to_region, from_scheme, to_scheme, status, funds_status,
                       state, revision, employer_ids, submitted_at, closed_at)
select $1, $2, person_id, route, from_region, to_region, from_scheme, to_scheme, 'WITHDRAWN', funds_status, state, 0, '{}',
       submitted_at, submitted_at from transfers limit 1
"""
# Which of the example's owners an entry belongs to: the posting's transfer, or one of two sums of unmatched money.
OWNERS = st.sampled_from([None, None, None, "a", "b"])
ENTRIES = st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.integers(-6, 6), OWNERS), min_size=1, max_size=5)


class Booked(NamedTuple):
    """A posting as the model keeps it; `minute` is when it counts, after MONDAY."""

    entries: tuple[tuple[UUID | str, Account, int], ...]
    transfer: UUID
    minute: int
    reverses: int | None


class LedgerMachine(RuleBasedStateMachine):
    loop: asyncio.AbstractEventLoop
    worker: asyncpg.Connection
    owner: asyncpg.Connection

    def __init__(self) -> None:
        super().__init__()
        self.example = uuid.uuid4().hex
        self.transfers: list[UUID] = []
        self.booked: dict[int, Booked] = {}

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    @initialize()
    def two_transfers(self) -> None:
        for number in range(2):
            self.transfers.append(uuid.uuid4())
            self.wait(self.owner.execute(ONE_MORE_TRANSFER, self.transfers[-1], f"{self.example}-{number}"))

    @rule(
        payer=st.sampled_from(ACCOUNTS), payee=st.sampled_from(ACCOUNTS), fen=st.integers(1, 6), number=st.integers(0, 1),
        minute=st.integers(0, 9),
    )  # fmt: skip
    def move(self, payer: Account, payee: Account, fen: int, number: int, minute: int) -> None:
        self._post([Entry(payer, -fen), Entry(payee, fen)], number, minute)

    @rule(entries=ENTRIES, whole=st.booleans(), number=st.integers(0, 1), minute=st.integers(0, 9))
    def post_many(self, entries: list[tuple[Account, int, str | None]], whole: bool, number: int, minute: int) -> None:
        made = [Entry(account, fen, owner and f"{self.example}-{owner}") for account, fen, owner in entries]
        if whole:
            made.append(Entry(ACCOUNTS[0], -sum(entry.amount_fen for entry in made)))
        self._post(made, number, minute)

    @precondition(lambda self: self.booked)
    @rule(data=st.data(), minute=st.integers(0, 9))
    def undo(self, data: st.DataObject, minute: int) -> None:
        wrong = data.draw(st.sampled_from(sorted(self.booked)))
        before = self.booked[wrong]
        turned = tuple((owner, account, -fen) for owner, account, fen in before.entries)
        booked = Booked(turned, before.transfer, minute, wrong)
        once = before.reverses is None and wrong not in {each.reverses for each in self.booked.values()}
        at = MONDAY + timedelta(minutes=minute)
        self._take(reverse(self.worker, wrong, seq=1, at=at), booked, allowed=once and self._covers(turned))

    def _post(self, entries: list[Entry], number: int, minute: int) -> None:
        transfer, at = self.transfers[number], MONDAY + timedelta(minutes=minute)
        lines = tuple((each.unmatched or transfer, each.account, each.amount_fen) for each in entries)
        fens = [each.amount_fen for each in entries]
        allowed = len(fens) > 1 and sum(fens) == 0 and 0 not in fens and self._covers(lines)
        self._take(
            post(self.worker, transfer, seq=1, at=at, entries=entries),
            Booked(lines, transfer, minute, None),
            allowed=allowed,
        )

    def _take(self, work: Coroutine[Any, Any, int], booked: Booked, *, allowed: bool) -> None:
        """In a transaction of its own, as steps do; refused exactly when the model refuses it."""

        async def carry_out() -> int:
            async with self.worker.transaction():
                return await work

        try:
            posting_id = self.wait(carry_out())
        except (asyncpg.CheckViolationError, asyncpg.UniqueViolationError):
            assert not allowed, f"{booked} was refused"
        else:
            assert allowed, f"{booked} was taken"
            self.booked[posting_id] = booked

    def _covers(self, lines: tuple[tuple[UUID | str, Account, int], ...]) -> bool:
        """Whether what is drawn from is there: an account that only receives is not looked at."""
        after = self._balances()
        for owner, account, fen in lines:
            after[owner, account] += fen
        drawn = {(owner, account) for owner, account, fen in lines if fen < 0 and account.name not in MAY_BE_NEGATIVE}
        return all(after[each] >= 0 for each in drawn)

    def _balances(self) -> Counter[tuple[UUID | str, Account]]:
        held = Counter[tuple[UUID | str, Account]]()
        for booked in self.booked.values():
            for owner, account, fen in booked.entries:
                held[owner, account] += fen
        return held

    @invariant()
    def every_balance_is_the_models(self) -> None:
        rows = self.wait(
            self.owner.fetch(
                """select coalesce(unmatched, transfer_id::text) as owner, account, region, sum(amount_fen)::bigint as fen, count(*) as n
                     from ledger_entries where transfer_id = any($1) or unmatched like $2 group by 1, 2, 3""",
                self.transfers, f"{self.example}-%",
            )
        )  # fmt: skip
        kept = {(row["owner"], row["account"], row["region"]): row["fen"] for row in rows if row["fen"]}
        assert kept == {
            (str(owner), account.name, account.region): fen for (owner, account), fen in self._balances().items() if fen
        }
        # A refusal left nothing behind, not even what sums to zero.
        assert sum(row["n"] for row in rows) == sum(len(booked.entries) for booked in self.booked.values())

    @rule(number=st.integers(0, 1), minute=st.integers(0, 9), since=st.one_of(st.none(), st.integers(0, 9)))
    def draw(self, number: int, minute: int, since: int | None) -> None:
        transfer = self.transfers[number]
        statement = self.wait(
            draw_statement(
                self.worker,
                Scope(transfer_id=transfer),
                at=MONDAY + timedelta(minutes=minute),
                since=None if since is None else MONDAY + timedelta(minutes=since),
            )
        )
        opening, closing = Counter[Account](), Counter[Account]()
        for booked in self.booked.values():
            for owner, account, fen in booked.entries:
                if owner == transfer and booked.minute <= minute:
                    closing[account] += fen
                if owner == transfer and since is not None and booked.minute <= since:
                    opening[account] += fen
        drawn = {Account(each.account, each.region, each.scheme): each for each in statement.accounts}
        if since is None or since <= minute:
            assert {account: each.closing_fen for account, each in drawn.items() if each.closing_fen} == _held(closing)
        assert {account: each.opening_fen for account, each in drawn.items() if each.opening_fen} == _held(opening)
        for each in drawn.values():
            assert each.opening_fen + sum(line.amount_fen for line in each.lines) == each.closing_fen


def _held(balances: Counter[Account]) -> dict[Account, int]:
    return {account: fen for account, fen in balances.items() if fen}


async def _run(database: Database, *, examples: int, steps: int) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        worker = await asyncpg.connect(database.worker_url)
        machine = type(
            "Machine", (LedgerMachine,), {"loop": asyncio.get_running_loop(), "worker": worker, "owner": desk.db}
        )
        chosen = settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        await asyncio.to_thread(run_state_machine_as_test, machine, settings=chosen)
        await worker.close()


async def test_the_ledger_takes_and_refuses_what_the_model_does(database: Database) -> None:
    await _run(database, examples=15, steps=12)


@pytest.mark.long
async def test_the_ledger_takes_and_refuses_what_the_model_does_for_long(database: Database) -> None:
    await _run(database, examples=600, steps=40)
