"""The sandbox bank: an honest simulator at the far side of the bank port, with a memory of its own.

It takes an order once however often it is handed in, and acknowledges it a moment later, as a bank does.
"""

import asyncio
import sqlite3
import time
from pathlib import Path

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from activities.bank import BankStatus, PaymentOrder

# What a bank needs to look at an order before it says that it has taken it.
SECONDS_TO_TAKE = 0.3


class SandboxBank:
    """Orders by reference, kept in a file so that a restart forgets nothing."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(file, check_same_thread=False)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute(
            "create table if not exists orders (reference text primary key, document text not null, handed_in_at real not null)"
        )

    def hand_in(self, order: PaymentOrder, now: float) -> bool:
        """Keep the order; False when another one stands under its reference already."""
        document = order.model_dump_json()
        with self._database:
            self._database.execute(
                "insert into orders values (?, ?, ?) on conflict do nothing", (order.reference, document, now)
            )
        (kept,) = self._database.execute(
            "select document from orders where reference = ?", (order.reference,)
        ).fetchone()
        return bool(kept == document)

    def status(self, reference: str, now: float) -> BankStatus:
        row = self._database.execute("select handed_in_at from orders where reference = ?", (reference,)).fetchone()
        if row is None:
            return BankStatus.UNKNOWN
        return BankStatus.TAKEN if now - row[0] >= SECONDS_TO_TAKE else BankStatus.PENDING


def bank_app(data_dir: Path) -> Starlette:
    """The bank's port over HTTP, for `activities.bank.HttpBank`; its memory is `bank.sqlite3` in `data_dir`."""
    data_dir.mkdir(parents=True, exist_ok=True)
    bank = SandboxBank(data_dir / "bank.sqlite3")

    async def look_up(request: Request) -> JSONResponse:
        status = await asyncio.to_thread(bank.status, request.path_params["reference"], time.time())
        if status is BankStatus.UNKNOWN:
            return JSONResponse({"error": "no such reference"}, status_code=404)
        return JSONResponse({"status": status})

    async def hand_in(request: Request) -> JSONResponse:
        try:
            order = PaymentOrder.model_validate_json(await request.body())
        except ValidationError as invalid:
            return JSONResponse({"error": str(invalid)}, status_code=422)
        if order.reference != request.path_params["reference"]:
            return JSONResponse({"error": "the reference is not the address's"}, status_code=422)
        if not await asyncio.to_thread(bank.hand_in, order, time.time()):
            return JSONResponse({"error": "another order stands under this reference"}, status_code=409)
        return JSONResponse({"status": BankStatus.PENDING}, status_code=202)

    return Starlette(
        routes=[Route("/orders/{reference}", look_up), Route("/orders/{reference}", hand_in, methods=["PUT"])]
    )
