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
  steps { kind round state doneAt label agency { code } deadline { dueOn workingDays state legalBasis } }
  currentStep { kind }
  progress { headline money holder { code } dueOn actions }
  refusals { code class } continuation { actualMonths deemedMonths totalMonths overlappingMonths waitingPeriod { months } }
  contributionPeriods { firstMonth lastMonth months deemed }
  personalAccountBalance { fen yuan }
  remittances { reference kind status amount { fen } bankReference }
  documents { id kind number version void sha256 downloadUrl }
  events(first: 50) { edges { node { seq kind step message } } pageInfo { hasNextPage } } } }
"""
APPLICATION = {"fromRegion": BEIJING, "toRegion": SHANGHAI, "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}
WITHIN_SECONDS = 90.0


@dataclass
class Desks:
    """Everybody of the two agencies."""

    system: System

    def __post_init__(self) -> None:
        self.o_clerk = self.system.caller(Role.CLERK, BEIJING)
        self.o_finance = self.system.caller(Role.FINANCE, BEIJING)
        self.r_clerk = self.system.caller(Role.CLERK, SHANGHAI)
        self.r_finance = self.system.caller(Role.FINANCE, SHANGHAI)


@dataclass
class Case:
    """A case of `person`. Its steps may be taken again: with the same key, as a caller does who got no answer."""

    system: System
    person: Person
    desks: Desks
    request_stop: bool = False
    id: str = ""
    no: str = ""
    keys: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.applicant = self.system.caller(Role.INSURED_PERSON, resident_id=self.person.resident_id)

    # ---------------------------------------------------------------- the steps

    async def submit(self) -> dict[str, Any]:
        given = APPLICATION | {"requestStop": self.request_stop, "idempotencyKey": self._key("submit")}
        answer = await self.applicant.submit(**given)
        if answer["__typename"] == "SubmitTransferPayload":
            self.id, self.no = answer["transfer"]["id"], answer["transfer"]["no"]
        return answer

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
    deadline = time.monotonic() + WITHIN_SECONDS
    while True:
        try:
            answer = await asyncio.wait_for(step(), 30)
            if answer["__typename"] != "StepPending":
                assert answer["__typename"].endswith("Payload"), answer
                return answer
        except (httpx.HTTPError, TimeoutError, UnavailableError):
            pass
        assert time.monotonic() < deadline, f"no answer within {WITHIN_SECONDS} s"
        await asyncio.sleep(0.1)
