"""uvicorn's HTTP protocol, with the head of a response written together with its body: one system call and one packet, not two."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD: Final = b"HTTP/1.1 "


class HttpProtocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=…)`. What a socket costs is most of what a short answer costs."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        together: Any = HeadWithBody(transport)
        super().connection_made(together)


class HeadWithBody:
    """A transport that keeps a response's head until the body follows, or until the event loop's next turn."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(HEAD):
            self._head = data
            asyncio.get_running_loop().call_soon(self._write_head)
            return
        self._transport.write(data)

    def close(self) -> None:
        self._write_head()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _write_head(self) -> None:
        if self._head:
            self.write(b"")
