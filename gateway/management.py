"""The management address: figures for Prometheus and the detail of readiness, apart from the address that callers reach."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from gateway.health import Health
from gateway.metrics import Metrics


def management_app(health: Health, metrics: Metrics) -> Starlette:
    """`/healthz`, `/readyz` with what is missing, and `/metrics`."""
    return Starlette(
        routes=[
            Route("/healthz", health.healthz),
            Route("/readyz", health.readyz_in_detail),
            Route("/metrics", metrics.endpoint),
        ]
    )


class _Server(uvicorn.Server):
    """Leaves the process's signals to the gateway's own server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def management_server(app: Starlette, host: str, port: int) -> AsyncIterator[_Server]:
    """Serve `app` while the block lasts. A port that is taken ends the process as uvicorn does, with its reason logged."""
    config = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, server_header=False, lifespan="off"
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(), name="management address")
    try:
        while not (server.started or serving.done()):
            await asyncio.sleep(0.01)
        yield server
    finally:
        server.should_exit = True
        await serving
