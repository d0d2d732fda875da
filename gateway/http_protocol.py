"""uvicorn's HTTP protocol with limits, and with the head of a response written together with its body.

The limits hold before a request reaches the application: the size of a head, the time that a head and a body may take, idle
connections, pipelined requests, connections of an address. A refused client gets a short answer and is not parsed any further.
"""

import asyncio
from typing import Any, ClassVar, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.connection_guard import DEFAULT_LIMITS, ConnectionGuard, DrainTimer, HttpLimits, Seat

HEAD: Final = b"HTTP/1.1 "
NEVER: Final = float("inf")
# The deadline is worked out when the data that came has been parsed: most requests are whole by then.
UNSET: Final = -1.0
# What a connection waits for: a request's first byte, the rest of a head, the rest of a body, or only its end.
IDLE, READING_HEAD, READING_BODY, ENDED = range(4)
REASONS: Final = {
    400: b"Invalid HTTP request received.",
    408: b"The request was not complete in time.",
    413: b"The body is too large.",
    429: b"Too many connections of this address.",
    431: b"The request's head is too large.",
    503: b"Too many connections.",
}
RETRY_AFTER: Final = {429: b"retry-after: 30\r\n", 503: b"retry-after: 5\r\n"}


class RefusedError(Exception):
    """Stops the parser: the request is refused."""


class HttpProtocol(HttpToolsProtocol):
    """For `uvicorn.Config(http=…)`. What a socket costs is most of what a short answer costs."""

    guard: ClassVar[ConnectionGuard] = ConnectionGuard()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._limits = self.guard.limits
        self._phase = IDLE
        # Heads that began in this piece of data; the bytes of a head that is not complete, at least and at most.
        self._begun = self._head_at_least = self._head_at_most = 0
        self._body_bytes = self._body_bytes_read = self._thrown_away = 0
        self._refusal = 400
        self._close_after_answer = False
        together: Any = HeadWithBody(transport, self._limits)
        super().connection_made(together)
        self._draining = DrainTimer(together, self.loop, self._limits.drain_seconds)
        self.deadline = self.loop.time() + self._limits.head_seconds
        self.guard.watch(self, self.loop)
        entered = self.guard.enter(self.client[0] if self.client else "")
        if isinstance(entered, Seat):
            together.seat = entered
        else:
            self._refuse(entered)

    def connection_lost(self, exc: Exception | None) -> None:
        self.guard.unwatch(self)
        self._draining.stop()
        seat: Seat | None = self.transport.seat  # type: ignore[attr-defined]
        if seat is not None:
            seat.release()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        size = self._limits.head_bytes
        if len(data) <= size:
            self._receive(data)
            return
        for start in range(0, len(data), size):
            self._receive(data[start : start + size])

    def _receive(self, piece: bytes) -> None:
        """Parse at most as many bytes as a head may have: what it costs has a bound."""
        if self._phase == ENDED or self.transport.is_closing():
            self._throw_away(piece)
            return
        before, self._begun = self._phase, 0
        self._head_at_least += len(piece)
        self._head_at_most += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
                return
            self._unsupported_upgrade_warning()
        except httptools.HttpParserError:
            self._refuse(self._refusal)
            return
        if self._phase == READING_HEAD:
            self._measure_head(before, piece)
        else:
            self._head_at_least = self._head_at_most = 0
            if self._phase == before == READING_BODY:
                self._measure_body(piece)
        if self.deadline == UNSET:
            seconds = self._limits.head_seconds if self._phase == READING_HEAD else self._limits.body_seconds
            self.deadline = self.loop.time() + seconds

    def _measure_head(self, before: int, piece: bytes) -> None:
        """A head that is not complete yet. Where one that follows another request began within the piece is not known."""
        if self._begun:
            self._head_at_most = len(piece)
            self._head_at_least = len(piece) if before == IDLE and self._begun == 1 else 0
        if self._head_at_least > self._limits.head_bytes:
            self._refuse(431)

    def _measure_body(self, piece: bytes) -> None:
        self._body_bytes_read += len(piece)
        overhead = self._body_bytes_read - 2 * self._body_bytes
        if self._body_bytes > self._limits.body_bytes:
            self._refuse(413)
        elif overhead > self._limits.body_overhead_bytes:
            self._refuse(400)
        elif len(self.headers) > self._limits.headers:
            self._refuse(431)

    # What the parser calls

    def on_message_begin(self) -> None:
        self._phase, self.deadline = READING_HEAD, UNSET
        self._begun += 1
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        limits = self._limits
        if len(self.headers) > limits.headers or (
            self._head_at_most > limits.head_bytes and self._size_of_head() > limits.head_bytes
        ):
            self._stop(431)
        if len(self.pipeline) >= limits.pipelined:
            self._stop(400)
        self._phase, self.deadline = READING_BODY, UNSET
        self._body_bytes = self._body_bytes_read = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._phase, self.deadline = IDLE, NEVER
        super().on_message_complete()
        if self._current is not None and self._current.response_complete:
            self.deadline = self.loop.time() + self._limits.idle_seconds

    def on_response_complete(self) -> None:
        """As uvicorn's, without a timer of its own for each answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self._close_after_answer:
            self.transport.close()
        elif self._phase == IDLE:
            self.deadline = self.loop.time() + self._limits.idle_seconds

    def _size_of_head(self) -> int:
        line = len(self.parser.get_method()) + len(self.url) + len(b"  HTTP/1.1\r\n")
        return line + sum(len(name) + len(value) + len(b": \r\n") for name, value in self.headers) + len(b"\r\n")

    @property
    def _current(self) -> RequestResponseCycle | None:
        """The last request whose head was complete; None before the first one."""
        return self.cycle

    def _stop(self, status: int) -> None:
        self._refusal = status
        raise RefusedError

    # Ends

    def expire(self) -> None:
        """The client is late. Called by the guard."""
        if self._phase == ENDED:
            self.transport.abort()
        elif self._phase == IDLE:
            self.transport.close()
        elif self.flow.read_paused:
            # We are who does not read: an earlier request is being answered.
            self.deadline = self.loop.time() + self._limits.body_seconds
        elif self._phase == READING_HEAD and self._is_answering():
            # The answer that is under way may be a stream. Nothing more is read from a client that began something behind it.
            self._close_after_answer, self._phase, self.deadline = True, ENDED, NEVER
        else:
            self._refuse(408)

    def _refuse(self, status: int) -> None:
        """Answer in a few words, and read no more. Without an answer where one is under way or was given already."""
        cycle, answering = self._current, self._is_answering()
        answered = self._phase == READING_BODY and cycle is not None and cycle.response_complete
        self._phase = ENDED
        self.deadline = self.loop.time() + self._limits.linger_seconds
        if answering or answered:
            self.transport.close()
            return
        if cycle is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        self.transport.write(_refusal(status))
        # The client sees the end at once, and may still be sending: closing now could take the answer from it.
        if self.transport.can_write_eof() and not self.guard.is_crowded:
            self.transport.write_eof()
            self.flow.resume_reading()
        else:
            self.transport.close()

    def _is_answering(self) -> bool:
        """Whether what is written now would come in the midst of another answer, or before it."""
        if self.pipeline:
            return True
        cycle = self._current
        if cycle is None or cycle.response_complete:
            return False
        return self._phase != READING_BODY or cycle.response_started

    def _throw_away(self, piece: bytes) -> None:
        self._thrown_away += len(piece)
        if self._thrown_away > self._limits.thrown_away_bytes:
            self.transport.abort()

    def handle_websocket_upgrade(self) -> None:
        if not self.guard.may_open_socket(self.client[0] if self.client else ""):
            self._refuse(429)
            return
        # The seat goes on with the transport.
        self.guard.unwatch(self)
        self._phase = ENDED
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._draining.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._draining.stop()


def http_protocol(guard: ConnectionGuard) -> type[HttpProtocol]:
    """The protocol of a server whose connections `guard` counts."""

    class GuardedHttpProtocol(HttpProtocol):
        pass

    GuardedHttpProtocol.guard = guard
    return GuardedHttpProtocol


def _refusal(status: int) -> bytes:
    reason = REASONS[status]
    return b"".join(
        (
            STATUS_LINE[status],
            b"content-type: text/plain; charset=utf-8\r\n",
            b"content-length: %d\r\n" % len(reason),
            RETRY_AFTER.get(status, b""),
            b"connection: close\r\n\r\n",
            reason,
        )
    )


class HeadWithBody:
    """A transport that keeps a response's head until the body follows, or until the event loop's next turn.

    Closed, it gives the client its `limits.linger_seconds` to read what is left. `seat` is the connection's place in the guard's counts.
    """

    def __init__(self, transport: asyncio.Transport, limits: HttpLimits = DEFAULT_LIMITS) -> None:
        self._transport = transport
        self._head = b""
        self.limits = limits
        self.seat: Seat | None = None

    def write(self, data: bytes) -> None:
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(HEAD):
            self._head = data
            asyncio.get_running_loop().call_soon(self._write_head)
            return
        self._transport.write(data)

    def write_eof(self) -> None:
        self._write_head()
        self._transport.write_eof()

    def close(self) -> None:
        self._write_head()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(self.limits.linger_seconds, self._transport.abort)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def _write_head(self) -> None:
        if self._head:
            self.write(b"")
