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
from gateway.budgets import Caller
from gateway.client_address import client_address
from gateway.context import RequestContext, Services, preferred_language
from gateway.execution import TOO_MANY, Answer, Engine, refusal
from gateway.faults import Fault, Language, Refused, Unauthenticated
from gateway.graphiql import CONTENT_SECURITY_POLICY
from gateway.html_pages import security_headers
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
from gateway.sender_constraint import Presented

_PAGE_HEADERS: Final = security_headers(CONTENT_SECURITY_POLICY)
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
        address = client_address(scope, self._services.settings.trusted_proxies)
        try:
            presented = Presented("POST", scope["path"], scope["headers"])
            viewer = await self._authenticator.viewer(_authorization(headers), presented)
            # Before the body is read: who is over the budget costs no more than this.
            self._services.budgets.require_request(Caller.of(viewer, address))
        except Fault as fault:
            challenge = fault.challenge if isinstance(fault, Unauthenticated) else ""
            await self._send(send, refusal(fault, language), media_types, challenge=challenge)
            return
        try:
            request = read_request(parse_json(await read_body(headers, receive, MAX_BODY_BYTES)))
        except BodyTooLargeError:
            self._services.budgets.spend_request(Caller.of(viewer, address))
            refused = Refused("请求体过大", f"The body is over {MAX_BODY_BYTES} bytes")
            await send_json(send, 413, refusal(refused, language).body(), headers=CLOSE)
        except Fault as fault:
            self._services.budgets.spend_request(Caller.of(viewer, address))
            # Not well-formed: 400 whatever the media type.
            media_type = next((each for each in media_types if each != EVENT_STREAM), JSON)
            await send_json(send, fault.http_status, refusal(fault, language).body(), media_type)
        else:
            context = self._services.context(viewer, language, address)
            await self._answer(request, context, media_types, receive, send)

    async def _answer(
        self,
        request: GraphQLRequest,
        context: RequestContext,
        media_types: tuple[str, ...],
        receive: Receive,
        send: Send,
    ) -> None:
        started = time.perf_counter()
        field = NOT_RUN
        try:
            operation = self._engine.operations.find(request, context.viewer, context.address)
            field = operation.label
            if operation.type is OperationType.SUBSCRIPTION and EVENT_STREAM in media_types:
                with self._services.streams.event_stream(context.viewer, context.address):
                    self._metrics.answered("sse", field, time.perf_counter() - started, ())
                    async with aclosing(self._engine.stream(operation, request.variables, context)) as answers:
                        await sse.send_events(receive, send, answers, context, self._authenticator.ended)
                return
            answer = await self._run(operation, request, context)
        except (Fault, InvalidDocumentError) as error:
            answer = refusal(error, context.language)
        await self._send(send, answer, media_types, field, time.perf_counter() - started)

    async def _send(
        self,
        send: Send,
        answer: Answer,
        media_types: tuple[str, ...],
        field: str = NOT_RUN,
        seconds: float = 0.0,
        challenge: str = "Bearer",
    ) -> None:
        self._metrics.answered("http", field, seconds, answer.codes)
        media_type = media_types[0]
        if answer.retry_after_seconds is not None:
            media_type = next((each for each in media_types if each != EVENT_STREAM), JSON)
            retry_after = ((b"retry-after", str(answer.retry_after_seconds).encode()),)
            await send_json(send, TOO_MANY, answer.body(), media_type, retry_after)
        elif media_type == EVENT_STREAM:
            await sse.send_one(send, answer)
        else:
            status = answer.status if media_type == GRAPHQL_RESPONSE else 200
            refused = Unauthenticated.code in answer.codes
            more = ((b"www-authenticate", challenge.encode()),) if refused else ()
            await send_json(send, status, answer.body(), media_type, more)

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
        *((name.encode(), value.encode()) for name, value in _PAGE_HEADERS.items()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": page})
