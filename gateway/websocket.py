"""GraphQL over WebSocket: `graphql-transport-ws` and no other protocol.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. Its close codes are used as it says.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

import orjson
from graphql import OperationType
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from gateway.auth import Authenticator, Viewer
from gateway.context import Services
from gateway.execution import Answer, Engine, refusal
from gateway.faults import Fault, Language, Refused
from gateway.limits import MAX_BODY_BYTES
from gateway.metrics import NOT_RUN, Metrics
from gateway.operations import GraphQLRequest, InvalidDocumentError, read_request
from gateway.sender_constraint import Presented
from gateway.view import language_of

PROTOCOL: Final = "graphql-transport-ws"
INIT_WITHIN_SECONDS: Final = 10.0
MAX_OPERATIONS: Final = 20
MAX_ID_LENGTH: Final = 128
# A close reason has at most 123 bytes.
MAX_REASON_BYTES: Final = 123


class _Close(Exception):  # noqa: N818 - an end, not an error
    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason.encode()[:MAX_REASON_BYTES].decode("utf-8", "ignore")


class WebSocketView:
    """The WebSocket half of `/graphql`."""

    def __init__(self, engine: Engine, authenticator: Authenticator, services: Services, metrics: Metrics) -> None:
        self.engine = engine
        self.authenticator = authenticator
        self.services = services
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        if PROTOCOL not in scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, f"Subprotocol not acceptable: only {PROTOCOL}")
            return
        await socket.accept(PROTOCOL)
        self.metrics.sockets.inc()
        try:
            await _Connection(self, socket).serve()
        finally:
            self.metrics.sockets.dec()


class _Connection:
    """One socket: its viewer, once known, and its operations, each a task."""

    def __init__(self, view: WebSocketView, socket: WebSocket) -> None:
        self._view = view
        self._socket = socket
        self._language: Language = language_of(socket.headers.get("accept-language", ""))
        self._viewer: Viewer | None = None
        self._initialising = False
        self._operations: dict[str, asyncio.Task[None]] = {}
        self._life = asyncio.timeout(INIT_WITHIN_SECONDS)
        self._timeout = _Close(4408, "Connection initialisation timeout")
        self._token_watch: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        closing = asyncio.create_task(self._close_with_gateway())
        try:
            async with self._life:
                async for message in self._messages():
                    await self._handle(message)
        except TimeoutError:
            await self._close(self._timeout)
        except _Close as close:
            await self._close(close)
        except (WebSocketDisconnect, WebSocketDisconnected):
            pass
        finally:
            watch = [self._token_watch] if self._token_watch is not None else []
            tasks = [closing, *watch, *self._operations.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _messages(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            received = await self._socket.receive()
            if received["type"] == "websocket.disconnect":
                return
            text = received.get("text")
            if text is None:
                raise _Close(4400, "Messages must be text")
            if len(text) > MAX_BODY_BYTES:
                raise _Close(4400, "The message is too large")
            try:
                message = orjson.loads(text)
            except orjson.JSONDecodeError:
                raise _Close(4400, "Messages must be JSON") from None
            if not isinstance(message, dict):
                raise _Close(4400, "Messages must be JSON objects")
            yield message

    async def _handle(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "connection_init":
                await self._initialise(message.get("payload"))
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                task = self._operations.pop(str(message.get("id")), None)
                if task is not None:
                    task.cancel()
            case other:
                raise _Close(4400, f"Unknown message type {str(other)[:40]}")

    async def _initialise(self, payload: object) -> None:
        if self._initialising:
            raise _Close(4429, "Too many initialisation requests")
        self._initialising = True
        if payload is not None and not isinstance(payload, dict):
            raise _Close(4400, "The payload of connection_init must be an object")
        named = payload or {}
        authorization = named.get("authorization", named.get("Authorization"))
        if authorization is not None and not isinstance(authorization, str):
            raise _Close(4400, "authorization must be a string")
        proof = named.get("dpop", named.get("DPoP"))
        if proof is not None and not isinstance(proof, str):
            raise _Close(4400, "dpop must be a string")
        # A WebSocket is opened with GET (RFC 6455, section 4.1), which is what a proof names.
        scope = self._socket.scope
        presented = Presented("GET", scope["path"], scope["headers"], proof)
        try:
            viewer = await self._view.authenticator.viewer(authorization, presented)
        except Fault as fault:
            raise _Close(4403, str(fault)) from None
        self._viewer = viewer
        self._life.reschedule(None)
        if not viewer.anonymous:
            self._token_watch = asyncio.create_task(self._end_with_token(viewer))
        await self._send({"type": "connection_ack"})

    async def _subscribe(self, message: dict[str, Any]) -> None:
        if self._viewer is None:
            raise _Close(4401, "Unauthorized")
        identifier = message.get("id")
        if not isinstance(identifier, str) or not 0 < len(identifier) <= MAX_ID_LENGTH:
            raise _Close(4400, "An operation needs an id, a string")
        if identifier in self._operations:
            raise _Close(4409, f"Subscriber for {identifier} already exists")
        try:
            request = read_request(message.get("payload"))
        except Fault as fault:
            raise _Close(4400, str(fault)) from None
        if len(self._operations) >= MAX_OPERATIONS:
            full = Refused("该连接的操作过多", f"At most {MAX_OPERATIONS} operations run on one connection")
            await self._send_errors(identifier, refusal(full, self._language))
            return
        self._operations[identifier] = asyncio.create_task(self._run(identifier, request, self._viewer))

    async def _run(self, identifier: str, request: GraphQLRequest, viewer: Viewer) -> None:
        with contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected):
            complete = await self._answer(identifier, request, viewer)
            # The id is free before the client hears that it is. A stream that ended because the gateway stops is not complete.
            self._operations.pop(identifier, None)
            if complete and not self._view.services.progress.closing.is_set():
                await self._send({"id": identifier, "type": "complete"})

    async def _answer(self, identifier: str, request: GraphQLRequest, viewer: Viewer) -> bool:
        """Run the operation and send its answers; False when it ended with an `error` message."""
        started, field = time.perf_counter(), NOT_RUN
        engine = self._view.engine
        answer = Answer()
        try:
            operation = engine.operations.find(request, viewer)
            field = operation.label
            context = self._view.services.context(viewer, self._language)
            if operation.type is not OperationType.SUBSCRIPTION:
                answer = await engine.run(operation, request.variables, context)
        except (Fault, InvalidDocumentError) as error:
            answer = refusal(error, self._language)
        self._view.metrics.answered("websocket", field, time.perf_counter() - started, answer.codes)
        if answer.has_data and operation.type is OperationType.SUBSCRIPTION:
            async with aclosing(engine.stream(operation, request.variables, context)) as answers:
                async for event in answers:
                    if not await self._send_answer(identifier, event):
                        return False
            return True
        return await self._send_answer(identifier, answer)

    async def _send_answer(self, identifier: str, answer: Answer) -> bool:
        if not answer.has_data:
            await self._send_errors(identifier, answer)
            return False
        await self._send({"id": identifier, "type": "next", "payload": answer.body()})
        return True

    async def _send_errors(self, identifier: str, answer: Answer) -> None:
        self._operations.pop(identifier, None)
        await self._send({"id": identifier, "type": "error", "payload": answer.errors})

    async def _send(self, message: dict[str, Any]) -> None:
        await self._socket.send_text(orjson.dumps(message).decode())

    async def _end_with_token(self, viewer: Viewer) -> None:
        """When the token expires, is revoked, or its key leaves the issuer's set: at once, whether or not the client agrees."""
        self._timeout = _Close(4403, str(await self._view.authenticator.ended(viewer)))
        self._life.reschedule(asyncio.get_running_loop().time())

    async def _close_with_gateway(self) -> None:
        """A gateway that stops says so: clients come back to the next one, with their last `seq`."""
        await self._view.services.progress.closing.wait()
        await self._close(_Close(1012, "The gateway restarts"))

    async def _close(self, close: _Close) -> None:
        with contextlib.suppress(WebSocketDisconnect, WebSocketDisconnected):
            await self._socket.close(close.code, close.reason)
