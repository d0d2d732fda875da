"""`yibao reconcile` on a real database: a run, what stands open, a difference cleared, and everything said wrong."""

import asyncio
import json
import re
from datetime import timedelta

import asyncpg
import pytest

from activities.register_load import today_in_shanghai
from tests.conftest import Database
from tests.stack.conftest import Yibao, rows, said

TABLES = ("reconciliation_runs", "reconciliation_differences", "reconciliation_clearings")
EVERYTHING = " union all ".join(f"select t::text from {each} t" for each in TABLES)  # noqa: S608 - our own tables' names


def paid_in(database: Database) -> None:
    """Five fen that nobody ordered, on Beijing's account since yesterday."""

    async def put() -> None:
        connection = await asyncpg.connect(database.owner_url)
        await connection.execute(
            """insert into bank_entries (entry_id, entry_reference, account, direction, kind, region, amount_fen, booked_on, value_on,
                                         words_key, words_sealed, state)
               values (gen_random_uuid(), 'C-1', 'account', 'CRDT', 'CREDIT', '110000', 5, $1, $1, 'k', 'x', 'UNMATCHED')""",
            today_in_shanghai() - timedelta(days=1),
        )
        await connection.close()

    asyncio.run(put())


def test_a_run_prints_what_it_looked_at_and_what_stands_open_by_who_must_clear_it(
    run: Yibao, database: Database
) -> None:
    paid_in(database)
    today, yesterday = today_in_shanghai(), today_in_shanghai() - timedelta(days=1)
    paid_on = f"{yesterday.day} {yesterday:%B %Y}"
    printed = run("reconcile").output.splitlines()
    assert printed == [
        f"{today - timedelta(days=92)} to {today}: 0 lines of the ledger, 1 of the bank, 0 of registers",
        "1 differences found, 1 of them new; 0 are gone",
        "1 stand open:",
        "  R_FINANCE 110000  CREDIT_WITHOUT_ORDER  1, 0.05 yuan, 1 to 1 days",
        f"#1  CREDIT_WITHOUT_ORDER  The bank credited 0.05 yuan (–, {paid_on}) that no order explains: unmatched money.",
    ]
    assert run("reconcile", "open").output.splitlines() == printed[2:]


def test_for_programs_a_run_is_json_with_the_lines_that_a_difference_rests_on(run: Yibao, database: Database) -> None:
    paid_in(database)
    today, yesterday = today_in_shanghai(), today_in_shanghai() - timedelta(days=1)
    document = json.loads(run("reconcile", "--on", today.isoformat(), "--json").output)
    assert (document["run"]["found"], document["run"]["new"], document["run"]["why"]) == (1, 1, "ON_DEMAND")
    assert document["groups"] == [
        {
            "party": "R_FINANCE",
            "region": "110000",
            "kind": "CREDIT_WITHOUT_ORDER",
            "count": 1,
            "difference_fen": 5,
            "oldest_days": 1,
            "newest_days": 1,
        }
    ]
    (one,) = document["open"]
    assert one["basis"] == [f"bank 110000 CREDIT 5 {yesterday} C-1"]
    day = f"{yesterday.year}年{yesterday.month}月{yesterday.day}日"
    assert one["explanation"]["zh-CN"] == f"银行收到0.05元（–，{day}），没有对应的划转指令，属待认领款项。"
    assert json.loads(run("reconcile", "open", "--json").output) == {k: document[k] for k in ("groups", "open")}


def test_a_difference_is_cleared_once_with_a_reason_and_by_somebody(run: Yibao, database: Database) -> None:
    paid_in(database)
    run("reconcile")
    cleared = run("reconcile", "clear", "1", "--reason", " a donation ", "--by", "finance-1")
    assert cleared.output == "difference 1 is cleared by finance-1: a donation\n"
    query = "select difference_id, how, cleared_by, reason from reconciliation_clearings"
    kept = rows(database, query)
    assert [row[:3] for row in kept] == [(1, "BY_HAND", "finance-1")]
    assert "donation" not in str(kept)
    shown = run("reconcile", "cleared").output
    assert re.fullmatch("1  [0-9]{4}-[0-9-]{5} [0-9:]{5}  finance-1: a donation\n", shown)
    assert run("reconcile", "open").output == "nothing stands open\n"
    again = run("reconcile", "clear", "1", "--reason", "again")
    assert said(again) == "difference 1 was cleared before: `yibao reconcile open` lists what is"
    assert rows(database, query) == kept


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--on", "2999-01-01"), "2999-01-01 is not over: today is {today}"),
        (("--from", "2026-01-02", "--to", "2026-01-01"), "2026-01-02 is after 2026-01-01: the first day comes first"),
        (("clear", "7", "--reason", "r"), "there is no difference 7: `yibao reconcile open` lists what is"),
        (
            ("clear", "7", "--reason", "she is 138 0013 8000"),
            "the reason has an identity or phone number: leave it out, or write its last four digits only",
        ),
        (("clear", "7", "--reason", " "), "a difference is cleared by somebody, for a reason: neither may be blank"),
        (
            ("clear", "7", "--reason", "r", "--by", ""),
            "a difference is cleared by somebody, for a reason: neither may be blank",
        ),
    ],
)
def test_what_cannot_be_is_said_and_changes_nothing(
    run: Yibao, database: Database, arguments: tuple[str, ...], line: str
) -> None:
    assert said(run("reconcile", *arguments)) == line.format(today=today_in_shanghai())
    assert rows(database, EVERYTHING) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--from", "2026-01-01"), "--from and --to go together"),
        (("--to", "2026-01-01"), "--from and --to go together"),
        (("--on", "2026-01-01", "--from", "2026-01-01", "--to", "2026-01-01"), "either --on, or --from and --to"),
        (("--on", "yesterday"), "'yesterday' does not match the format"),
        (("clear", "0", "--reason", "r"), "0 is not in the range"),
        (("clear", "7"), "Missing option '--reason'"),
        (("shut",), "No such command 'shut'"),
    ],
)
def test_bad_input_is_told_with_the_usage_and_changes_nothing(
    run: Yibao, database: Database, arguments: tuple[str, ...], line: str
) -> None:
    refused = run("reconcile", *arguments)
    assert refused.exit_code == 2
    assert line in refused.output
    assert rows(database, EVERYTHING) == []
