"""uvicorn's WebSocket protocol with limits: messages in a second, what a client leaves unread, and handshakes that fail."""

import asyncio
from typing import Any, Final

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway.connection_guard import DEFAULT_LIMITS, DrainTimer, HttpLimits

# Frames are cheap to send and dear to parse: so many of them at once, and so many in a second after that.
FRAMES_AT_ONCE: Final = 500
FRAMES_IN_A_SECOND: Final = 100
PIECE_BYTES: Final = 4 * 1024
INVALID: Final = b"The WebSocket handshake is not valid."
FAILED_HANDSHAKE: Final = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b"
    % (len(INVALID), INVALID)
)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """For `uvicorn.Config(ws=…)`, on the transports of `gateway.http_protocol`."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._frames_left = float(FRAMES_AT_ONCE)
        self._counted_at = self.loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        limits: HttpLimits = getattr(self.transport, "limits", DEFAULT_LIMITS)
        self._draining = DrainTimer(self.transport, self.loop, limits.drain_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._draining.stop()
        seat = getattr(self.transport, "seat", None)
        if seat is not None:
            seat.release()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE_BYTES):
            if self.transport.is_closing():
                return
            self.conn.receive_data(data[start : start + PIECE_BYTES])
            if not self.handshake_initiated and self.conn.handshake_exc is not None:
                self._fail_handshake()
                return
            if self.conn.parser_exc is not None:
                self.handle_parser_exception()
                return
            if not self._count(len(self.conn.events)):
                self.conn.fail(1008, "Too many messages")
                self.handle_parser_exception()
                return
            self.handle_events()

    def _count(self, frames: int) -> bool:
        now = self.loop.time()
        regained = (now - self._counted_at) * FRAMES_IN_A_SECOND
        self._frames_left = min(FRAMES_AT_ONCE, self._frames_left + regained) - frames
        self._counted_at = now
        return self._frames_left >= 0

    def _fail_handshake(self) -> None:
        """What the parser of WebSocket heads refuses has no events: without an answer it would stay open for ever."""
        answer = b"".join(self.conn.data_to_send())
        self.handshake_complete = self.close_sent = True
        self.transport.write(answer or FAILED_HANDSHAKE)
        self.transport.close()

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body":
            # The handshake is over: it was refused.
            self.handshake_complete = True

    def pause_writing(self) -> None:
        super().pause_writing()
        # The answers to a client's pings are written whether it reads them or not.
        self.transport.pause_reading()
        self._draining.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()
        self._draining.stop()
