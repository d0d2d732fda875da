"""What a person is told of their money at every instant, in both languages, while it goes wrong: over the public API, to its end."""

import json
import sqlite3
from datetime import date
from typing import Any

import pytest

from stack.bank_faults import BankFault, FaultFile, FaultKind
from tests.e2e.books import require_ended
from tests.e2e.case import Case, Desks
from tests.e2e.law_book import decides, kinds, open_steps, step, working_days_later
from tests.e2e.people import BALANCE_FEN, Registers, at, today
from tests.e2e.system import System
from tests.e2e.told import Told, says, watched
from workflows.words import day

# Regions that no other test asks about: R of the second believes the bank's advice; O of the third pays the person.
FROM, ADVISED, PAYS_OUT, DAILY = "130500", "140500", "130700", "130800"
OUT, IN, PAYER = "邢台市", "晋城市", "张家口市"
APPROVALS = """{ viewer { worklist(first: 50, filter: {steps: [APPROVE_REVERSE_REMITTANCE]}) {
    edges { node { transfer { no } } } } } }"""
HELD = "query ($no: TransferNo!) { transfer(no: $no) { progress { holder { code } holderRole } } }"
FIRST = {"bankName": "示例银行晋城分行", "accountName": "林晓舟", "accountNumber": "6222021001112220001"}
SECOND = FIRST | {"accountNumber": "6222021001112220002"}


@pytest.fixture(scope="module", autouse=True)
async def _policies(system: System) -> None:
    await decides(system, ADVISED, receipt="by_advice")
    await decides(system, PAYS_OUT, disposition=[{"disposition": "pay_out"}])
    await decides(system, DAILY, remittance_cycle="daily")


async def _continued(system: System, registers: Registers, origin: str = FROM) -> Case:
    """A case of which the record has moved and nothing of the money is ordered."""
    person = await registers.person(at(origin), at(ADVISED))
    case = Case(system, person, Desks(system, origin, ADVISED))
    await case.submits()
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    await case.take(case.desks.r_clerk, "confirmContinuation")
    return case


def _does(system: System, case: Case, kind: FaultKind, **differs: Any) -> None:
    """The bank does wrong with the first order of `case`, and with no other."""
    faults = FaultFile(system.data_dir)
    faults.write([*faults.faults(), BankFault(kind=kind, reference=f"{case.no}-01", **differs)])


def _sentences(amount: str, payer: str = OUT) -> dict[str, tuple[str, str]]:
    """The sentences of an order of `amount` yuan, Chinese and English, by where it stands."""
    zh, en = day("zh-CN", today()), day("en", today())
    return {
        "FROZEN": (
            f"个人账户余额{amount}元已于{zh}在{payer}冻结，待划转至{IN}。",
            f"The balance of {amount} yuan was frozen in {payer} on {en} and will be remitted to {IN}.",
        ),
        "ORDERED": (
            f"{payer}已于{zh}下达{amount}元的划转指令，银行正在办理。",
            f"{payer} ordered {amount} yuan on {en}; the bank is carrying it out.",
        ),
        "REMITTED": (
            f"银行已汇出{amount}元（{zh}下达指令），待{IN}确认到账。",
            f"The bank has sent {amount} yuan (ordered on {en}); {IN} has yet to confirm receipt.",
        ),
        "CREDITED": (
            f"{amount}元已于{zh}计入您在{IN}的个人账户。",
            f"{amount} yuan was credited to your personal account in {IN} on {en}.",
        ),
    }


def _under_way(amount: str) -> list[Told]:
    """An order of `amount` yuan between the agencies, until the bank advises it."""
    words = _sentences(amount)
    return [Told("AWAITING_FUNDS", status, *words[status]) for status in ("ORDERED", "REMITTED")]


FROZEN = Told("AWAITING_FUNDS", "PENDING", *_sentences("8,642.05")["FROZEN"])
CREDITED = Told("COMPLETED", "CREDITED", *_sentences("8,642.05")["CREDITED"])
MISMATCHED = Told(
    "AWAITING_FUNDS",
    "MISMATCHED",
    "到账8,642.04元与应划转的8,642.05元不一致，尚未计入您的个人账户，经办机构正在核对。",
    "8,642.04 yuan arrived instead of 8,642.05: not credited to your account yet, the agencies are looking into it.",
)
MOVED = {("PERSONAL_ACCOUNTS", FROM): -BALANCE_FEN, ("PERSONAL_ACCOUNTS", ADVISED): BALANCE_FEN}


async def test_one_fen_too_little_is_seen_by_itself_accepted_and_the_fen_sent_after_it(
    system: System, registers: Registers
) -> None:
    case = await _continued(system, registers)
    _does(system, case, FaultKind.WRONG_AMOUNT)
    missing = Told(
        "AWAITING_FUNDS",
        "PENDING",
        f"到账少了0.01元：{OUT}正在查找并将补划，已到账的部分已计入您的个人账户。",
        f"0.01 yuan less than ordered arrived: {OUT} is looking for them and will send them again; "
        "what arrived is credited to your account.",
    )
    story = [FROZEN, *_under_way("8,642.05"), MISMATCHED, missing, *_under_way("0.01"), CREDITED]
    async with watched(case, story):
        await says(case, FROZEN)
        await case.take(case.desks.o_finance, "remitPersonalAccount")
        await says(case, MISMATCHED)
        match = {"remittanceReference": f"{case.no}-01", "decision": "ACCEPT_AMOUNT", "reason": "以到账金额为准"}
        await case.take(case.desks.r_finance, "matchFunds", **match)
        await says(case, missing)
        assert open_steps(await case.read()) == [("REMIT_PERSONAL_ACCOUNT", 2, working_days_later(5))]
        await case.take(case.desks.o_finance, "remitPersonalAccount")
        await says(case, CREDITED)
    orders = [
        (each["reference"], each["amount"]["fen"], each["status"], each["corrects"])
        for each in (await case.read())["remittances"]
    ]
    first = f"{case.no}-01"
    assert orders == [(first, BALANCE_FEN, "CREDITED", None), (f"{case.no}-02", 1, "CREDITED", first)]
    await require_ended(system, case, booked=MOVED)


async def test_what_came_with_a_wrong_amount_goes_home_by_a_supervisors_word_and_the_whole_is_sent_anew(
    system: System, registers: Registers
) -> None:
    case = await _continued(system, registers)
    _does(system, case, FaultKind.WRONG_AMOUNT)
    unapproved = Told(
        "AWAITING_FUNDS",
        "PENDING",
        f"到账的8,642.04元与应划转的金额不一致，{IN}未计入并将退回{OUT}，待主管部门批准；退回后重新划转。",
        f"8,642.04 yuan arrived that do not match the order: {IN} has not credited them and will send them back to {OUT} "
        "once the supervisor approves; then the money is sent anew.",
    )
    on_its_way = (
        f"未计入的8,642.04元正在由{IN}退回{OUT}，退回后重新划转。",
        f"8,642.04 yuan that were not credited are on their way back from {IN} to {OUT}; then the money is sent anew.",
    )
    home = [Told("AWAITING_FUNDS", status, *on_its_way) for status in ("ORDERED", "REMITTED")]
    again = Told(
        "AWAITING_FUNDS",
        "PENDING",
        f"金额不符、未计入的款项已退回{OUT}，{OUT}将重新划转8,642.05元。",
        f"What arrived with a wrong amount was not credited and is back in {OUT}, which will send 8,642.05 yuan anew.",
    )
    sent = _under_way("8,642.05")
    async with watched(case, [FROZEN, *sent, MISMATCHED, unapproved, *home, again, *sent, CREDITED]):
        await case.take(case.desks.o_finance, "remitPersonalAccount")
        await says(case, MISMATCHED)
        match = {"remittanceReference": f"{case.no}-01", "decision": "SEND_HOME", "reason": "金额不符，原路退回"}
        await case.take(case.desks.r_finance, "matchFunds", **match)
        await says(case, unapproved)
        # Finance may not send it home itself, nor O anything anew meanwhile.
        home_again = {"remittanceReference": f"{case.no}-02"}
        for caller, mutation, given in (
            (case.desks.o_finance, "remitPersonalAccount", {}),
            (case.desks.r_finance, "releaseRemittance", home_again),
        ):
            assert (await case.asks(caller, mutation, **given))["__typename"] == "StepNotAllowed"
        # The bureau of either side finds it on its worklist, the agencies themselves do not; nobody else holds the case.
        for caller, listed in (
            (case.desks.r_supervisor, True),
            (case.desks.o_supervisor, True),
            (case.desks.r_finance, False),
            (case.desks.o_finance, False),
        ):
            found = (await caller.ask(APPROVALS))["viewer"]["worklist"]["edges"]
            assert (case.no in {edge["node"]["transfer"]["no"] for edge in found}) is listed
        held = (await case.applicant.ask(HELD, no=case.no))["transfer"]["progress"]
        assert held == {"holder": {"code": f"YB{ADVISED}"}, "holderRole": "SUPERVISOR"}
        await case.take(case.desks.r_supervisor, "approveReverseRemittance", **home_again)
        await says(case, home[-1])
        await case.receives(case.desks.o_finance, BALANCE_FEN - 1)
        await says(case, again)
        await case.take(case.desks.o_finance, "remitPersonalAccount")
        await says(case, CREDITED)
    first = f"{case.no}-01"
    assert [
        (each["kind"], each["amount"]["fen"], each["status"], each["corrects"])
        for each in (await case.read())["remittances"]
    ] == [
        ("TRANSFER", BALANCE_FEN, "RETURNED", None),
        ("REVERSE", BALANCE_FEN - 1, "CREDITED", first),
        ("TRANSFER", BALANCE_FEN, "CREDITED", first),
    ]
    await require_ended(system, case, booked=MOVED)


async def test_a_return_after_completion_is_told_listed_and_mended_until_the_case_is_completed_again(
    system: System, registers: Registers
) -> None:
    case = await _continued(system, registers)
    _does(system, case, FaultKind.RETURN, code="AC04", after_credit=True, seconds=60)
    returned = Told(
        "AWAITING_FUNDS",
        "RETURNED",
        f"办结之后，8,642.05元被银行退回{OUT}（收款账户已销户）：{IN}医疗保障事务中心须提供新的收款账户。"
        f"{OUT}正在重新划转，缴费年限不受影响。",
        f"After completion the bank sent 8,642.05 yuan back to {OUT} (the account is closed). To be given by "
        f"{IN}医疗保障事务中心: a new receiving account. {OUT} is sending it again; your contribution years are not affected.",
    )
    sent = _under_way("8,642.05")
    async with watched(case, [FROZEN, *sent, CREDITED, returned, *sent, CREDITED]):
        await case.take(case.desks.o_finance, "remitPersonalAccount")
        await says(case, CREDITED)
        closed_at = (await case.read())["closedAt"]
        assert await _listed(case, "COMPLETED") == ("COMPLETED", "CREDITED")
        _returns_now(system, case)
        await says(case, returned)
        read = await case.read()
        assert (read["closedAt"], read["progress"]["holder"]) == (None, {"code": f"YB{FROM}"})
        assert open_steps(read) == [("REMIT_PERSONAL_ACCOUNT", 2, working_days_later(5))]
        assert await _listed(case, "AWAITING_FUNDS") == ("AWAITING_FUNDS", "RETURNED")
        assert await _listed(case, "COMPLETED") is None
        why = (await system.cli("why", case.no)).out.splitlines()
        assert (why[0], why[2]) == (
            f"{case.no}  关系已转入，个人账户待到账",
            "  资金：银行退汇，余额 8,642.05 元",
        )
        assert [line[19:] for line in why[-4:]] == [
            "#16 已办结",
            "#17 办结后资金重新划转",
            "#18 银行退汇",
            "#19 开始：划转个人账户余额",
        ]
        await case.take(case.desks.o_finance, "remitPersonalAccount")
        await says(case, CREDITED)
    read = await case.read()
    assert read["closedAt"] > closed_at
    assert kinds(read)[kinds(read).index("COMPLETED") :] == [
        *("COMPLETED", "REOPENED", "FUNDS_RETURNED", "STEP_OPENED", "STEP_DONE", "FUNDS_ORDERED", "STEP_OPENED"),
        *("FUNDS_REMITTED", "STEP_DONE", "FUNDS_RECEIVED", "FUNDS_CREDITED", "COMPLETED"),
    ]
    assert [(each["kind"], each["status"], each["corrects"]) for each in read["remittances"]] == [
        ("TRANSFER", "RETURNED", None),
        ("RESIDUAL", "CREDITED", f"{case.no}-01"),
    ]
    assert await _listed(case, "COMPLETED") == ("COMPLETED", "CREDITED")
    assert await _listed(case, "AWAITING_FUNDS") is None
    assert (await system.cli("why", case.no)).out.splitlines()[0] == f"{case.no}  已办结"
    await require_ended(system, case, booked=MOVED)


def _returns_now(system: System, case: Case) -> None:
    """What the bank will take back of `case` it takes back at once."""
    with sqlite3.connect(system.data_dir / "bank.sqlite3") as bank:
        hasten = "update bookings set visible_at = 0 where message_id is null and entry like ?"
        assert bank.execute(hasten, (f"%{case.no}-01%",)).rowcount == 2


async def _listed(case: Case, status: str) -> tuple[str, str] | None:
    """Status and funds of the case as the supervisor's list of that status shows it; None where it is not on it."""
    query = """query ($filter: TransferFilter) {
      transfers(filter: $filter, first: 50) { edges { node { no status fundsStatus } } } }"""
    given = {"status": [status], "residentId": case.person.resident_id}
    found = (await case.desks.r_supervisor.ask(query, filter=given))["transfers"]["edges"]
    return next(
        ((node["status"], node["fundsStatus"]) for node in (edge["node"] for edge in found) if node["no"] == case.no),
        None,
    )


async def test_a_payout_to_a_closed_account_asks_the_person_for_another_and_is_paid_there(
    system: System, registers: Registers
) -> None:
    person = await registers.person(at(PAYS_OUT), at(ADVISED))
    case = Case(system, person, Desks(system, PAYS_OUT, ADVISED))
    await case.submits()
    await case.take(case.desks.o_clerk, "deliverInformationForm")
    _does(system, case, FaultKind.RETURN, code="AC04")

    def ordered(account: str) -> Told:
        return Told(
            "TRANSFERRING_IN",
            "ORDERED",
            f"{PAYER}已下达8,642.05元的支付指令，银行正在支付至您提供的账户（{account}）。",
            f"{PAYER} has ordered 8,642.05 yuan; the bank is paying them to the account that you gave ({account}).",
        )

    given = Told(
        "TRANSFERRING_IN",
        "PENDING",
        "个人账户余额8,642.05元待支付至您提供的账户（****0001）。",
        "The balance of 8,642.05 yuan is to be paid to the account that you gave (****0001).",
    )
    asked = Told(
        "TRANSFERRING_IN",
        "RETURNED",
        f"8,642.05元被银行退回（收款账户已销户）：请重新提供本人的收款账户，{PAYER}随后重新支付。",
        "The bank sent 8,642.05 yuan back (the account is closed). Please give another account of your own; "
        f"{PAYER} will then pay again.",
    )
    answered = Told(
        "TRANSFERRING_IN",
        "RETURNED",
        f"8,642.05元被银行退回（收款账户已销户），{PAYER}将重新支付至您提供的账户（****0002）。",
        f"The bank sent 8,642.05 yuan back (the account is closed). {PAYER} will pay it again to the account you gave (****0002).",
    )
    paid = Told(
        "TRANSFERRING_IN", "PAID_OUT_TO_PERSON", "个人账户余额已支付给本人。", "The balance was paid out to you."
    )
    await case.take(case.applicant, "providePayoutAccount", **FIRST)
    story = [
        given,
        ordered("****0001"),
        paid,
        asked,
        answered,
        ordered("****0002"),
        paid,
        paid._replace(status="COMPLETED"),
    ]
    async with watched(case, story):
        await case.take(case.desks.o_finance, "remitPersonalAccount")
        await says(case, asked)
        read = await case.read()
        assert "PROVIDE_PAYOUT_ACCOUNT" in read["progress"]["actions"]
        assert "PROVIDE_PAYOUT_ACCOUNT" in read["allowedActions"]
        # O's finance waits for the person, and so does its clock.
        assert step(read, "REMIT_PERSONAL_ACCOUNT")["deadline"]["state"] == "PAUSED"
        refused = await case.asks(case.desks.o_finance, "remitPersonalAccount")
        assert refused["__typename"] == "StepNotAllowed"
        await case.take(case.applicant, "providePayoutAccount", **SECOND)
        await says(case, answered)
        assert step(await case.read(), "REMIT_PERSONAL_ACCOUNT")["deadline"]["state"] == "ON_TRACK"
        await case.take(case.desks.o_finance, "remitPersonalAccount")
        await says(case, paid)
        await case.take(case.desks.r_clerk, "confirmContinuation")
        await says(case, paid._replace(status="COMPLETED"))
    read = await case.read()
    assert [
        (each["kind"], each["amount"]["fen"], each["status"], each["corrects"]) for each in read["remittances"]
    ] == [("PAYOUT", BALANCE_FEN, "RETURNED", None), ("PAYOUT", BALANCE_FEN, "CREDITED", f"{case.no}-01")]
    booked = {("PERSONAL_ACCOUNTS", PAYS_OUT): -BALANCE_FEN, ("PAID_OUT", PAYS_OUT): BALANCE_FEN}
    await require_ended(system, case, booked=booked)
    # The first account was paid nothing that stayed there, the second was paid once.
    assert _paid_to(system, case) == [("6222021001112220001", BALANCE_FEN), ("6222021001112220002", BALANCE_FEN)]


def _paid_to(system: System, case: Case) -> list[tuple[str, int]]:
    """Account and fen of every order of the case that the bank has been handed, in their order."""
    with sqlite3.connect(system.data_dir / "bank.sqlite3") as bank:
        kept = bank.execute(
            "select document from orders where reference like ? order by 1", (f"{case.no}-%",)
        ).fetchall()
    return [(order["payee_account"], order["amount_fen"]) for order in (json.loads(document) for (document,) in kept)]


async def test_an_order_of_a_daily_region_waits_for_its_batch_and_nobody_confirms_it_before(
    system: System, registers: Registers
) -> None:
    """How the batch goes is seen in tests/workflows/test_transfer_cycle.py: here its day is another than today, by the clock of the machine."""
    case = await _continued(system, registers, DAILY)
    await case.take(case.desks.o_finance, "remitPersonalAccount")
    send_on = date.fromisoformat(working_days_later(1))
    zh, en = day("zh-CN", today()), day("en", today())
    waits = Told(
        "AWAITING_FUNDS",
        "ORDERED",
        f"承德市已于{zh}下达8,642.05元的划转指令，按当地划转周期将于{day('zh-CN', send_on)}由银行划出。",
        f"承德市 ordered 8,642.05 yuan on {en}; by its cycle the bank sends them on {day('en', send_on)}.",
    )
    await says(case, waits)
    advice = {"amount": BALANCE_FEN, "bankReference": f"BK-{case.no}", "receivedOn": today().isoformat()}
    early = await case.asks(case.desks.r_finance, "confirmReceipt", **advice)
    assert [(each["path"], each["code"]) for each in early["violations"]] == [
        (["input", "receivedOn"], "BEFORE_THE_BATCH")
    ]
    await says(case, waits)
    assert _paid_to(system, case) == []
    why = (await system.cli("why", case.no)).out.splitlines()
    assert why[2] == f"  资金：已下达划转指令，冻结余额 8,642.05 元，按划转周期 {send_on} 送达银行"
