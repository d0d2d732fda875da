"""Figures for Prometheus. Labels come from closed lists: a caller cannot make new series."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response

# A cached read takes a millisecond, a step up to the few seconds that the gateway waits for it.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
NOT_RUN: Final = "none"


class _LooksDropped(Collector):
    """Read when it is asked for: the access log counts for itself."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count

    def collect(self) -> Iterable[Metric]:
        words = "Looks at personal data that could not be written to the access log."
        yield CounterMetricFamily("yibao_access_log_dropped", words, value=self._count())


class Metrics:
    """One registry for each application, so that two in one process (tests) do not meet."""

    def __init__(self, followers: Callable[[], int], looks_dropped: Callable[[], int] = lambda: 0) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "yibao_graphql_seconds",
            "Time from request to answer, by the operation's first root field.",
            ["field"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._errors = Counter(
            "yibao_graphql_errors", "Top-level errors, by their code.", ["code"], registry=self.registry
        )
        self._requests = Counter(
            "yibao_graphql_requests", "GraphQL requests, by the way they came.", ["transport"], registry=self.registry
        )
        # Looking a series up by its labels takes longer than counting.
        self._requests_by, self._seconds_of = cache(self._requests.labels), cache(self._seconds.labels)
        self.sockets = Gauge("yibao_websockets", "Open WebSocket connections.", registry=self.registry)
        Gauge("yibao_followers", "Streams that follow a transfer.", registry=self.registry).set_function(followers)
        self.registry.register(_LooksDropped(looks_dropped))

    def answered(self, transport: str, field: str, seconds: float, codes: tuple[str, ...]) -> None:
        """Count one answer. `field` is a root field of the schema, or `none` when nothing was run."""
        self._requests_by(transport).inc()
        self._seconds_of(field).observe(seconds)
        for code in codes:
            self._errors.labels(code).inc()

    def endpoint(self, _request: Request) -> Response:
        return Response(generate_latest(self.registry), headers={"content-type": CONTENT_TYPE_LATEST})
