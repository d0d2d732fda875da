"""The bank's port over HTTP: ISO 20022 documents under `/orders`, `/messages` and `/statements`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from activities.bank import Answer, BankStatus, PaymentOrder, Posted
from activities.bank.advices import Statement, read_statement
from activities.bank.initiation import initiation_of
from activities.bank.reports import answer_of
from activities.http_connections import KeptConnections

SECONDS = 5.0
_XML = {"Content-Type": "application/xml"}


class BankSpeaksOtherwiseError(OSError):
    """The bank answered, and not as agreed; it is asked again as if it were away."""


class _Outbox(BaseModel):
    class Message(BaseModel):
        cursor: str
        message_id: str
        document: str

    messages: list[Message]


class HttpBank:
    """`GET` and `PUT /orders/REFERENCE`, `GET /messages?after=CURSOR`, `GET /statements/ACCOUNT/DATE`."""

    def __init__(self, url: str) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=SECONDS, transport=KeptConnections())

    async def status(self, reference: str) -> Answer:
        """Raises `RefusedMessageError` too, for an answer that is no status report."""
        answer = await self._client.get(f"/orders/{quote(reference, safe='')}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return Answer(BankStatus.UNKNOWN)
        answer.raise_for_status()
        return answer_of(answer.content)

    async def hand_in(self, order: PaymentOrder) -> None:
        """Raises `RefusedMessageError` too, for an order that no message can carry."""
        document = initiation_of(order, datetime.now(UTC))
        answer = await self._client.put(f"/orders/{quote(order.reference, safe='')}", content=document, headers=_XML)
        answer.raise_for_status()

    async def messages(self, after: str, limit: int) -> Sequence[Posted]:
        answer = await self._client.get("/messages", params={"after": after, "limit": limit})
        answer.raise_for_status()
        try:
            outbox = _Outbox.model_validate_json(answer.content)
        except ValidationError as invalid:
            raise BankSpeaksOtherwiseError(f"the outbox is not as agreed: {invalid.error_count()} faults") from None
        return [Posted(each.cursor, each.message_id, each.document.encode()) for each in outbox.messages]

    async def statement(self, account: str, day: date) -> Statement:
        """The account's statement of a day. Raises `RefusedMessageError` too."""
        answer = await self._client.get(f"/statements/{quote(account, safe='')}/{day.isoformat()}")
        answer.raise_for_status()
        return read_statement(answer.content)

    async def close(self) -> None:
        await self._client.aclose()
