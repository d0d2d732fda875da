"""GraphQL over WebSocket: `graphql-transport-ws` and no other protocol.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md. Its close codes are used as it says.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, aclosing
from functools import partial
from typing import Any, Final

import orjson
from graphql import OperationType
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketDisconnected

from gateway.auth import Authenticator, Viewer
from gateway.client_address import client_address
from gateway.context import RequestContext, Services
from gateway.execution import Answer, Engine, refusal
from gateway.faults import Fault, Language, Refused
from gateway.limits import MAX_BODY_BYTES
from gateway.metrics import NOT_RUN, Metrics
from gateway.operations import GraphQLRequest, InvalidDocumentError, Operation, read_request
from gateway.sender_constraint import Presented
from gateway.stream_limits import TooManyStreams
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
        streams, address = self.services.streams, client_address(scope, self.services.settings.trusted_proxies)
        with ExitStack() as places, ExitStack() as until_known:
            try:
                places.enter_context(streams.connection(address))
                until_known.enter_context(streams.anonymous_socket(address))
            except TooManyStreams as full:
                await _refuse(socket, full)
                return
            await self._serve(_Connection(self, socket, address, places, until_known))

    async def _serve(self, connection: "_Connection") -> None:
        socket = connection.socket
        if PROTOCOL not in socket.scope["subprotocols"]:
            await socket.accept()
            await socket.close(4406, f"Subprotocol not acceptable: only {PROTOCOL}")
            return
        await socket.accept(PROTOCOL)
        self.metrics.sockets.inc()
        try:
            await connection.serve()
        finally:
            self.metrics.sockets.dec()


class _Connection:
    """One socket: its viewer, once known, and its operations, each a task.

    `places` are the socket's in the limits on streams, `until_known` what it has there until its viewer is known.
    """

    def __init__(
        self, view: WebSocketView, socket: WebSocket, address: str, places: ExitStack, until_known: ExitStack
    ) -> None:
        self._view = view
        self.socket = socket
        self._address = address
        self._places = places
        self._until_known = until_known
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
            received = await self.socket.receive()
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
                    # Its place among the subscriptions is free for the client's next message.
                    await asyncio.wait([task])
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
        scope = self.socket.scope
        presented = Presented("GET", scope["path"], scope["headers"], proof)
        try:
            viewer = await self._view.authenticator.viewer(authorization, presented)
        except Fault as fault:
            raise _Close(4403, str(fault)) from None
        if not viewer.anonymous:
            try:
                self._places.enter_context(self._view.services.streams.connection_of(viewer))
            except TooManyStreams as full:
                raise _Close(1013, full.message(self._language)) from None
            self._until_known.close()
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
        counted = partial(self._view.metrics.answered, "websocket")
        try:
            operation = engine.operations.find(request, viewer, self._address)
            field = operation.label
            context = self._view.services.context(viewer, self._language, self._address)
            if operation.type is OperationType.SUBSCRIPTION:
                with self._view.services.streams.subscription(viewer, self._address):
                    counted(field, time.perf_counter() - started, ())
                    answer = await self._follow(identifier, operation, request, context)
                # The place is free before the client hears how it ended.
                return answer is None or await self._send_answer(identifier, answer)
            answer = await engine.run(operation, request.variables, context)
        except (Fault, InvalidDocumentError) as error:
            answer = refusal(error, self._language)
        counted(field, time.perf_counter() - started, answer.codes)
        return await self._send_answer(identifier, answer)

    async def _follow(
        self, identifier: str, operation: Operation, request: GraphQLRequest, context: RequestContext
    ) -> Answer | None:
        """Send a subscription's answers. Returns the one that is its error, which has yet to be sent; None when it is complete."""
        async with aclosing(self._view.engine.stream(operation, request.variables, context)) as answers:
            async for answer in answers:
                if not answer.has_data:
                    return answer
                await self._send_answer(identifier, answer)
        return None

    async def _send_answer(self, identifier: str, answer: Answer) -> bool:
        if not answer.has_data:
            await self._send_errors(identifier, answer)
            return False
        payload = answer.encoded().decode()
        await self.socket.send_text(f'{{"id":{orjson.dumps(identifier).decode()},"type":"next","payload":{payload}}}')
        return True

    async def _send_errors(self, identifier: str, answer: Answer) -> None:
        self._operations.pop(identifier, None)
        await self._send({"id": identifier, "type": "error", "payload": answer.errors})

    async def _send(self, message: dict[str, Any]) -> None:
        await self.socket.send_text(orjson.dumps(message).decode())

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
            await self.socket.close(close.code, close.reason)


async def _refuse(socket: WebSocket, full: TooManyStreams) -> None:
    """Before the handshake is complete: a refused socket costs no more than a request."""
    answer = refusal(full, language_of(socket.headers.get("accept-language", "")))
    headers = {"retry-after": str(full.retry_after_seconds), "connection": "close"}
    await socket.send_denial_response(JSONResponse(answer.body(), full.http_status, headers))
