"""Temporal's remote codec: the UI and the command line have payloads opened here.

https://docs.temporal.io/codec-server. In production only an operator's token opens anything.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from temporalio.api.common.v1 import Payload, Payloads

from activities.codec import EncryptionCodec
from activities.keyring import Keyring, KeyringError
from gateway.auth import Authenticator
from gateway.faults import Fault, Forbidden, Refused, Unauthenticated
from gateway.http_json import BodyTooLargeError, is_json, parse_json, read_body
from gateway.sender_constraint import Presented
from gateway.settings import Settings
from workflows.vocabulary import Role

# A page of history comes in one request.
MAX_BODY_BYTES: Final = 8 * 1024 * 1024
ON_THIS_MACHINE: Final = r"http://(127\.0\.0\.1|localhost)(:\d{1,5})?"

Coding = Callable[[Sequence[Payload]], Awaitable[list[Payload]]]


def codec_routes(settings: Settings, keyring: Keyring, authenticator: Authenticator) -> Mount:
    """`POST /codec/encode` and `/codec/decode`, to which browsers let the Temporal UI's origin alone."""
    codec = EncryptionCodec(keyring)

    def endpoint(coding: Coding) -> Callable[[Request], Awaitable[Response]]:
        async def code(request: Request) -> Response:
            try:
                if not settings.development:
                    await _require_operator(request, authenticator)
                return await _code(request, coding)
            except Fault as fault:
                challenge = {"www-authenticate": fault.challenge} if isinstance(fault, Unauthenticated) else None
                return JSONResponse({"message": str(fault)}, fault.http_status, challenge)

        return code

    cors = Middleware(
        CORSMiddleware,
        allow_origins=[settings.temporal_ui_origin] if settings.temporal_ui_origin else [],
        allow_origin_regex=ON_THIS_MACHINE if settings.development else None,
        allow_methods=["POST"],
        allow_headers=["*"],
        allow_credentials=True,
    )
    routes = [
        Route("/encode", endpoint(codec.encode), methods=["POST"]),
        Route("/decode", endpoint(codec.decode), methods=["POST"]),
    ]
    return Mount("/codec", routes=routes, middleware=[cors])


async def _require_operator(request: Request, authenticator: Authenticator) -> None:
    presented = Presented(request.method, request.url.path, request.scope["headers"])
    viewer = await authenticator.viewer(request.headers.get("authorization"), presented)
    if not viewer.has(Role.OPERATOR):
        raise Forbidden("只有运维人员可以解密", "Only an OPERATOR's token opens payloads")


async def _code(request: Request, coding: Coding) -> Response:
    if not is_json(request.headers.get("content-type", "")):
        return JSONResponse({"message": "The Content-Type must be application/json"}, 415)
    try:
        body = await read_body(dict(request.scope["headers"]), request.receive, MAX_BODY_BYTES)
        coded = await coding(_payloads(parse_json(body)))
    except BodyTooLargeError:
        return JSONResponse({"message": f"The body is over {MAX_BODY_BYTES} bytes"}, 413)
    except (ParseError, KeyringError, KeyError) as error:
        # KeyError: sealed, but naming no key.
        raise Refused("无法解码", f"These are not payloads that we can open: {str(error)[:200]}") from None
    return JSONResponse(MessageToDict(Payloads(payloads=coded)))


def _payloads(value: object) -> Sequence[Payload]:
    """Raises `ParseError`."""
    if not isinstance(value, dict):
        raise ParseError("not a JSON object")
    return ParseDict(value, Payloads()).payloads
