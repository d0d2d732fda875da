"""A gateway over a small schema of its own, real PostgreSQL behind it, in this process or on a port."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import jwt
import pytest
import strawberry
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.applications import Starlette

from activities.keyring import Keyring
from gateway.app import GatewayServer, create_app, server_config
from gateway.connection_guard import DEFAULT_LIMITS, HttpLimits
from gateway.context import RequestContext
from gateway.faults import Forbidden, Unauthenticated
from gateway.settings import Settings, load_settings
from tests.conftest import Database

ISSUER = "https://issuer.example"
AUDIENCE = "yibao-test"
# A synthetic number with a right check digit.
RESIDENT_ID = "110101199003077213"

Info = strawberry.Info[RequestContext, None]


@dataclass
class Issuer:
    """Signs tokens as an issuer would; `jwks` is what it publishes."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def kid(self) -> str:
        return hashlib.sha256(self.key.public_key().public_bytes_raw()).hexdigest()[:16]

    @property
    def jwks(self) -> dict[str, Any]:
        x = base64.urlsafe_b64encode(self.key.public_key().public_bytes_raw()).decode().rstrip("=")
        return {"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": self.kid, "x": x}]}

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Good claims of a clerk, with `changes`; a change to None leaves the claim out."""
        now = int(time.time())
        good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "clerk-1", "iat": now, "exp": now + 600}
        good |= {"roles": ["CLERK"], "region": "310100"}
        return {name: value for name, value in (good | changes).items() if value is not None}

    def token(self, **changes: Any) -> str:
        return jwt.encode(self.claims(**changes), self.key, algorithm="EdDSA", headers={"kid": self.kid})

    def bearer(self, **changes: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(**changes)}"}


@dataclass(frozen=True)
class Event:
    seq: int


@strawberry.type
class Tick:
    seq: int
    loaders_are_new: bool


@strawberry.type
class Branch:
    name: str

    @strawberry.field
    def branch(self) -> "Branch":
        return Branch(name=self.name)

    @strawberry.field
    def branches(self, first: int = 20) -> list["Branch"]:
        return [Branch(name=str(number)) for number in range(first)]


@strawberry.type
class Query:
    @strawberry.field
    def greeting(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def branch(self) -> Branch:
        return Branch(name="root")

    @strawberry.field
    def me(self, info: Info) -> str:
        if info.context.viewer.anonymous:
            raise Unauthenticated
        return f"{info.context.viewer.subject} {info.context.language}"

    @strawberry.field
    def forbidden(self) -> str:
        raise Forbidden

    @strawberry.field
    def broken(self) -> str:
        raise RuntimeError("the secret 110101199003077213")

    @strawberry.field
    def maybe_broken(self) -> str | None:
        raise RuntimeError("secret")

    @strawberry.field
    async def from_database(self, info: Info) -> int:
        return int(await info.context.pool.fetchval("select 41 + 1"))

    @strawberry.field
    async def from_temporal(self, info: Info) -> str:
        return (await info.context.temporal.client()).namespace

    @strawberry.field
    def number(self, value: int) -> int:
        return value


@strawberry.type
class Mutation:
    @strawberry.mutation
    def count(self) -> int:
        COUNTED.append(1)
        return len(COUNTED)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def ticks(self, info: Info, transfer_id: strawberry.ID, after_seq: int = 0) -> AsyncIterator[Tick]:
        """The events of a table of the test's own, until one of them is a multiple of 100."""
        if info.context.viewer.anonymous:
            raise Unauthenticated
        seen: list[object] = [info.context.loaders]

        async def fetch(identifier: UUID, after: int) -> list[Event]:
            rows = await info.context.pool.fetch(
                "select seq from ticks where id = $1 and seq > $2 order by seq limit 10", identifier, after
            )
            return [Event(row["seq"]) for row in rows]

        async for event in info.context.progress.events_after(UUID(transfer_id), after_seq, fetch):
            new = info.context.loaders not in seen
            seen.append(info.context.loaders)
            yield Tick(seq=event.seq, loaders_are_new=new or event.seq == after_seq + 1)
            if event.seq % 100 == 0:
                return

    @strawberry.subscription
    async def breaks(self) -> AsyncIterator[int]:
        yield 1
        raise RuntimeError("secret")


COUNTED: list[int] = []
SCHEMA = strawberry.Schema(Query, Mutation, Subscription)


@dataclass(frozen=True)
class Ticks:
    """Writes events of one transfer as the worker does: the row and its notice in one transaction."""

    owner_url: str
    transfer_id: UUID

    async def add(self, *seqs: int, notify: bool = True) -> None:
        connection = await asyncpg.connect(self.owner_url)
        try:
            async with connection.transaction():
                for seq in seqs:
                    await connection.execute("insert into ticks values ($1, $2)", self.transfer_id, seq)
                    if notify:
                        await connection.execute("select pg_notify('transfer_events', $1)", f"{self.transfer_id}:{seq}")
        finally:
            await connection.close()


@pytest.fixture
async def ticks(database: Database) -> Ticks:
    connection = await asyncpg.connect(database.owner_url)
    await connection.execute("create table ticks (id uuid, seq int, primary key (id, seq))")
    await connection.execute("grant select on ticks to yibao_gateway")
    await connection.close()
    return Ticks(database.owner_url, UUID("0192f0c1-2222-7000-8000-000000000001"))


@pytest.fixture(scope="session")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def environment(database: Database, issuer: Issuer, tmp_path: Path) -> dict[str, str]:
    """What a gateway of production would be told; Temporal's address answers nobody."""
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps(issuer.jwks))
    return {
        "YIBAO_DATABASE_URL": database.gateway_url,
        "TEMPORAL_ADDRESS": "127.0.0.1:1",
        "YIBAO_OIDC_ISSUER": ISSUER,
        "YIBAO_OIDC_AUDIENCE": AUDIENCE,
        "YIBAO_OIDC_JWKS": str(jwks),
        "YIBAO_KEYRING": Keyring.generate_text(),
    }


@pytest.fixture
def settings(environment: dict[str, str]) -> Settings:
    return load_settings(environment)


@pytest.fixture
def development(environment: dict[str, str]) -> Settings:
    return load_settings({**environment, "YIBAO_ENV": "development"})


def small_app(settings: Settings) -> Starlette:
    """The gateway over this file's schema; its loaders are plain objects, new for each operation."""
    make: Callable[[asyncpg.Pool], Any] = lambda _pool: object()  # noqa: E731 - a value that needs a type
    return create_app(settings, schema=SCHEMA, new_loaders=make)


class Gateway:
    """A gateway and clients of it in this process; `management` asks its other address. `post` sends one GraphQL request."""

    def __init__(self, app: Starlette, client: httpx.AsyncClient, management: httpx.AsyncClient) -> None:
        self.app = app
        self.client = client
        self.management = management

    async def post(self, query: str, headers: dict[str, str] | None = None, **parameters: Any) -> httpx.Response:
        return await self.client.post("/graphql", json={"query": query, **parameters}, headers=headers)


async def running(settings: Settings) -> AsyncIterator[Gateway]:
    app = small_app(settings)
    transport, management_transport = httpx.ASGITransport(app), httpx.ASGITransport(app.state.management)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://gateway") as client,
        httpx.AsyncClient(transport=management_transport, base_url="http://management") as management,
    ):
        yield Gateway(app, client, management)


@pytest.fixture
async def gateway(settings: Settings) -> AsyncIterator[Gateway]:
    async for each in running(settings):
        yield each


@pytest.fixture
async def development_gateway(development: Settings) -> AsyncIterator[Gateway]:
    async for each in running(development):
        yield each


@dataclass(frozen=True)
class Served:
    """A gateway that listens on a port of 127.0.0.1."""

    app: Starlette
    server: GatewayServer
    port: int
    serving: "asyncio.Task[None]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql"


@pytest.fixture
async def served(settings: Settings) -> AsyncIterator[Served]:
    async with serving(small_app(settings), settings) as each:
        yield each


@asynccontextmanager
async def serving(app: Starlette, settings: Settings, limits: HttpLimits = DEFAULT_LIMITS) -> AsyncIterator[Served]:
    """The application on a port of 127.0.0.1, served as the gateway serves."""
    config = server_config(app, settings.model_copy(update={"port": 0}), limits)
    config.timeout_graceful_shutdown = 3
    server = GatewayServer(config, app.state.services.progress)
    # Not `serve`: that takes the test process's signals.
    task = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(app, server, port, task)
    finally:
        server.should_exit = True
        await task
