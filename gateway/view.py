"""GraphQL over HTTP on `POST /graphql`: the media types and statuses of the specification, and nothing by GET.

https://graphql.github.io/graphql-over-http/draft/
"""

import time
from contextlib import aclosing
from functools import lru_cache
from typing import Final

from graphql import OperationType
from starlette.types import Receive, Scope, Send

from gateway import sse
from gateway.auth import Authenticator
from gateway.client_address import client_address
from gateway.context import RequestContext, Services, preferred_language
from gateway.execution import Answer, Engine, refusal
from gateway.faults import Fault, Language, Refused
from gateway.http_json import (
    EVENT_STREAM,
    GRAPHQL_RESPONSE,
    JSON,
    BodyTooLargeError,
    accepted,
    is_json,
    parse_json,
    read_body,
    send_json,
)
from gateway.limits import MAX_BODY_BYTES
from gateway.metrics import NOT_RUN, Metrics
from gateway.operations import GraphQLRequest, InvalidDocumentError, Operation, read_request
from gateway.stream_limits import TooManyStreams

ALLOW: Final = ((b"allow", b"POST"),)
CLOSE: Final = ((b"connection", b"close"),)

language_of = lru_cache(maxsize=256)(preferred_language)


class GraphQLView:
    """The HTTP half of `/graphql`. `page` is the GraphiQL page of development, None in production."""

    def __init__(
        self, engine: Engine, authenticator: Authenticator, services: Services, metrics: Metrics, page: str | None
    ) -> None:
        self._engine = engine
        self._authenticator = authenticator
        self._services = services
        self._metrics = metrics
        self._page = page.encode() if page is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        language = language_of(headers.get(b"accept-language", b"").decode("latin-1"))
        if scope["method"] == "GET" and self._page is not None and not scope["query_string"]:
            await _send_page(send, self._page)
        elif scope["method"] != "POST":
            refused = Refused("GraphQL 操作只接受 POST 请求", "Operations are sent by POST, as application/json")
            await send_json(send, 405, refusal(refused, language).body(), headers=ALLOW)
        elif not is_json(headers.get(b"content-type", b"").decode("latin-1")):
            refused = Refused(
                "Content-Type 应为 application/json", "The Content-Type must be application/json in UTF-8"
            )
            await send_json(send, 415, refusal(refused, language).body())
        else:
            await self._post(scope, headers, language, receive, send)

    async def _post(
        self, scope: Scope, headers: dict[bytes, bytes], language: Language, receive: Receive, send: Send
    ) -> None:
        media_types = accepted(headers.get(b"accept", b"").decode("latin-1"))
        if not media_types:
            refused = Refused(
                "无法以所要求的格式应答", f"Answers come as {GRAPHQL_RESPONSE}, {JSON} or {EVENT_STREAM} only"
            )
            await send_json(send, 406, refusal(refused, language).body())
            return
        try:
            request = read_request(parse_json(await read_body(headers, receive, MAX_BODY_BYTES)))
        except BodyTooLargeError:
            refused = Refused("请求体过大", f"The body is over {MAX_BODY_BYTES} bytes")
            await send_json(send, 413, refusal(refused, language).body(), headers=CLOSE)
        except Fault as fault:
            # Not well-formed: 400 whatever the media type.
            media_type = next((each for each in media_types if each != EVENT_STREAM), JSON)
            await send_json(send, fault.http_status, refusal(fault, language).body(), media_type)
        else:
            await self._answer(request, scope, headers, media_types, language, receive, send)

    async def _answer(
        self,
        request: GraphQLRequest,
        scope: Scope,
        headers: dict[bytes, bytes],
        media_types: tuple[str, ...],
        language: Language,
        receive: Receive,
        send: Send,
    ) -> None:
        started = time.perf_counter()
        field = NOT_RUN
        media_type = media_types[0]
        try:
            viewer = await self._authenticator.viewer(_authorization(headers))
            operation = self._engine.operations.find(request, viewer)
            field = operation.label
            context = self._services.context(viewer, language)
            if operation.type is OperationType.SUBSCRIPTION and EVENT_STREAM in media_types:
                address = client_address(scope, self._services.settings.trusted_proxies)
                with self._services.streams.event_stream(viewer, address):
                    self._metrics.answered("sse", field, time.perf_counter() - started, ())
                    async with aclosing(self._engine.stream(operation, request.variables, context)) as answers:
                        await sse.send_events(receive, send, answers, context)
                return
            answer = await self._run(operation, request, context)
        except TooManyStreams as full:
            answer = refusal(full, language)
            self._metrics.answered("sse", field, time.perf_counter() - started, answer.codes)
            wait = (b"retry-after", b"%d" % full.retry_after_seconds)
            await send_json(send, full.http_status, answer.body(), headers=(wait,))
            return
        except (Fault, InvalidDocumentError) as error:
            answer = refusal(error, language)
        self._metrics.answered("http", field, time.perf_counter() - started, answer.codes)
        if media_type == EVENT_STREAM:
            await sse.send_one(send, answer)
            return
        status = answer.status if media_type == GRAPHQL_RESPONSE else 200
        await send_json(send, status, answer.body(), media_type)

    async def _run(self, operation: Operation, request: GraphQLRequest, context: RequestContext) -> Answer:
        if operation.type is OperationType.SUBSCRIPTION:
            raise Refused(
                "订阅请使用 WebSocket 或 Accept: text/event-stream",
                f"Subscriptions need Accept: {EVENT_STREAM}, or a WebSocket (graphql-transport-ws)",
            )
        return await self._engine.run(operation, request.variables, context)


def _authorization(headers: dict[bytes, bytes]) -> str | None:
    value = headers.get(b"authorization")
    return value.decode("latin-1") if value is not None else None


async def _send_page(send: Send, page: bytes) -> None:
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(page)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page})
