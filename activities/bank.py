"""The bank behind its port: orders go out under our reference, and the bank says what it has taken.

The port is two calls, both safe to repeat: look a reference up, and hand an order in. What is asked twice is done once.
"""

from enum import StrEnum
from typing import Protocol

import httpx
from pydantic import BaseModel

from activities.http_connections import KeptConnections

SECONDS = 5.0


class BankStatus(StrEnum):
    """UNKNOWN: the bank has never seen the reference. PENDING: handed in. TAKEN: the money has left."""

    UNKNOWN = "UNKNOWN"
    PENDING = "PENDING"
    TAKEN = "TAKEN"


class Payee(BaseModel, frozen=True):
    """Whose account the money goes to: an agency's, or that of a person whose balance is paid out."""

    payee_name: str
    payee_bank: str
    payee_bank_code: str | None
    payee_account: str


class PaymentOrder(Payee, frozen=True):
    """What the bank is told: amount in fen, payee, and our reference, carried unchanged."""

    reference: str
    amount_fen: int
    payer_agency: str


class Bank(Protocol):
    async def status(self, reference: str) -> BankStatus:
        """What the bank knows of a reference. Raises `OSError` or `httpx.HTTPError` when it cannot be asked."""
        ...

    async def hand_in(self, order: PaymentOrder) -> None:
        """Hand an order in; a second time under the same reference changes nothing. Raises as `status` does."""
        ...


class HttpBank:
    """The bank's port over HTTP: `GET /orders/REFERENCE` and `PUT /orders/REFERENCE`."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=SECONDS, transport=KeptConnections())

    async def status(self, reference: str) -> BankStatus:
        answer = await self._client.get(f"/orders/{reference}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return BankStatus.UNKNOWN
        answer.raise_for_status()
        return BankStatus(answer.json()["status"])

    async def hand_in(self, order: PaymentOrder) -> None:
        answer = await self._client.put(f"/orders/{order.reference}", json=order.model_dump(mode="json"))
        answer.raise_for_status()

    async def close(self) -> None:
        await self._client.aclose()
