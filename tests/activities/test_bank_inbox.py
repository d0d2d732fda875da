"""The bank's messages, taken in: each line once, in any order, and what an order's lines say together."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.bank import Payment, Posted
from activities.bank.conflicts import Conflict, conflicts
from activities.bank.entries import BankEntry, EntryKind
from activities.bank.inbox import take_in
from activities.bank.parts import parts_of
from tests.activities.bank_messages import PAYER_NAME, Inbox, advice, canonical, entry, report
from tests.activities.desk import open_desk
from tests.cases import BALANCE_FEN
from tests.conftest import Database


class Accounts:
    """The order of the desk's case, and the bank's lines of it."""

    def __init__(self, inbox: Inbox, payer: str, payee: str, payee_name: str) -> None:
        self.inbox, self.payer, self.payee, self.payee_name = inbox, payer, payee, payee_name
        self.reference = f"{inbox.desk.transfer.transfer_no}-01"

    def debit(self, name: str = "D1", part: str = "", fen: int = BALANCE_FEN) -> BankEntry:
        return entry(EntryKind.DEBIT, name, self.payer, fen, self.reference + part)

    def credit(self, name: str = "C1", part: str = "", fen: int = BALANCE_FEN, **more: Any) -> BankEntry:
        said = {"own_name": self.payee_name, "other_name": PAYER_NAME, "end_to_end_id": self.reference + part} | more
        made = entry(EntryKind.CREDIT, name, self.payee, fen, None)
        return made.model_copy(update=said)

    def back(self, name: str = "R1", part: str = "", fen: int = BALANCE_FEN, code: str = "AC04") -> BankEntry:
        return entry(EntryKind.RETURN, name, self.payer, fen, self.reference + part, code=code)

    async def split(self, limit_fen: int) -> tuple[Payment, ...]:
        parts = parts_of(self.reference, BALANCE_FEN, limit_fen)
        for each in parts:
            await self.inbox.desk.db.execute(
                "insert into bank_payments values ($1, $2, $3)", each.end_to_end_id, self.reference, each.amount_fen
            )
        return parts


@pytest.fixture
async def bank(database: Database) -> AsyncIterator[Accounts]:
    async with open_desk(database) as desk:
        await desk.remittance_ordered()
        payer = await desk.row("select * from pooling_regions where code = '110000'")
        payee = await desk.row("select * from pooling_regions where code = '319900'")
        yield Accounts(
            Inbox(desk), payer["receiving_account"], payee["receiving_account"], payee["receiving_account_name"]
        )


async def test_a_debit_a_credit_and_a_return_are_three_words_of_one_order(bank: Accounts) -> None:
    await bank.inbox.takes(advice("M1", bank.debit(), bank.credit()))
    assert await bank.inbox.words() == [
        ("TAKEN", BALANCE_FEN, None, None),
        ("CREDITED", BALANCE_FEN, None, "C1"),
    ]
    await bank.inbox.takes(advice("M2", bank.back()))
    assert (await bank.inbox.words())[-1] == ("RETURNED", BALANCE_FEN, "ACCOUNT_CLOSED", "R1")
    assert set((await bank.inbox.entries()).values()) == {("MATCHED", None)}
    assert await bank.inbox.suspense() == {}


async def test_a_message_that_comes_again_changes_nothing(bank: Accounts) -> None:
    message = advice("M1", bank.debit(), bank.credit())
    assert (await bank.inbox.takes(message, message)).entries == 2
    before = await canonical(bank.inbox.desk.db, bank.inbox.keyring)
    assert await bank.inbox.takes(message) == (0, 0, 0, 0)
    assert await canonical(bank.inbox.desk.db, bank.inbox.keyring) == before


async def test_another_content_under_a_known_id_is_kept_reported_and_not_processed(
    bank: Accounts, caplog: pytest.LogCaptureFixture
) -> None:
    await bank.inbox.takes(advice("M1", bank.debit()))
    tally = await bank.inbox.takes(advice("M1", bank.debit(), bank.credit()))
    assert (tally.conflicts, tally.entries) == (1, 0)
    assert [(name, state) for name, state, _ in await bank.inbox.messages()].count(("M1", "CONFLICT")) == 1
    assert await bank.inbox.entries() == {"D1": ("MATCHED", None)}
    assert "another content under a known id" in caplog.text
    # It may come again and again.
    assert await bank.inbox.takes(advice("M1", bank.debit(), bank.credit())) == (0, 0, 0, 0)


@pytest.mark.parametrize("in_one_batch", [False, True])
async def test_another_content_of_a_known_entry_changes_nothing_and_is_kept_once_for_people(
    bank: Accounts, in_one_batch: bool
) -> None:
    first, other = advice("M1", bank.credit()), bank.credit().model_copy(update={"amount_fen": BALANCE_FEN + 1})
    batches = [(first, advice("M2", other))] if in_one_batch else [(first,), (advice("M2", other),)]
    for batch in (*batches, (advice("M3", other),)):
        await bank.inbox.takes(*batch)
    assert await bank.inbox.words() == [("CREDITED", BALANCE_FEN, None, "C1")] or await bank.inbox.words() == [
        ("TAKEN", BALANCE_FEN, None, None),
        ("CREDITED", BALANCE_FEN, None, "C1"),
    ]
    assert await bank.inbox.entries() == {"C1": ("MATCHED", None)}
    kept = [Conflict("C1", "319900", BALANCE_FEN + 1, BALANCE_FEN, other.booked_on)]
    async with bank.inbox.desk.cases.gateway_pool.acquire() as connection:
        assert await conflicts(connection, "319900", 9) == await conflicts(connection, None, 9) == kept
        assert await conflicts(connection, "110000", 9) == []


async def test_a_line_that_two_messages_carry_counts_once(bank: Accounts) -> None:
    await bank.inbox.takes(advice("M1", bank.credit()))
    assert (await bank.inbox.takes(advice("M2", bank.credit(), bank.debit()))).entries == 1
    assert await bank.inbox.words() == [("TAKEN", BALANCE_FEN, None, None), ("CREDITED", BALANCE_FEN, None, "C1")]


async def test_a_reader_that_another_has_overtaken_takes_nothing(bank: Accounts) -> None:
    await bank.inbox.takes(advice("M1", bank.debit()))
    pool = bank.inbox.desk.cases.worker_pool
    late = [Posted("7", "M2", advice("M2", bank.credit()).document)]
    assert await take_in(pool, bank.inbox.keyring, "", late) is None
    assert await bank.inbox.entries() == {"D1": ("MATCHED", None)}


async def test_a_refusal_is_a_return_of_money_that_never_left(bank: Accounts) -> None:
    await bank.inbox.takes(report("S1", bank.reference, (bank.reference, "RJCT", "AC01")))
    assert await bank.inbox.words() == [("RETURNED", BALANCE_FEN, "ACCOUNT_UNKNOWN", None)]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("AC01", "ACCOUNT_UNKNOWN"),
        ("AC04", "ACCOUNT_CLOSED"),
        ("AM09", "AMOUNT_MISMATCH"),
        ("AM05", "DUPLICATE"),
        ("DUPL", "DUPLICATE"),
        ("BE01", "NAME_MISMATCH"),
        ("BE22", "UNPRINTABLE_NAME"),
        ("UNPRINTABLE_NAME", "UNPRINTABLE_NAME"),
        ("ZZ99", "NAME_MISMATCH"),
    ],
)
async def test_a_banks_code_is_a_reason_of_the_closed_list(bank: Accounts, code: str, reason: str) -> None:
    await bank.inbox.takes(advice("M1", bank.debit(), bank.back(code=code)))
    assert (await bank.inbox.words())[-1] == ("RETURNED", BALANCE_FEN, reason, "R1")


async def test_pending_is_no_word_yet(bank: Accounts) -> None:
    await bank.inbox.takes(report("S1", bank.reference, (bank.reference, "PDNG", None)))
    assert await bank.inbox.words() == []
    await bank.inbox.takes(report("S2", bank.reference, (bank.reference, "ACSP", None)))
    assert await bank.inbox.words() == [("TAKEN", BALANCE_FEN, None, None)]


async def test_a_split_order_is_taken_and_credited_when_all_of_its_parts_are(bank: Accounts) -> None:
    first, second, third = await bank.split(150_000)
    assert [first.amount_fen, second.amount_fen, third.amount_fen] == [150_000, 150_000, 120_000]
    await bank.inbox.takes(advice("M1", bank.debit("D1", "/1", 150_000), bank.debit("D3", "/3", 120_000)))
    assert await bank.inbox.words() == []
    await bank.inbox.takes(advice("M2", bank.debit("D2", "/2", 150_000), bank.credit("C2", "/2", 150_000)))
    assert await bank.inbox.words() == [("TAKEN", BALANCE_FEN, None, None)]
    await bank.inbox.takes(advice("M3", bank.credit("C1", "/1", 150_000), bank.credit("C3", "/3", 120_000)))
    assert await bank.inbox.words() == [("TAKEN", BALANCE_FEN, None, None), ("CREDITED", BALANCE_FEN, None, "C3")]


async def test_of_a_split_order_the_parts_that_came_back_are_told_with_their_sum(bank: Accounts) -> None:
    await bank.split(150_000)
    parts = (("1", 150_000), ("2", 150_000), ("3", 120_000))
    await bank.inbox.takes(advice("M1", *(bank.debit(f"D{name}", f"/{name}", fen) for name, fen in parts)))
    await bank.inbox.takes(advice("M2", bank.credit("C1", "/1", 150_000), bank.back("R2", "/2", 150_000)))
    assert (await bank.inbox.words())[-1] == ("RETURNED", 150_000, "ACCOUNT_CLOSED", "R2")
    await bank.inbox.takes(advice("M3", bank.back("R3", "/3", 120_000)))
    assert await bank.inbox.words() == [
        ("TAKEN", BALANCE_FEN, None, None),
        ("CREDITED", 150_000, None, "C1"),
        ("RETURNED", 270_000, "ACCOUNT_CLOSED", "R3"),
    ]


async def test_a_part_that_was_refused_is_told_once_the_rest_has_left(bank: Accounts) -> None:
    await bank.split(300_000)
    await bank.inbox.takes(report("S1", bank.reference, (f"{bank.reference}/2", "RJCT", "AM14")))
    assert await bank.inbox.words() == []
    await bank.inbox.takes(advice("M1", bank.debit("D1", "/1", 300_000)))
    assert await bank.inbox.words() == [
        ("TAKEN", BALANCE_FEN, None, None),
        ("RETURNED", 120_000, "AMOUNT_MISMATCH", None),
    ]


async def test_one_fen_less_is_the_orders_own_and_told_as_it_came(bank: Accounts) -> None:
    await bank.inbox.takes(advice("M1", bank.debit(), bank.credit(fen=BALANCE_FEN - 1)))
    assert (await bank.inbox.words())[-1] == ("CREDITED", BALANCE_FEN - 1, None, "C1")


@pytest.mark.parametrize(
    ("differs", "why"),
    [
        ({"end_to_end_id": None}, "NO_REFERENCE"),
        ({"end_to_end_id": "SOMEBODY-ELSE"}, "UNKNOWN_REFERENCE"),
        ({"own_name": "上海市本级医疗保障事务中"}, "NAME_DIFFERS"),
    ],
)
async def test_money_that_names_no_order_or_another_name_is_nobodys(
    bank: Accounts, differs: dict[str, Any], why: str
) -> None:
    await bank.inbox.takes(advice("M1", bank.debit(), bank.credit(**differs)))
    assert (await bank.inbox.entries())["C1"] == ("UNMATCHED", why)
    assert await bank.inbox.words() == [("TAKEN", BALANCE_FEN, None, None)]
    assert await bank.inbox.suspense() == {
        ("CLEARING", "319900"): -BALANCE_FEN,
        ("SUSPENSE", "319900"): BALANCE_FEN,
    }


async def test_a_return_to_the_payee_is_nobodys(bank: Accounts) -> None:
    stray = bank.back().model_copy(update={"account": bank.payee})
    await bank.inbox.takes(advice("M1", stray))
    assert (await bank.inbox.entries())["R1"] == ("UNMATCHED", "ANOTHER_ACCOUNT")


async def test_of_two_credits_the_one_booked_first_pays_whichever_came_first(bank: Accounts) -> None:
    first, second = sorted((bank.credit("C1"), bank.credit("C2")), key=lambda each: str(each.entry_id))
    await bank.inbox.takes(advice("M1", second))
    await bank.inbox.takes(advice("M2", first))
    assert await bank.inbox.entries() == {
        first.entry_reference: ("MATCHED", None),
        second.entry_reference: ("UNMATCHED", "DUPLICATE"),
    }
    assert (await bank.inbox.suspense())["SUSPENSE", "319900"] == BALANCE_FEN


async def test_names_and_documents_are_sealed_where_they_lie(bank: Accounts) -> None:
    await bank.inbox.takes(advice("M1", bank.credit(other_name="某某某付款人", end_to_end_id=None)))
    rows = await bank.inbox.desk.db.fetch(
        "select t::text from bank_entries t union all select t::text from bank_messages t"
    )
    lying = "\n".join(row[0] for row in rows)
    for clear in ("某某某", bank.payee_name):
        assert clear not in lying
        assert clear.encode().hex() not in lying


async def test_every_order_and_repetition_of_the_messages_ends_in_the_same_bytes(bank: Accounts) -> None:
    await bank.split(150_000)
    messages = [
        report("S1", bank.reference, *((f"{bank.reference}/{part}", "ACSC", None) for part in "123")),
        advice("M1", bank.debit("D1", "/1", 150_000), bank.debit("D2", "/2", 150_000)),
        advice("M2", bank.debit("D3", "/3", 120_000), bank.credit("C1", "/1", 150_000)),
        advice("M3", bank.credit("C2", "/2", 149_999), bank.credit("C2b", "/2", 150_000)),
        advice("M4", bank.back("R3", "/3", 120_000), bank.credit("C9", end_to_end_id=None)),
        advice("M5", bank.credit("C8", "/1", 150_000), bank.debit("D1", "/1", 150_000)),
        Posted("0", "M6", b"<Document"),
    ]
    seen = set()

    async def end_of(stream: list[Posted], sizes: list[int]) -> bytes:
        await bank.inbox.clear()
        for size in itertools.cycle(sizes):
            if not stream:
                break
            await bank.inbox.takes(*stream[:size])
            stream = stream[size:]
        return await canonical(bank.inbox.desk.db, bank.inbox.keyring)

    loop = asyncio.get_running_loop()

    @settings(max_examples=40, deadline=None, database=None, derandomize=True)
    @given(
        again=st.lists(st.sampled_from(messages), max_size=8),
        places=st.randoms(use_true_random=False),
        sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    )
    def in_any_order(again: list[Posted], places: Random, sizes: list[int]) -> None:
        stream = [*messages, *again]
        places.shuffle(stream)
        seen.add(asyncio.run_coroutine_threadsafe(end_of(stream, sizes), loop).result())
        assert len(seen) == 1

    await asyncio.to_thread(in_any_order)
    assert len(seen) == 1
