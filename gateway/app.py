"""The gateway as one ASGI application, and the process that serves it."""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import strawberry
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from activities import temporal
from activities.keyring import InvalidKeyringError, Keyring
from gateway import graphiql
from gateway.access_log import AccessLog
from gateway.auth import Authenticator
from gateway.authentication import authenticator_of
from gateway.case_page import CasePage
from gateway.codec_endpoint import codec_routes
from gateway.connection_guard import DEFAULT_LIMITS, ConnectionGuard, HttpLimits
from gateway.context import Services
from gateway.documents import DocumentDownloads
from gateway.execution import Engine
from gateway.health import Health
from gateway.http_protocol import http_protocol
from gateway.limits import MAX_BODY_BYTES
from gateway.management import management_app, management_server
from gateway.metrics import Metrics
from gateway.operations import Operations, load_trusted_documents
from gateway.progress import ProgressHub
from gateway.settings import Settings, SettingsError, load_settings
from gateway.temporal_link import TemporalLink
from gateway.verification import Verification
from gateway.view import GraphQLView
from gateway.websocket import WebSocketView
from gateway.websocket_protocol import WebSocketProtocol

if TYPE_CHECKING:
    from gateway.loaders import Loaders

GRAPHQL_PATH: Final = "/graphql"
POOL_SIZE: Final = 20
CONNECT_WITHIN_SECONDS: Final = 3.0
STATEMENT_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 10
# The collector's thresholds, youngest generation first.
YOUNG_OBJECTS_KEPT: Final = (20_000, 20, 50)
WEBSOCKET_PING_SECONDS: Final = 20.0


def create_app(
    settings: Settings,
    *,
    schema: strawberry.Schema | None = None,
    new_loaders: "Callable[[asyncpg.Pool], Loaders] | None" = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Starlette:
    """The application; to be made in the event loop that runs it.

    It starts whether or not PostgreSQL and Temporal are there, and finds them when they come.

    `schema` and `new_loaders` are the gateway's own unless a test brings others. Raises `SettingsError` for a keyring
    or trusted documents that cannot be used.
    """
    if schema is None or new_loaders is None:
        from gateway.loaders import Loaders
        from gateway.schema import schema as own_schema

        schema, new_loaders = schema or own_schema, new_loaders or Loaders
    keyring = _keyring(settings)
    # No connection is opened before it is needed. Nothing of ours outlives a transaction on a connection (no SET, no
    # LISTEN, no advisory lock), so the round trip that would reset it is left out; open transactions are still ended.
    pool = asyncpg.create_pool(
        settings.database_url,
        min_size=0,
        max_size=POOL_SIZE,
        timeout=CONNECT_WITHIN_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        reset=_leave_as_it_is,
        server_settings={"application_name": "yibao gateway"},
    )
    services = Services(
        settings=settings,
        pool=pool,
        temporal=TemporalLink(
            lambda: temporal.connect(
                keyring, target_host=settings.temporal_address, namespace=settings.temporal_namespace
            )
        ),
        keyring=keyring,
        progress=ProgressHub(settings.database_url),
        access_log=AccessLog(pool, keyring),
        clock=clock,
        new_loaders=new_loaders,
    )
    authenticator = authenticator_of(services)
    health = Health(services, authenticator)
    metrics = Metrics(lambda: services.progress.follower_count, lambda: services.access_log.dropped)
    graphql, routes = _routes(services, schema, authenticator, health, metrics)
    app = Application(graphql, routes=routes, lifespan=_lifespan(services))
    app.state.services = services
    app.state.management = management_app(health, metrics)
    return app


class Application(Starlette):
    """Hands `/graphql` to its view at once: Starlette's middleware and search for a route cost as much as the view itself.

    What they would do for it, uvicorn does too: an error that nobody caught is logged and answered with 500.
    """

    def __init__(self, graphql: GraphQLView, **more: Any) -> None:
        super().__init__(**more)
        self._graphql = graphql

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == GRAPHQL_PATH:
            await self._graphql(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _routes(
    services: Services, schema: strawberry.Schema, authenticator: Authenticator, health: Health, metrics: Metrics
) -> tuple[GraphQLView, list[BaseRoute]]:
    """The view of `/graphql`, and all routes."""
    settings = services.settings
    operations = Operations(
        schema._schema,  # noqa: SLF001 - graphql-core's own schema, which Strawberry shows nowhere else
        introspection=settings.development,
        trusted=_trusted_documents(settings),
        budgets=services.budgets,
    )
    engine = Engine(schema, operations, services)
    page = graphiql.page(endpoint=GRAPHQL_PATH, subscription_url=GRAPHQL_PATH) if settings.development else None
    graphql = GraphQLView(engine, authenticator, services, metrics, page)
    routes: list[BaseRoute] = [
        Route(GRAPHQL_PATH, graphql),
        WebSocketRoute(GRAPHQL_PATH, WebSocketView(engine, authenticator, services, metrics)),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz_in_detail if settings.development else health.readyz),
        Route("/documents/{document_id:uuid}.pdf", DocumentDownloads(services, authenticator).endpoint),
        Route("/verify", Verification(services).endpoint),
        Route("/case/{no}", CasePage(services).endpoint),
        codec_routes(settings, services.keyring, authenticator),
    ]
    if settings.development:
        # One address is enough on a developer's machine; production has these on the management address alone.
        routes.append(Route("/metrics", metrics.endpoint))
        routes.append(Mount(graphiql.STATIC_PATH, graphiql.STATIC_APP))
    return graphql, routes


def _lifespan(services: Services) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await services.pool
        services.progress.start()
        services.access_log.start()
        try:
            yield
        finally:
            await services.progress.stop()
            # Every answer is given by now: what was looked at is written before the pool is closed.
            await services.access_log.stop()
            try:
                await asyncio.wait_for(services.pool.close(), CONNECT_WITHIN_SECONDS)
            except TimeoutError:
                services.pool.terminate()

    return lifespan


async def _leave_as_it_is(_connection: object) -> None:
    pass


def _keyring(settings: Settings) -> Keyring:
    try:
        return Keyring.from_environment({"YIBAO_KEYRING": settings.keyring})
    except InvalidKeyringError as error:
        raise SettingsError([f"YIBAO_KEYRING is wrong: {error}"]) from None


def _trusted_documents(settings: Settings) -> dict[str, str] | None:
    if settings.trusted_documents is None:
        return None
    try:
        return load_trusted_documents(settings.trusted_documents)
    except (OSError, ValueError) as error:
        raise SettingsError([f"YIBAO_TRUSTED_DOCUMENTS is wrong: {error}"]) from None


class GatewayServer(uvicorn.Server):
    """Tells the streams before it waits for the connections that they keep open."""

    def __init__(self, config: uvicorn.Config, progress: ProgressHub) -> None:
        super().__init__(config)
        self._progress = progress

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._progress.close()
        await super().shutdown(sockets)


def serve(environment: Mapping[str, str]) -> int:
    """Serve until SIGINT or SIGTERM; the process's exit status. What is wrong with the settings goes to stderr."""
    # uvicorn puts these handlers back when it has stopped, and raises the signal again.
    for wanted in (signal.SIGINT, signal.SIGTERM):
        signal.signal(wanted, _leave)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    # Two lines for each WebSocket would let a client write the log.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    try:
        settings = load_settings(environment)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings))
    except SettingsError as error:
        sys.stderr.writelines(f"{line}\n" for line in error.lines)
        return 1
    except SystemExit as stop:
        # Also uvicorn's way to say that the port is taken, which it has logged.
        return stop.code if isinstance(stop.code, int) else 0
    return 0


def server_config(app: Starlette, settings: Settings, limits: HttpLimits = DEFAULT_LIMITS) -> uvicorn.Config:
    """How uvicorn serves the application, on the settings' address."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=http_protocol(ConnectionGuard(limits, settings.trusted_proxies)),
        ws=WebSocketProtocol,
        ws_max_size=MAX_BODY_BYTES,
        # Messages are short, and a compressor for each socket takes more memory than all else of it.
        ws_per_message_deflate=False,
        ws_ping_interval=WEBSOCKET_PING_SECONDS,
        ws_ping_timeout=WEBSOCKET_PING_SECONDS,
        # A request's line would have the signatures of documents' links.
        access_log=False,
        log_config=None,
        server_header=False,
        # Who asks is in the token and where we are in the settings. `gateway.client_address` alone reads X-Forwarded-For.
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


async def _serve(settings: Settings) -> None:
    app = create_app(settings)
    # What is loaded by now stays for good: the collector would stop every answer for as long as it takes to look at it.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*YOUNG_OBJECTS_KEPT)
    async with contextlib.AsyncExitStack() as stack:
        if settings.management_port is not None:
            await stack.enter_async_context(
                management_server(app.state.management, settings.management_host, settings.management_port)
            )
        await GatewayServer(server_config(app, settings), app.state.services.progress).serve()


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)


def main() -> None:
    """`yibao gateway`. Leaves at once when done: a process that used Temporal's client can crash in the interpreter's exit."""
    status = serve(os.environ)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
