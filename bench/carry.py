"""One transfer carried from application to 已办结 over the public API, as an app and four desks of two agencies do it."""

import asyncio
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, NamedTuple

from activities.register_load import today_in_shanghai
from bench.http_load import Connection, RequestError, graphql_request
from bench.population import BALANCE_FEN, DESTINATION, ORIGIN, Person
from bench.system import System
from workflows.vocabulary import Role

SUBMIT: Final = """
mutation Submit($input: SubmitTransferInput!) { submitTransfer(input: $input) {
  __typename ... on UserError { message } ... on StepPending { retryAfterSeconds } ... on SubmitTransferPayload { transfer { id no status } } } }
"""
STEP: Final = """
mutation Step($input: %s!) { %s(input: $input) {
  __typename ... on UserError { message } ... on StepPending { retryAfterSeconds } ... on StepPayload { event { seq } transfer { status } } } }
"""
DELIVER: Final = STEP % ("DeliverInformationFormInput", "deliverInformationForm")
REMIT: Final = STEP % ("TransferInput", "remitPersonalAccount")
CONTINUE: Final = STEP % ("TransferInput", "confirmContinuation")
RECEIVE: Final = STEP % ("ConfirmReceiptInput", "confirmReceipt")
FUNDS: Final = "query Funds($no: TransferNo!) { transfer(no: $no) { fundsStatus } }"
# The sandbox bank takes an order after 0.3 s: to look sooner finds nothing.
BANK_SECONDS: Final = 0.5
LOOK_AGAIN_SECONDS: Final = 0.25
MOST_LOOKS: Final = 200


class Open(NamedTuple):
    """A transfer that was submitted and accepted."""

    person: Person
    token: str
    id: str
    no: str


@dataclass
class Desks:
    """Both agencies' desks at one connection.

    `latencies` are the seconds of every step that was taken; `pending` counts the answers that came too late for it.
    """

    system: System
    connection: Connection
    latencies: list[float] = field(default_factory=list)
    pending: int = 0

    def __post_init__(self) -> None:
        self._clerk_out = self.system.token(Role.CLERK, region=ORIGIN)
        self._finance_out = self.system.token(Role.FINANCE, region=ORIGIN)
        self._clerk_in = self.system.token(Role.CLERK, region=DESTINATION)
        self._finance_in = self.system.token(Role.FINANCE, region=DESTINATION)
        self._today: date = today_in_shanghai()

    async def submit(self, person: Person) -> Open:
        """The person applies, and the certificate is issued."""
        token = self.system.token(Role.INSURED_PERSON, resident_id=person.resident_id)
        given = {"fromRegion": ORIGIN, "toRegion": DESTINATION, "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}
        answer = await self._do(token, SUBMIT, given)
        return Open(person, token, answer["transfer"]["id"], answer["transfer"]["no"])

    async def deliver(self, transfer: Open) -> None:
        await self._step(self._clerk_out, DELIVER, transfer)

    async def remit(self, transfer: Open) -> None:
        await self._step(self._finance_out, REMIT, transfer)

    async def confirm_continuation(self, transfer: Open) -> None:
        await self._step(self._clerk_in, CONTINUE, transfer)

    async def funds_arrive(self, transfer: Open) -> None:
        """Wait until the bank has sent the money on its way, as the desk does that has its advice."""
        await asyncio.sleep(BANK_SECONDS)
        request = graphql_request(self._finance_in, FUNDS, no=transfer.no)
        for _ in range(MOST_LOOKS):
            if (await self.connection.ask(request))["transfer"]["fundsStatus"] == "REMITTED":
                return
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        raise RequestError(f"{transfer.no}: the bank has not taken the order")

    async def confirm_receipt(self, transfer: Open) -> None:
        advice = {
            "amount": BALANCE_FEN,
            "bankReference": f"BK{secrets.token_hex(8)}",
            "receivedOn": self._today.isoformat(),
        }
        status = await self._step(self._finance_in, RECEIVE, transfer, **advice)
        if status != "COMPLETED":
            raise RequestError(f"{transfer.no} is {status} after its last step")

    async def carry(self, person: Person) -> str:
        """From application to 已办结; the transfer's number."""
        transfer = await self.submit(person)
        await self.deliver(transfer)
        await self.remit(transfer)
        await self.confirm_continuation(transfer)
        await self.funds_arrive(transfer)
        await self.confirm_receipt(transfer)
        return transfer.no

    async def _step(self, token: str, mutation: str, transfer: Open, **given: Any) -> str:
        began = time.perf_counter()
        answer = await self._do(token, mutation, {"transferId": transfer.id, **given})
        self.latencies.append(time.perf_counter() - began)
        status: str = answer["transfer"]["status"]
        return status

    async def _do(self, token: str, mutation: str, given: dict[str, Any]) -> dict[str, Any]:
        given = {"idempotencyKey": f"bench-{secrets.token_hex(12)}", **given}
        request = graphql_request(token, mutation, input=given)
        (answer,) = (await self.connection.ask(request)).values()
        while answer["__typename"] == "StepPending":
            # Recorded, and slow: the same key asks again.
            self.pending += 1
            self.connection.close()
            await asyncio.sleep(answer["retryAfterSeconds"])
            (answer,) = (await self.connection.ask(request)).values()
        if not answer["__typename"].endswith("Payload"):
            raise RequestError(f"{answer['__typename']}: {answer['message']}")
        result: dict[str, Any] = answer
        return result


@contextmanager
def desks(system: System, count: int) -> Iterator[list[Desks]]:
    """As many desks, each at a connection of its own."""
    connections = [Connection(system.info.gateway) for _ in range(count)]
    try:
        yield [Desks(system, connection) for connection in connections]
    finally:
        for connection in connections:
            connection.close()
