"""A window of the gateway: the schema in use over a desk's real database, asked as one viewer or another, at a set instant."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg
from starlette.applications import Starlette
from starlette.routing import Route
from temporalio.client import Client

from gateway.access_log import AccessLog
from gateway.auth import Authenticator, Viewer
from gateway.context import Services
from gateway.documents import DocumentDownloads
from gateway.execution import Engine
from gateway.faults import Language
from gateway.jwks import KeySet
from gateway.loaders import Loaders
from gateway.operations import GraphQLRequest, Operations
from gateway.progress import ProgressHub
from gateway.schema import schema
from gateway.settings import Settings
from gateway.temporal_link import TemporalLink, TemporalUnavailableError
from tests.activities.desk import MONDAY, Desk, open_desk
from tests.activities.register_extracts import LI, WANG
from tests.cases import BEIJING, EMPLOYER_ID, SHANGHAI_POOL
from tests.conftest import Database
from workflows.vocabulary import Role

PERSON = Viewer("person-1", (Role.INSURED_PERSON,), resident_id=WANG)
STRANGER = Viewer("person-2", (Role.INSURED_PERSON,), resident_id=LI)
EMPLOYER = Viewer(EMPLOYER_ID, (Role.EMPLOYER,))
O_CLERK = Viewer("clerk-110000", (Role.CLERK,), region=BEIJING)
O_FINANCE = Viewer("finance-110000", (Role.FINANCE,), region=BEIJING)
R_CLERK = Viewer("clerk-319900", (Role.CLERK,), region=SHANGHAI_POOL)
R_FINANCE = Viewer("finance-319900", (Role.FINANCE,), region=SHANGHAI_POOL)
OTHER_CLERK = Viewer("clerk-440300", (Role.CLERK,), region="440300")
SUPERVISOR = Viewer("bureau-310000", (Role.SUPERVISOR,), region="310000")
OPERATOR = Viewer("operator-1", (Role.OPERATOR,))


class CountingPool:
    """A pool that counts the statements it runs."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.statements: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name not in {"fetch", "fetchrow", "fetchval", "execute"}:
            return getattr(self._pool, name)

        async def run(statement: str, *values: object, **options: Any) -> Any:
            self.statements.append(statement)
            return await getattr(self._pool, name)(statement, *values, **options)

        return run


@dataclass
class Window:
    desk: Desk
    services: Services
    engine: Engine
    now: list[datetime]

    @property
    def no(self) -> str:
        """The number of the desk's transfer."""
        return self.desk.transfer.transfer_no

    @property
    def pool(self) -> CountingPool:
        pool: Any = self.services.pool
        assert isinstance(pool, CountingPool)
        return pool

    async def post(self, viewer: Viewer, query: str, language: Language = "zh-CN", **variables: Any) -> dict[str, Any]:
        """The body of the answer."""
        operation = self.engine.operations.find(GraphQLRequest(query, None, variables), viewer)
        answer = await self.engine.run(operation, variables, self.services.context(viewer, language))
        return answer.body()

    async def data(self, viewer: Viewer, query: str, language: Language = "zh-CN", **variables: Any) -> Any:
        """The data of an answer without errors."""
        body = await self.post(viewer, query, language, **variables)
        assert "errors" not in body, body
        return body["data"]

    async def error(self, viewer: Viewer, query: str, **variables: Any) -> dict[str, Any]:
        """The one error of an answer."""
        body = await self.post(viewer, query, **variables)
        (error,) = body["errors"]
        assert isinstance(error, dict)
        return error

    async def bodies(self, viewer: Viewer, query: str, **variables: Any) -> AsyncIterator[dict[str, Any]]:
        """The bodies of a subscription's answers."""
        operation = self.engine.operations.find(GraphQLRequest(query, None, variables), viewer)
        async for answer in self.engine.stream(operation, variables, self.services.context(viewer, "zh-CN")):
            yield answer.body()

    async def stream(self, viewer: Viewer, query: str, **variables: Any) -> AsyncIterator[dict[str, Any]]:
        """The data of a subscription's answers, none of which has an error."""
        async for body in self.bodies(viewer, query, **variables):
            assert "errors" not in body, body
            yield body["data"]

    async def node_id(self) -> str:
        data = await self.data(PERSON, "query ($no: TransferNo!) { transfer(no: $no) { id } }", no=self.no)
        return str(data["transfer"]["id"])


def downloads_of(services: Services) -> Starlette:
    """The gateway's `/documents`, for requests without a token."""
    settings = services.settings
    nobody = Authenticator(settings.oidc_issuer, settings.oidc_audience, KeySet(settings.oidc_issuer, None))
    return Starlette(routes=[Route("/documents/{document_id:uuid}.pdf", DocumentDownloads(services, nobody).endpoint)])


async def away() -> Client:
    raise TemporalUnavailableError("nobody there")


@asynccontextmanager
async def open_window(
    database: Database,
    *,
    temporal: Client | None = None,
    request_stop: bool = False,
    origin: dict[str, str] | None = None,
) -> AsyncIterator[Window]:
    """A window on a desk whose application is recorded but not opened, on Monday. Without `temporal` Temporal is away."""

    async def connected() -> Client:
        return temporal if temporal is not None else await away()

    now = [MONDAY]
    async with open_desk(database, request_stop=request_stop, origin=origin) as desk:
        settings = Settings.model_validate(
            {
                "YIBAO_DATABASE_URL": database.gateway_url,
                "TEMPORAL_ADDRESS": "127.0.0.1:1",
                "YIBAO_OIDC_ISSUER": "https://issuer.example",
                "YIBAO_OIDC_AUDIENCE": "yibao-test",
                "YIBAO_KEYRING": "{}",
                "YIBAO_PUBLIC_URL": "https://gateway.example",
            }
        )
        pool: Any = CountingPool(desk.cases.gateway_pool)
        hub = ProgressHub(database.gateway_url)
        hub.start()
        services = Services(
            settings=settings,
            pool=pool,
            temporal=TemporalLink(connected),
            keyring=desk.cases.keyring,
            progress=hub,
            access_log=AccessLog(desk.cases.gateway_pool, desk.cases.keyring),
            clock=lambda: now[0],
            new_loaders=Loaders,
        )
        engine = Engine(schema, Operations(schema._schema, introspection=True), services)
        try:
            yield Window(desk, services, engine, now)
        finally:
            await hub.stop()
