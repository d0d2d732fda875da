"""One case and everybody at its desks: each step with the key it was first taken with."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.e2e.caller import Caller, UnavailableError, new_key
from tests.e2e.people import BALANCE_FEN, BEIJING, SHANGHAI, Person, today
from tests.e2e.system import System, until
from workflows.vocabulary import Role

READ = """
query Read($no: TransferNo!) { transfer(no: $no) {
  id no route fromScheme toScheme status fundsStatus revision submittedAt acceptedAt closedAt allowedActions
  insuredPerson { maskedName maskedResidentId }
  transferOut { code } transferIn { code }
  steps { kind round state doneAt label agency { code } deadline { startsOn dueOn workingDays state legalBasis } }
  currentStep { kind }
  progress { headline money holder { code } dueOn actions }
  refusals { code class } continuation { actualMonths deemedMonths totalMonths overlappingMonths waitingPeriod { months } }
  contributionPeriods { firstMonth lastMonth months deemed }
  personalAccountBalance { fen yuan }
  remittances { reference kind status corrects amount { fen } bankReference }
  coverageGap { stoppedOn closesOn daysLeft }
  documents { id kind number version void sha256 downloadUrl }
  events(first: 50) { edges { node { seq kind step message } } pageInfo { hasNextPage } } } }
"""
APPLICATION = {"fromRegion": BEIJING, "toRegion": SHANGHAI, "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}
WITHIN_SECONDS = 90.0


@dataclass
class Desks:
    """Everybody of the two agencies, and the bureaus above them."""

    system: System
    origin: str = BEIJING
    destination: str = SHANGHAI

    def __post_init__(self) -> None:
        caller, o, r = self.system.caller, self.origin, self.destination
        self.o_clerk, self.r_clerk = caller(Role.CLERK, o), caller(Role.CLERK, r)
        self.o_checker, self.r_checker = caller(Role.CHECKER, o), caller(Role.CHECKER, r)
        self.o_finance, self.r_finance = caller(Role.FINANCE, o), caller(Role.FINANCE, r)
        self.o_supervisor, self.r_supervisor = caller(Role.SUPERVISOR, o), caller(Role.SUPERVISOR, r)


@dataclass
class Case:
    """A case of `person`. Its steps may be taken again: with the same key, as a caller does who got no answer."""

    system: System
    person: Person
    desks: Desks
    request_stop: bool = False
    # What differs from the standard application.
    application: dict[str, Any] = field(default_factory=dict)
    id: str = ""
    no: str = ""
    advices: int = 0
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.applicant = self.system.caller(Role.INSURED_PERSON, resident_id=self.person.resident_id)

    # ---------------------------------------------------------------- the steps

    async def submit(self) -> dict[str, Any]:
        regions = {"fromRegion": self.desks.origin, "toRegion": self.desks.destination}
        given = APPLICATION | regions | {"requestStop": self.request_stop} | self.application
        given |= {"idempotencyKey": self._key("submit")}
        answer = await self.applicant.submit(**given)
        if answer["__typename"] == "SubmitTransferPayload":
            self.id, self.no = answer["transfer"]["id"], answer["transfer"]["no"]
        return answer

    async def submits(self) -> dict[str, Any]:
        """The payload of an application that must be taken."""
        return await persist(self.submit)

    async def stop(self) -> dict[str, Any]:
        return await self._step(self.desks.o_clerk, "stopCoverage", stoppedOn=today().isoformat())

    async def accept(self) -> dict[str, Any]:
        return await self._step(self.desks.r_clerk, "acceptTransfer")

    async def deliver(self) -> dict[str, Any]:
        return await self._step(self.desks.o_clerk, "deliverInformationForm")

    async def remit(self) -> dict[str, Any]:
        return await self._step(self.desks.o_finance, "remitPersonalAccount")

    async def receive(self) -> dict[str, Any]:
        return await self._step(
            self.desks.r_finance,
            "confirmReceipt",
            amount=BALANCE_FEN,
            bankReference=f"BK-{self.no}",
            receivedOn=today().isoformat(),
        )

    async def continue_(self) -> dict[str, Any]:
        return await self._step(self.desks.r_clerk, "confirmContinuation")

    async def _step(self, caller: Caller, mutation: str, **given: Any) -> dict[str, Any]:
        return await caller.step(mutation, self.id, idempotencyKey=self._key(mutation), **given)

    async def take(self, caller: Caller, mutation: str, **given: Any) -> dict[str, Any]:
        """The payload of a step that `caller` takes under a key of its own."""
        said = {"idempotencyKey": new_key()} | given
        return await persist(lambda: caller.step(mutation, self.id, **said))

    async def asks(self, caller: Caller, mutation: str, **given: Any) -> dict[str, Any]:
        """The answer to a step that `caller` may take or not, as soon as there is one."""
        said = {"idempotencyKey": new_key()} | given
        return await answered(lambda: caller.step(mutation, self.id, **said))

    async def receives(self, caller: Caller, amount_fen: int, **given: Any) -> dict[str, Any]:
        """The bank's advice of the order on its way, entered by `caller`."""
        self.advices += 1
        advice = {"bankReference": f"BK-{self.no}-{self.advices}", "receivedOn": today().isoformat()}
        return await self.take(caller, "confirmReceipt", amount=amount_fen, **advice | given)

    async def remits(self) -> dict[str, Any]:
        """O's order of what is owed, until the bank has taken it."""
        await self.take(self.desks.o_finance, "remitPersonalAccount")
        return await self.reaches(fundsStatus="REMITTED")

    def _key(self, step: str) -> str:
        return self.keys.setdefault(step, new_key())

    # ---------------------------------------------------------------- what it says

    async def read(self, caller: Caller | None = None) -> dict[str, Any]:
        transfer: dict[str, Any] = (await (caller or self.applicant).ask(READ, no=self.no))["transfer"]
        return transfer

    async def reaches(self, **wanted: str) -> dict[str, Any]:
        """The case as soon as its fields have these values."""

        async def there() -> dict[str, Any] | None:
            transfer = await self.read()
            return transfer if wanted.items() <= transfer.items() else None

        found: dict[str, Any] = await until(there)
        return found


async def done(step: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """The payload of a step that must succeed at once."""
    answer = await step
    assert answer["__typename"].endswith("Payload"), answer
    return answer


async def persist(step: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """The payload of a step, asked again with the same key until it is answered."""
    answer = await answered(step)
    assert answer["__typename"].endswith("Payload"), answer
    return answer


async def answered(step: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
    """Whatever a step is answered with, asked again with the same key while it is on its way."""
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        try:
            answer = await asyncio.wait_for(step(), 30)
            if answer["__typename"] != "StepPending":
                return answer
        except (httpx.HTTPError, TimeoutError, UnavailableError):
            pass
        assert time.monotonic() < deadline, f"no answer within {WITHIN_SECONDS} s"
        await asyncio.sleep(0.1)
