"""The sandbox's receiver of notices: it keeps one of each id, counts how often it came, and shows them all.

SMS, mini-program messages and mail are sent from such a place; here `GET /notices?transfer=NO` or `?mandate=ID` is read
instead.
"""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from stack.atomic_files import private_file
from workflows.deadlines import SHANGHAI
from workflows.mandate_notices import MandateNotice
from workflows.notices import Notice

SHOWN_AT_MOST = 200
AnyNotice = Notice | MandateNotice
_NOTICES: TypeAdapter[list[AnyNotice]] = TypeAdapter(list[AnyNotice])


class NoticeBoard:
    """Notices by id, kept in a file so that a restart forgets nothing."""

    def __init__(self, file: Path) -> None:
        self._database = sqlite3.connect(private_file(file), check_same_thread=False)
        # Requests come in threads, and a connection has one transaction.
        self._one_at_a_time = threading.Lock()
        self._database.execute("pragma journal_mode = wal")
        self._database.execute(
            """create table if not exists notices (id text primary key, transfer_no text not null, seq int not null,
                   document text not null, received_at text not null, times_received int not null default 1)"""
        )

    def put_up(self, notices: Iterable[AnyNotice], at: datetime) -> list[str]:
        """Keep each notice, or count it once more. The ids of those kept: not where another one has the id already."""
        with self._one_at_a_time, self._database:
            return [notice.id for notice in notices if self._keep(notice, at)]

    def _keep(self, notice: AnyNotice, at: datetime) -> bool:
        # A notice about a mandate is found by the mandate's id, where another is by the number of its transfer.
        about = (notice.transfer_no, notice.seq) if isinstance(notice, Notice) else (str(notice.mandate_id), 0)
        kept = self._database.execute(
            """insert into notices (id, transfer_no, seq, document, received_at) values (?, ?, ?, ?, ?)
               on conflict (id) do update set times_received = times_received + 1 where document = excluded.document
               returning 1""",
            (notice.id, *about, notice.model_dump_json(), at.isoformat(timespec="seconds")),
        ).fetchall()
        return bool(kept)

    def shown(self, about: str | None) -> list[dict[str, Any]]:
        """The notices of a transfer in the order of its events, those of a mandate, or the last that came."""
        order = "seq, id" if about is not None else "received_at desc, id"
        rows = self._database.execute(
            f"""select document, received_at, times_received from notices
                 where transfer_no = coalesce(?, transfer_no) order by {order} limit ?""",  # noqa: S608 - one of two constants
            (about, SHOWN_AT_MOST),
        ).fetchall()
        return [
            {**json.loads(document), "received_at": received_at, "times_received": times}
            for document, received_at, times in rows
        ]


def notice_app(data_dir: Path) -> Starlette:
    """The port over HTTP, for `activities.notices.HttpNotices`; its memory is `notices.sqlite3` in `data_dir`."""
    data_dir.mkdir(parents=True, exist_ok=True)
    board = NoticeBoard(data_dir / "notices.sqlite3")

    async def put(request: Request) -> JSONResponse:
        try:
            notices = _NOTICES.validate_json(await request.body())
        except ValidationError as invalid:
            return JSONResponse({"error": str(invalid)}, status_code=422)
        taken = await asyncio.to_thread(board.put_up, notices, datetime.now(UTC).astimezone(SHANGHAI))
        refused = {each.id: "another notice stands under this id" for each in notices if each.id not in taken}
        return JSONResponse({"taken": taken, "refused": refused})

    async def show(request: Request) -> JSONResponse:
        asked = request.query_params
        shown = await asyncio.to_thread(board.shown, asked.get("transfer", asked.get("mandate")))
        return JSONResponse({"notices": shown})

    return Starlette(routes=[Route("/notices", show), Route("/notices", put, methods=["PUT"])])
