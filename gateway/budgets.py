"""How much each caller may ask for: token buckets by caller, so that one who asks too much waits and the others do not.

A caller is the subject of a token, or the address that an anonymous request came from. A bucket fills by the second up to
its size; what a request costs is taken out, and who finds it empty is told when to come back.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway.auth import Viewer
from gateway.faults import TooManyNewDocuments, TooManyRequests, Unavailable
from workflows.vocabulary import Role

# Callers whose buckets are kept. A bucket that is forgotten was not used for longer than that of any other.
KEPT_CALLERS: Final = 10_000
# Points of an operation beyond its first: one for each so many of the values that it can come to (gateway/limits.py).
COST_OF_A_POINT: Final = 1_000


class Caller(NamedTuple):
    """Who a request is counted for. `system`: an agency's system, which speaks for a whole house of clerks."""

    key: str
    anonymous: bool
    system: bool = False

    @classmethod
    def of(cls, viewer: Viewer, address: str) -> "Caller":
        if viewer.anonymous:
            return cls(f"address {address}", anonymous=True)
        return cls(viewer.identity, anonymous=False, system=viewer.has(Role.AGENCY_SYSTEM))


class Rate(NamedTuple):
    """A bucket's filling in points a second, and its size in points."""

    per_second: float
    burst: float


@dataclass(slots=True)
class _Bucket:
    left: float
    filled_at: float


class Budget:
    """One bucket for each key. `refusal` makes the error from the whole seconds to wait; `least` is what must be left."""

    def __init__(
        self,
        rate: Rate,
        refusal: Callable[[int], Unavailable] = TooManyRequests,
        least: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._refusal = refusal
        self._least = least
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def require(self, key: str) -> None:
        """Raise the refusal when too little is left for `key`."""
        missing = self._least - self._filled(key).left
        if missing > 0:
            raise self._refusal(math.ceil(missing / self._rate.per_second))

    def spend(self, key: str, points: float) -> None:
        """Take `points` out. It may leave a debt: what something costs is known only afterwards."""
        self._filled(key).left -= points

    def _filled(self, key: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._rate.burst, now)
            if len(self._buckets) > KEPT_CALLERS:
                self._buckets.popitem(last=False)
            return bucket
        self._buckets.move_to_end(key)
        bucket.left = min(self._rate.burst, bucket.left + (now - bucket.filled_at) * self._rate.per_second)
        bucket.filled_at = now
        return bucket


# Requests: an app asks once a second at most, a window's clerk ten times, an agency's system for all of its clerks.
PERSONS: Final = Rate(per_second=100, burst=1_000)
SYSTEMS: Final = Rate(per_second=500, burst=10_000)
ANONYMOUS: Final = Rate(per_second=50, burst=300)
# Seconds of a processor for documents that were never seen: some four milliseconds each.
NEW_DOCUMENTS: Final = Rate(per_second=0.05, burst=1.5)
NEW_DOCUMENTS_OF_ANONYMOUS: Final = Rate(per_second=0.02, burst=0.5)
NEW_DOCUMENTS_OF_ALL: Final = Rate(per_second=0.3, burst=6)
NEW_DOCUMENTS_OF_ALL_ANONYMOUS: Final = Rate(per_second=0.1, burst=2)
# A certificate's code is typed from paper; who tries codes needs millions.
CERTIFICATE_CHECKS: Final = Rate(per_second=0.5, burst=30)
# A refusal about another person is kept for ever, and a person has few relatives.
REFUSALS_ABOUT_OTHERS: Final = Rate(per_second=1 / 60, burst=20)
_ALL: Final = "all"


class NewDocuments:
    """The processor's time for documents that were never seen: each caller's share, within that of all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        def budget(rate: Rate) -> Budget:
            # What a document takes is known afterwards: the last one may leave a debt.
            return Budget(rate, TooManyNewDocuments, least=0.0, clock=clock)

        self._known = budget(NEW_DOCUMENTS), budget(NEW_DOCUMENTS_OF_ALL)
        self._anonymous = budget(NEW_DOCUMENTS_OF_ANONYMOUS), budget(NEW_DOCUMENTS_OF_ALL_ANONYMOUS)

    def require(self, caller: Caller) -> None:
        """Raises `TooManyNewDocuments`."""
        own, together = self._anonymous if caller.anonymous else self._known
        own.require(caller.key)
        together.require(_ALL)

    def spend(self, caller: Caller, seconds: float) -> None:
        own, together = self._anonymous if caller.anonymous else self._known
        own.spend(caller.key, seconds)
        together.spend(_ALL, seconds)


@dataclass(slots=True)
class Budgets:
    """All budgets of one gateway process."""

    new_documents: NewDocuments = field(default_factory=NewDocuments)
    certificate_checks: Budget = field(default_factory=lambda: Budget(CERTIFICATE_CHECKS))
    refusals_about_others: Budget = field(default_factory=lambda: Budget(REFUSALS_ABOUT_OTHERS))
    _persons: Budget = field(default_factory=lambda: Budget(PERSONS))
    _systems: Budget = field(default_factory=lambda: Budget(SYSTEMS))
    _anonymous: Budget = field(default_factory=lambda: Budget(ANONYMOUS))

    def require_request(self, caller: Caller) -> None:
        """Raise `TooManyRequests` when the caller has asked for too much already. Costs nothing by itself."""
        self._requests(caller).require(caller.key)

    def spend_request(self, caller: Caller, cost: int = 0) -> None:
        """Count one request of an operation of that `cost`."""
        self._requests(caller).spend(caller.key, 1 + cost // COST_OF_A_POINT)

    def _requests(self, caller: Caller) -> Budget:
        if caller.anonymous:
            return self._anonymous
        return self._systems if caller.system else self._persons
