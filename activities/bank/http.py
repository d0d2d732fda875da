"""The bank's port over HTTP: ISO 20022 documents under `/orders`, `/messages` and `/statements`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import quote, urlencode

import aiohttp
from pydantic import BaseModel, ValidationError
from yarl import URL

from activities.bank import Answer, BankAwayError, BankStatus, NotAnsweredError, PaymentOrder, Posted
from activities.bank.advices import Statement, read_statement
from activities.bank.initiation import initiation_of
from activities.bank.reports import answer_of
from activities.outside_http import SUCCESS, open_session

SECONDS = 5.0
_XML = {"Content-Type": "application/xml"}


class _Outbox(BaseModel):
    class Message(BaseModel):
        cursor: str
        message_id: str
        document: str

    messages: list[Message]


class _Answered(NamedTuple):
    status: int
    content: bytes


class HttpBank:
    """`GET` and `PUT /orders/REFERENCE`, `GET /messages?after=CURSOR`, `GET /statements/ACCOUNT/DATE`. Made where a loop runs."""

    def __init__(self, url: str) -> None:
        self._url = str(URL(url)).rstrip("/")
        self._session = open_session(SECONDS)

    async def status(self, reference: str) -> Answer:
        """Raises `RefusedMessageError` too, for an answer that is no status report."""
        answer = await self._ask("GET", f"/orders/{quote(reference, safe='')}")
        if answer.status == HTTPStatus.NOT_FOUND:
            return Answer(BankStatus.UNKNOWN)
        return answer_of(_content(answer))

    async def hand_in(self, order: PaymentOrder) -> None:
        """Raises `RefusedMessageError` too, for an order that no message can carry."""
        document = initiation_of(order, datetime.now(UTC))
        _content(await self._ask("PUT", f"/orders/{quote(order.reference, safe='')}", document))

    async def messages(self, after: str, limit: int) -> Sequence[Posted]:
        content = _content(await self._ask("GET", f"/messages?{urlencode({'after': after, 'limit': limit})}"))
        try:
            outbox = _Outbox.model_validate_json(content)
        except ValidationError as invalid:
            raise NotAnsweredError(f"the outbox is not as agreed: {invalid.error_count()} faults") from None
        return [Posted(each.cursor, each.message_id, each.document.encode()) for each in outbox.messages]

    async def statement(self, account: str, day: date) -> Statement:
        """The account's statement of a day. Raises `RefusedMessageError` too."""
        return read_statement(
            _content(await self._ask("GET", f"/statements/{quote(account, safe='')}/{day.isoformat()}"))
        )

    async def close(self) -> None:
        await self._session.close()

    async def _ask(self, method: str, path: str, document: bytes | None = None) -> _Answered:
        """`path` is quoted already. Raises as `Bank.status` says.

        What breaks off is asked once more before that, orders too: the bank takes an order once.
        """
        url, headers = URL(self._url + path, encoded=True), _XML if document is not None else None
        asked = self._session.request(method, url, data=document, headers=headers, allow_redirects=False)
        try:
            async with asked as answer:
                return _Answered(answer.status, await answer.read())
        except aiohttp.ClientConnectorError as away:
            raise BankAwayError(str(away)) from away
        except TimeoutError:
            # aiohttp's are of both families.
            raise
        except aiohttp.ClientError as broken:
            raise NotAnsweredError(f"{type(broken).__name__}: {broken}") from broken


def _content(answer: _Answered) -> bytes:
    """What the bank answered with. Raises `NotAnsweredError` for an error."""
    if answer.status not in SUCCESS:
        raise NotAnsweredError(f"the bank answered {answer.status}")
    return answer.content
