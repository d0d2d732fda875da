"""What the bank does wrong, seen over the public API: each ends as the law says, to the fen, and nothing is credited twice."""

import json
from typing import Any

import pytest

from tests.e2e.books import ledger
from tests.e2e.caller import new_key
from tests.e2e.case import Case, Desks
from tests.e2e.people import Registers, at
from tests.e2e.system import System, until

# Regions whose bank does wrong in these tests, and nobody else's does.
ORIGIN, DESTINATION, SPLITS, ADVISED = "230100", "330100", "230200", "330200"
UNMATCHED = """{ viewer { unmatchedFunds(first: 50) { edges { node {
    id bankReference amount { fen } why message ageDays saidReference payerName payerAccount goingHome agency { region { code } }
    proposals { remittanceReference transferNo amount { fen } because } } } } } }"""
SEND_HOME = """mutation ($input: SendUnmatchedFundsHomeInput!) { sendUnmatchedFundsHome(input: $input) { __typename
    ... on SendUnmatchedFundsHomePayload { unmatchedFunds { goingHome } }
    ... on UserError { message } ... on ValidationFailed { violations { path code } } } }"""


async def _faulty(system: System, kind: str, *options: str) -> None:
    said = await system.cli("bank", "fault", "add", kind, *options)
    assert said.code == 0, said


async def _carried(
    system: System, registers: Registers, balance_fen: int, between: tuple[str, str] = (ORIGIN, DESTINATION)
) -> Case:
    """A case whose form is delivered; the amount tells it apart from the others at the bank."""
    origin, destination = between
    person = await registers.person(at(origin, personal_account_fen=str(balance_fen)), at(destination))
    case = Case(system, person, Desks(system, origin, destination))
    await case.submits()
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    return case


async def _unmatched(case: Case) -> list[dict[str, Any]]:
    data = await case.desks.r_finance.ask(UNMATCHED)
    return [edge["node"] for edge in data["viewer"]["unmatchedFunds"]["edges"]]


async def _on_the_list(case: Case, amount_fen: int) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        return next((each for each in await _unmatched(case) if each["amount"]["fen"] == amount_fen), None)

    found: dict[str, Any] = await until(there)
    return found


async def _words(system: System, case: Case) -> list[tuple[str, int]]:
    async with system.database() as connection:
        rows = await connection.fetch(
            "select said, amount_fen from bank_words where reference like $1 || '%' order by 1", case.no
        )
    return [tuple(row) for row in rows]


async def test_an_honest_bank_advises_and_leaves_the_receipt_to_finance(system: System, registers: Registers) -> None:
    case = await _carried(system, registers, 700_001)
    await case.remits()

    async def advised() -> bool:
        return await _words(system, case) == [("CREDITED", 700_001), ("TAKEN", 700_001)]

    await until(advised)
    assert (await case.read())["fundsStatus"] == "REMITTED"


@pytest.mark.parametrize(("amount", "code"), [(701_001, "AC04"), (701_002, "BE01"), (701_003, "UNPRINTABLE_NAME")])
async def test_money_that_comes_back_is_ordered_again_under_a_new_reference(
    system: System, registers: Registers, amount: int, code: str
) -> None:
    await _faulty(system, "RETURN", "--amount-fen", str(amount), "--code", code)
    case = await _carried(system, registers, amount)
    await case.take(case.desks.o_finance, "remitPersonalAccount")
    returned = await case.reaches(fundsStatus="RETURNED")
    assert [each["status"] for each in returned["remittances"]] == ["RETURNED"]
    assert (await system.cli("bank", "fault", "clear")).code == 0
    await case.take(case.desks.o_finance, "remitPersonalAccount")
    again = await case.reaches(fundsStatus="REMITTED")
    first, second = sorted(each["reference"] for each in again["remittances"])
    assert {each["corrects"] for each in again["remittances"]} == {None, first}
    assert second == f"{case.no}-02"


async def test_an_order_that_the_bank_refuses_never_leaves(system: System, registers: Registers) -> None:
    await _faulty(system, "REFUSE", "--amount-fen", "702001", "--code", "AC01")
    case = await _carried(system, registers, 702_001)
    await case.take(case.desks.o_finance, "remitPersonalAccount")
    await case.reaches(fundsStatus="RETURNED")
    async with system.database() as connection:
        assert {account for account, _ in await ledger(connection, case)} == {"FROZEN", "PERSONAL_ACCOUNTS"}


async def test_money_without_a_reference_is_on_the_list_with_its_order_until_finance_confirms_it(
    system: System, registers: Registers
) -> None:
    await _faulty(system, "NO_REFERENCE", "--amount-fen", "703001")
    case = await _carried(system, registers, 703_001)
    await case.remits()
    found = await _on_the_list(case, 703_001)
    assert (found["why"], found["ageDays"], found["saidReference"]) == ("NO_REFERENCE", 0, None)
    assert found["proposals"][0] == {
        "remittanceReference": f"{case.no}-01",
        "transferNo": case.no,
        "amount": {"fen": 703_001},
        "because": ["SAME_AMOUNT", "PAYER_NAME"],
    }
    printed = await system.cli("funds", "unmatched", "--region", DESTINATION, "--json")
    assert found["bankReference"] in {each["bank_reference"] for each in json.loads(printed.out)["unmatched"]}
    # Another agency's finance does not see it, and a clerk may not ask.
    assert found["id"] not in {each["id"] for each in await _unmatched(Case(system, case.person, Desks(system)))}
    await case.receives(case.desks.r_finance, 703_001, bankReference=found["bankReference"])
    assert found["id"] not in {each["id"] for each in await _unmatched(case)}


async def test_a_name_that_was_cut_and_a_reference_that_was_are_nobodys_until_they_are_looked_into(
    system: System, registers: Registers
) -> None:
    await _faulty(system, "CUT_NAME", "--amount-fen", "704001")
    await _faulty(system, "CUT_REFERENCE", "--amount-fen", "704002")
    for amount, why, because in (
        (704_001, "NAME_DIFFERS", ["SAME_AMOUNT", "REFERENCE_CUT", "PAYER_NAME"]),
        (704_002, "UNKNOWN_REFERENCE", ["SAME_AMOUNT", "REFERENCE_CUT", "PAYER_NAME"]),
    ):
        case = await _carried(system, registers, amount)
        await case.remits()
        found = await _on_the_list(case, amount)
        assert found["why"] == why
        first = found["proposals"][0]
        assert (first["remittanceReference"], first["because"]) == (f"{case.no}-01", because)


async def test_what_was_paid_twice_goes_home_once_and_leaves_the_list(system: System, registers: Registers) -> None:
    await _faulty(system, "CREDIT_TWICE", "--amount-fen", "705001")
    case = await _carried(system, registers, 705_001)
    await case.remits()
    found = await _on_the_list(case, 705_001)
    assert found["why"] == "DUPLICATE"
    given = {"idempotencyKey": new_key(), "entryId": found["id"], "reason": " "}
    answer = (await case.desks.r_finance.ask(SEND_HOME, input=given))["sendUnmatchedFundsHome"]
    assert answer["__typename"] == "ValidationFailed"
    given["reason"] = "付款行重复入账"
    for _ in range(2):
        answer = (await case.desks.r_finance.ask(SEND_HOME, input=given))["sendUnmatchedFundsHome"]
        assert answer["__typename"] == "SendUnmatchedFundsHomePayload"

    async def gone() -> bool:
        return found["id"] not in {each["id"] for each in await _unmatched(case)}

    await until(gone)
    async with system.database() as connection:
        held = await connection.fetchval(
            "select coalesce(sum(amount_fen), 0) from ledger_entries where region = $1 and account = 'SUSPENSE' and amount_fen in (705001, -705001)",
            DESTINATION,
        )
    assert held == 0


async def test_messages_twice_and_out_of_order_are_one_order(system: System, registers: Registers) -> None:
    await _faulty(system, "DUPLICATE", "--amount-fen", "706001")
    await _faulty(system, "REORDER", "--amount-fen", "706001")
    case = await _carried(system, registers, 706_001)
    await case.remits()

    async def advised() -> bool:
        return await _words(system, case) == [("CREDITED", 706_001), ("TAKEN", 706_001)]

    await until(advised)
    async with system.database() as connection:
        count = await connection.fetchval("select count(*) from bank_entries where reference = $1", f"{case.no}-01")
    assert count == 2


async def test_an_order_over_the_limit_is_split_at_the_bank_and_one_order_here(
    system: System, registers: Registers
) -> None:
    said = await system.cli("region", "set", SPLITS, "bank_limit_fen=300000")
    assert said.code == 0, said
    case = await _carried(system, registers, 707_001, (SPLITS, DESTINATION))
    await case.remits()

    async def advised() -> bool:
        return await _words(system, case) == [("CREDITED", 707_001), ("TAKEN", 707_001)]

    await until(advised)
    async with system.database() as connection:
        parts = await connection.fetch(
            "select end_to_end_id, amount_fen from bank_payments where reference = $1 order by 1", f"{case.no}-01"
        )
    assert [tuple(row) for row in parts] == [
        (f"{case.no}-01/1", 300_000),
        (f"{case.no}-01/2", 300_000),
        (f"{case.no}-01/3", 107_001),
    ]
    received = await case.receives(case.desks.r_finance, 707_001)
    assert received["transfer"]["id"] == case.id
    await case.reaches(fundsStatus="CREDITED")


async def test_a_region_that_trusts_the_advice_has_it_confirmed_by_itself(system: System, registers: Registers) -> None:
    said = await system.cli("region", "set", ADVISED, "receipt=by_advice")
    assert said.code == 0, said
    await _faulty(system, "WRONG_AMOUNT", "--amount-fen", "708002")
    honest = await _carried(system, registers, 708_001, (ORIGIN, ADVISED))
    await honest.remits()
    await honest.reaches(fundsStatus="CREDITED")
    short = await _carried(system, registers, 708_002, (ORIGIN, ADVISED))
    await short.take(short.desks.o_finance, "remitPersonalAccount")
    await short.reaches(fundsStatus="MISMATCHED")


async def test_a_return_after_completion_opens_the_money_again_visibly(system: System, registers: Registers) -> None:
    await _faulty(system, "RETURN", "--amount-fen", "709001", "--code", "AC04", "--after-credit", "--seconds", "6")
    case = await _carried(system, registers, 709_001)
    await case.remits()
    await case.take(case.desks.r_clerk, "confirmContinuation")
    await case.receives(case.desks.r_finance, 709_001)
    assert (await case.reaches(status="COMPLETED"))["fundsStatus"] == "CREDITED"
    again = await case.reaches(status="AWAITING_FUNDS")
    assert again["fundsStatus"] in {"RETURNED", "ORDERED", "REMITTED"}


async def test_a_silent_bank_is_asked_again_and_the_order_given_once(system: System, registers: Registers) -> None:
    case = await _carried(system, registers, 710_001)
    await _faulty(system, "SILENT", "--reference", case.no)
    await case.take(case.desks.o_finance, "remitPersonalAccount")
    assert (await case.read())["fundsStatus"] == "ORDERED"
    assert (await system.cli("bank", "fault", "clear")).code == 0
    await case.reaches(fundsStatus="REMITTED")
