"""What stands outside the system: the sandbox bank and the receiver of notices, on one server in the supervisor's process.

Part of the local stack, never of production.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp

from stack.bank import bank_app
from stack.errors import StackError
from stack.notice_board import notice_app


def outside_app(data_dir: Path) -> Starlette:
    """Both far sides, each with a memory of its own in `data_dir`."""
    return Starlette(routes=[*bank_app(data_dir).routes, *notice_app(data_dir).routes])


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Ctrl-C is the supervisor's to handle."""
        yield


@contextlib.asynccontextmanager
async def outside_server(app: ASGIApp, port: int = 0) -> AsyncIterator[str]:
    """Serve `app` on 127.0.0.1 while the block lasts, on a free port unless one is given; gives its URL."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not serving.done():
            await asyncio.sleep(0.01)
        if serving.done():
            raise StackError("The sandbox bank does not start")
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await serving
