"""The sandbox bank: an honest simulator at the far side of the bank port, speaking ISO 20022, with a memory of its own.

It takes an order once however often it is handed in, and acknowledges it a moment later, as a bank does. It does wrong only
what `bank-faults.json` tells it to.
"""

import asyncio
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from activities.bank.advising import statement_of
from activities.bank.entries import BankEntry
from activities.bank.initiation import order_of
from activities.bank.reports import PENDING_CODE, report_of
from activities.bank.wire import RefusedMessageError
from stack.bank_books import BankBooks
from stack.bank_faults import FaultFile, FaultKind

# What a bank needs to look at an order before it says that it has taken it.
SECONDS_TO_TAKE = 0.3
# A silent bank keeps a line open for longer than anybody waits.
SILENT_SECONDS = 60.0
MOST_MESSAGES = 200


class SandboxBank:
    """Orders by reference, what became of them, and what is said of it. `faults`: what is done wrong."""

    def __init__(self, data_dir: Path) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.books = BankBooks(data_dir / "bank.sqlite3")
        self.faults = FaultFile(data_dir)

    def silent_about(self, reference: str) -> bool:
        return any(
            each.kind is FaultKind.SILENT and (each.reference is None or each.meets_reference(reference))
            for each in self.faults.faults()
        )

    def report(self, reference: str, now: float) -> bytes | None:
        """The status report of an order, None for one that was never handed in."""
        found = self.books.order(reference)
        if found is None:
            return None
        order, handed_in_at = found
        lines = None
        if now - handed_in_at >= SECONDS_TO_TAKE:
            self.carry_out(now)
            lines = self.books.lines(reference)
        ids = [each.end_to_end_id for each in order.payments] if order is not None else [reference]
        taken = "ACSC" if lines is not None else PENDING_CODE
        return report_of(
            f"Q{reference}", reference, lines or [(each, taken, None) for each in ids], datetime.fromtimestamp(now, UTC)
        )

    def carry_out(self, now: float) -> None:
        self.books.carry_out_due(now - SECONDS_TO_TAKE, self.faults.faults())

    def messages(self, after: int, limit: int, now: float) -> list[dict[str, Any]]:
        """The outbox behind a place, after all that is due has been put into it."""
        self.carry_out(now)
        self.books.advise_due(now)
        return self.books.messages(after, limit)


class _Counter:
    """The bank's port, by HTTP."""

    def __init__(self, bank: SandboxBank) -> None:
        self._bank = bank

    async def look_up(self, request: Request) -> Response:
        reference = await self._asked_after(request)
        document = await asyncio.to_thread(self._bank.report, reference, time.time())
        return _xml(document) if document is not None else _error(404, "no such reference")

    async def hand_in(self, request: Request) -> Response:
        reference = await self._asked_after(request)
        try:
            order = order_of(await request.body())
        except (RefusedMessageError, ValidationError) as refused:
            return _error(422, str(refused))
        if order.reference != reference:
            return _error(422, "the reference is not the address's")
        if not await asyncio.to_thread(self._bank.books.hand_in, order, time.time()):
            return _error(409, "another order stands under this reference")
        return JSONResponse({"status": "PENDING"}, status_code=202)

    async def messages(self, request: Request) -> Response:
        after, limit = request.query_params.get("after") or "0", request.query_params.get("limit", "100")
        if not after.isdecimal() or not limit.isdecimal():
            return _error(422, "after and limit are numbers")
        most = min(int(limit), MOST_MESSAGES)
        found = await asyncio.to_thread(self._bank.messages, int(after), most, time.time())
        return JSONResponse({"messages": found})

    async def statement(self, request: Request) -> Response:
        try:
            day = date.fromisoformat(request.path_params["day"])
        except ValueError:
            return _error(422, "a day is written 2026-11-25")
        account, now = request.path_params["account"], time.time()
        await asyncio.to_thread(self._bank.carry_out, now)
        found = await asyncio.to_thread(self._bank.books.statement, account, day, now)
        return _xml(statement_of(f"ST-{account[-20:]}-{day:%Y%m%d}", found, datetime.fromtimestamp(now, UTC)))

    async def pay_in(self, request: Request) -> Response:
        """Of the sandbox alone: somebody pays money into an account, of their own accord."""
        try:
            entry = BankEntry.model_validate_json(await request.body())
        except ValidationError as invalid:
            return _error(422, str(invalid))
        await asyncio.to_thread(self._bank.books.book, entry, time.time())
        return JSONResponse({"entry_reference": entry.entry_reference}, status_code=202)

    async def post(self, request: Request) -> Response:
        """Of the sandbox alone: a message is put into the outbox as it is."""
        await asyncio.to_thread(self._bank.books.post, request.path_params["id"], await request.body())
        return JSONResponse({}, status_code=202)

    async def _asked_after(self, request: Request) -> str:
        reference: str = request.path_params["reference"]
        if self._bank.silent_about(reference):
            await asyncio.sleep(SILENT_SECONDS)
        return reference


def bank_app(data_dir: Path) -> Starlette:
    """The bank's port over HTTP, for `activities.bank.http.HttpBank`; its memory is `bank.sqlite3` in `data_dir`."""
    counter = _Counter(SandboxBank(data_dir))
    return Starlette(
        routes=[
            Route("/orders/{reference:path}", counter.look_up),
            Route("/orders/{reference:path}", counter.hand_in, methods=["PUT"]),
            Route("/messages", counter.messages),
            Route("/statements/{account}/{day}", counter.statement),
            Route("/sandbox/bookings", counter.pay_in, methods=["POST"]),
            Route("/sandbox/messages/{id}", counter.post, methods=["PUT"]),
        ]
    )


def _xml(document: bytes) -> Response:
    return Response(document, media_type="application/xml")


def _error(status: int, said: str) -> Response:
    return JSONResponse({"error": said}, status_code=status)
