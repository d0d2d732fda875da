"""Fifty clients press every button of one transfer at once: each is answered, one of each effect, none lost, none doubled."""

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.e2e.books import require_paid_once
from tests.e2e.caller import Caller, UnavailableError, new_key
from tests.e2e.case import Case, Desks, persist
from tests.e2e.people import BALANCE_FEN, BEIJING, SHANGHAI, Registers, active, today
from tests.e2e.system import System, until
from tests.faults.books import Openings, openings
from tests.faults.checker import check
from workflows.vocabulary import Role

CLIENTS = 50
ROUNDS = 12
# Temporal's limit for one workflow.
UPDATES_IN_FLIGHT = 10
QUIET_SECONDS = 0.7
# What carries a case on, and what is refused beside it.
MAIN = ("stopCoverage", "deliverInformationForm", "remitPersonalAccount", "confirmReceipt", "confirmContinuation")
# The rest, what ends a case among it.
OTHERS = (
    *("reissueCertificate", "acceptTransfer", "declineTransfer", "issueContactLetter", "recordMail"),
    *("checkInformationForm", "returnTransfer", "requestCorrection", "providePayoutAccount"),
    *("approveReverseRemittance", "terminateTransfer", "withdrawTransfer"),
)
TYPED = {"StepPayload", "StepNotAllowed", "ValidationFailed"}
CLOSED = {"COMPLETED", "DECLINED", "WITHDRAWN", "TERMINATED"}


@dataclass
class Crowd:
    """The officials of both agencies, each client with tokens of their own, and what they were answered."""

    case: Case
    answers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    pending: int = 0
    held: bool = False
    advices: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self._callers = [self._officials(number) for number in range(CLIENTS)]

    def _officials(self, number: int) -> dict[str, Caller]:
        def official(role: Role, region: str) -> Caller:
            return self.case.system.caller(role, region, subject=f"{role.lower()}-{region}-{number}")

        return {
            "O clerk": official(Role.CLERK, BEIJING),
            "O checker": official(Role.CHECKER, BEIJING),
            "O finance": official(Role.FINANCE, BEIJING),
            "R clerk": official(Role.CLERK, SHANGHAI),
            "R finance": official(Role.FINANCE, SHANGHAI),
            "supervisor": official(Role.SUPERVISOR, BEIJING),
            "person": self.case.applicant,
        }

    async def press(self, *buttons: str) -> None:
        """Every client presses every one of them, all at once, and waits for the answers.

        In a crowd that is `held` the worker stands still until all that may be is recorded: it all reaches the case before
        anything is done.
        """
        async with asyncio.timeout(600):
            with self.case.system.frozen("worker") if self.held else contextlib.nullcontext():
                pressing = [
                    asyncio.create_task(self._press(each, button)) for each in self._callers for button in buttons
                ]
                if self.held:
                    await self._all_recorded()
            await asyncio.gather(*pressing)

    async def _all_recorded(self) -> None:
        """Until no more commands come."""
        before, now = -1, 0
        async with self.case.system.database() as connection:
            while now > before:
                await asyncio.sleep(QUIET_SECONDS)
                sql = "select count(*) from commands where transfer_no = $1"
                before, now = now, await connection.fetchval(sql, self.case.no)

    async def _press(self, callers: dict[str, Caller], button: str) -> None:
        who, given = self._said(button)
        key = new_key()
        answer: dict[str, Any] = {"__typename": "StepPending"}
        while answer["__typename"] == "StepPending":
            try:
                answer = await callers[who].step(button, self.case.id, idempotencyKey=key, **given)
            except (httpx.HTTPError, UnavailableError):
                continue
            if answer["__typename"] == "StepPending":
                self.pending += 1
                # As it says: who asks again without a pause keeps Temporal from what it has admitted.
                await asyncio.sleep(answer["retryAfterSeconds"])
        self.answers.setdefault(button, []).append(answer)

    def _said(self, button: str) -> tuple[str, dict[str, Any]]:
        reason: dict[str, Any] = {"reason": "many at once"}
        order = {"remittanceReference": f"{self.case.no}-02"}
        mail = {"item": "CONTACT_LETTER", "carrier": "中国邮政", "trackingNo": "1", "sentOn": today().isoformat()}
        advice = {
            "amount": BALANCE_FEN,
            # Each of the clients has an advice of its own.
            "bankReference": f"BK-{self.case.no}-{next(self.advices)}",
            "receivedOn": today().isoformat(),
        }
        account = {"bankName": "示例银行", "accountName": "林晓舟", "accountNumber": "6222020200112233445"}
        said: dict[str, tuple[str, dict[str, Any]]] = {
            "stopCoverage": ("O clerk", {"stoppedOn": today().isoformat()}),
            "deliverInformationForm": ("O clerk", {}),
            "remitPersonalAccount": ("O finance", {}),
            "confirmReceipt": ("R finance", advice),
            "confirmContinuation": ("R clerk", {}),
            "reissueCertificate": ("O clerk", reason),
            "acceptTransfer": ("R clerk", {}),
            "declineTransfer": ("R clerk", {"reasons": ["SPECIAL_PERSONNEL"]}),
            "issueContactLetter": ("R clerk", {}),
            "recordMail": ("R clerk", mail),
            "checkInformationForm": ("O checker", {}),
            "returnTransfer": ("O clerk", {"reason": "WRONG_REGION", "note": "another pool"}),
            "requestCorrection": ("R clerk", {"reason": "YEARS_DISPUTED", "note": "a year is missing"}),
            "providePayoutAccount": ("person", account),
            "approveReverseRemittance": ("supervisor", order),
            "terminateTransfer": ("supervisor", reason),
            "withdrawTransfer": ("person", reason),
        }
        return said[button]

    async def until_closed(self, *buttons: str) -> dict[str, Any]:
        """Press in rounds: what came too early in one is in time in the next."""
        for _ in range(ROUNDS):
            await self.press(*buttons)
            read = await self.case.read()
            if read["status"] in CLOSED:
                return read
        raise AssertionError(read)

    def carried_out(self) -> Counter[str]:
        return Counter(
            button for button, each in self.answers.items() for one in each if one["__typename"] == "StepPayload"
        )


@pytest.fixture
async def crowd(system: System, registers: Registers, desks: Desks) -> Crowd:
    """Before a case whose coverage is still to be stopped."""
    case = Case(system, await registers.person(origin=active()), desks, request_stop=True)
    await case.submits()
    return Crowd(case)


async def _opened(case: Case) -> Openings:
    """What both registers held before, for nothing has moved yet."""
    async with case.system.database() as connection:
        person = await connection.fetchval("select person_id::text from transfers where no = $1", case.no)
        return {side: opening for side, opening in (await openings(connection)).items() if side[0] == person}


async def _require_none_lost_none_doubled(crowd: Crowd, opened: Openings) -> None:
    """Every press was answered in a type of its own, every one that was carried out stands in the events once."""
    case, payloads = crowd.case, []
    for button, answers in crowd.answers.items():
        assert len(answers) % CLIENTS == 0
        assert {each["__typename"] for each in answers} <= TYPED, (button, Counter(a["__typename"] for a in answers))
        payloads += [each for each in answers if each["__typename"] == "StepPayload"]
    seqs = [each["event"]["seq"] for each in payloads]
    assert len(seqs) == len(set(seqs)), sorted(seqs)
    async with case.system.database() as connection:

        async def all_answered() -> Counter[str] | None:
            """What came after the case was closed is answered by the sweeper."""
            rows = await connection.fetch("select outcome ->> 'kind' from commands where transfer_no = $1", case.no)
            outcomes = Counter(row[0] for row in rows)
            return outcomes if None not in outcomes else None

        outcomes = await until(all_answered, 90)
        assert outcomes["DONE"] == len(payloads) + 1
        # More reached the case at once than Temporal admits, and were refused by the step itself.
        assert outcomes["NOT_ALLOWED"] > UPDATES_IN_FLIGHT or not crowd.held, outcomes
        report = await check(connection, case.system.data_dir / "bank.sqlite3", opened, no=case.no)
    assert (report.damages, report.lost_fen) == ([], 0)


@pytest.mark.parametrize("held", [False, pytest.param(True, marks=pytest.mark.long)], ids=["as it comes", "held"])
async def test_fifty_clients_press_every_button_of_a_case_and_one_of_each_is_carried_out(
    crowd: Crowd, held: bool
) -> None:
    crowd.held = held
    opened = await _opened(crowd.case)
    read = await crowd.until_closed(*MAIN)
    assert (read["status"], read["fundsStatus"]) == ("COMPLETED", "CREDITED")
    assert crowd.carried_out() == Counter(MAIN)
    await _require_none_lost_none_doubled(crowd, opened)
    async with crowd.case.system.database() as connection:
        await require_paid_once(connection, crowd.case)


@pytest.mark.long
@pytest.mark.parametrize("once", range(3))
async def test_fifty_clients_press_all_buttons_there_are_whatever_comes_of_it(crowd: Crowd, once: int) -> None:
    # Once as it comes, twice with all of it before the case at once.
    crowd.held = once > 0
    opened = await _opened(crowd.case)
    read = await crowd.until_closed(*MAIN, *OTHERS)
    async with crowd.case.system.database() as connection:
        ended = await connection.fetchval(
            """select count(*) from transfer_events join transfers using (transfer_id)
                where no = $1 and split_part(type, '.', 1) in ('completed', 'declined', 'withdrawn', 'terminated')""",
            crowd.case.no,
        )
    assert (read["status"] in CLOSED, ended) == (True, 1)
    await _require_none_lost_none_doubled(crowd, opened)


@pytest.mark.long
async def test_fifty_clients_press_all_that_does_not_end_a_case(crowd: Crowd) -> None:
    """Corrections, reissues and all the rest beside the main job, which then has its end."""
    opened = await _opened(crowd.case)
    ends = {"declineTransfer", "returnTransfer", "terminateTransfer", "withdrawTransfer"}
    for _ in range(3):
        await crowd.press(*MAIN, *(each for each in OTHERS if each not in ends))
    read = await crowd.case.read()
    if read["status"] not in CLOSED:
        read = await crowd.until_closed(*MAIN)
    assert (read["status"], read["fundsStatus"]) == ("COMPLETED", "CREDITED")
    await _require_none_lost_none_doubled(crowd, opened)


# ------------------------------------------------------------------ the same key, many times


async def _thrice(step: Callable[[], Awaitable[dict[str, Any]]]) -> list[dict[str, Any]]:
    return await asyncio.gather(*(persist(step) for _ in range(3)))


async def test_every_step_sent_three_times_at_once_with_one_key_is_carried_out_once(
    system: System, registers: Registers, desks: Desks
) -> None:
    case = Case(system, await registers.person(origin=active()), desks, request_stop=True)
    opened: Openings = {}
    for name in ("submit", "stop", "deliver", "remit", "continue_", "receive"):
        answers = await _thrice(getattr(case, name))
        opened = opened or await _opened(case)
        assert sum(not each["replayed"] for each in answers) <= 1
        assert len({(each.get("event") or {}).get("seq") for each in answers}) == 1
        if name == "remit":
            await case.reaches(fundsStatus="REMITTED")
    read = await case.read()
    assert (read["status"], read["fundsStatus"]) == ("COMPLETED", "CREDITED")
    async with system.database() as connection:
        kept = await connection.fetchval("select count(*) from commands where transfer_no = $1", case.no)
        assert kept == 6
        await require_paid_once(connection, case)
        report = await check(connection, system.data_dir / "bank.sqlite3", opened, no=case.no)
    assert (report.damages, report.lost_fen) == ([], 0)
