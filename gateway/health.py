"""Alive, and ready: the second says what is missing."""

import asyncio
from typing import Any, Final

import asyncpg
from starlette.requests import Request
from starlette.responses import JSONResponse
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.service import RPCError

from activities.migrate import migrations
from gateway.auth import Authenticator
from gateway.context import Services
from gateway.reachability import OUT_OF_REACH
from gateway.temporal_link import TemporalUnavailableError
from workflows.messages import TASK_QUEUE

ANSWER_WITHIN_SECONDS: Final = 2.0


class Health:
    """`/healthz` and `/readyz`. Once a worker was seen it need not be there: reads go on without it.

    `/readyz` says what is `missing`, and in `warnings` what will be unless somebody acts.
    """

    def __init__(self, services: Services, authenticator: Authenticator) -> None:
        self._services = services
        self._authenticator = authenticator
        self._newest_migration = migrations()[-1][0]
        self._worker_seen = False

    async def healthz(self, _request: Request) -> JSONResponse:
        return JSONResponse({"alive": True})

    async def readyz(self, _request: Request) -> JSONResponse:
        """Whether the gateway is ready, for load balancers and whoever else asks: what is missing is not theirs to know."""
        missing = await self._missing()
        return JSONResponse({"ready": not missing}, 503 if missing else 200)

    async def readyz_in_detail(self, _request: Request) -> JSONResponse:
        """The same with what is missing, for operators."""
        missing = await self._missing()
        body: dict[str, Any] = {"ready": not missing, "missing": missing}
        if self._authenticator.warnings:
            body["warnings"] = self._authenticator.warnings
        return JSONResponse(body, 503 if missing else 200)

    async def _missing(self) -> list[str]:
        missing = [reason for reason in (await self._database_lacks(), await self._worker_lacks()) if reason]
        return [*missing, *self._authenticator.lacks]

    async def _database_lacks(self) -> str | None:
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                migrated = await self._services.pool.fetchval(
                    "select exists (select from schema_migrations where name = $1)", self._newest_migration
                )
        except asyncpg.UndefinedTableError:
            migrated = False
        except asyncpg.InsufficientPrivilegeError:
            return "the gateway's role may not read schema_migrations: run `yibao migrate`"
        except (*OUT_OF_REACH, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return f"PostgreSQL is out of reach ({type(error).__name__})"
        return None if migrated else f"the database lacks {self._newest_migration}: run `yibao migrate`"

    async def _worker_lacks(self) -> str | None:
        if self._worker_seen:
            return None
        try:
            async with asyncio.timeout(ANSWER_WITHIN_SECONDS):
                client = await self._services.temporal.client()
                described = await client.workflow_service.describe_task_queue(
                    DescribeTaskQueueRequest(
                        namespace=client.namespace,
                        task_queue=TaskQueue(name=TASK_QUEUE),
                        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
                    )
                )
        except (TimeoutError, TemporalUnavailableError, RPCError) as error:
            return f"Temporal is out of reach ({type(error).__name__})"
        self._worker_seen = bool(described.pollers)
        return None if self._worker_seen else f"no worker has asked for work on the task queue {TASK_QUEUE} yet"
