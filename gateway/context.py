"""What every resolver is given as `info.context`."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg

from activities.keyring import Keyring
from gateway.access_log import AccessLog
from gateway.auth import Viewer
from gateway.budgets import Budgets, Caller
from gateway.faults import Language
from gateway.progress import ProgressHub
from gateway.settings import Settings
from gateway.shared_answers import SharedAnswers
from gateway.stream_limits import StreamLimits
from gateway.temporal_link import TemporalLink

if TYPE_CHECKING:
    from gateway.loaders import Loaders


@dataclass(frozen=True, slots=True)
class Services:
    """What the gateway has one of, for as long as it runs.

    `pool` is the gateway role's; `clock` gives the present instant, with its zone; `new_loaders` makes the loaders of
    one operation.
    """

    settings: Settings
    pool: asyncpg.Pool
    temporal: TemporalLink
    keyring: Keyring
    progress: ProgressHub
    access_log: AccessLog
    clock: Callable[[], datetime]
    new_loaders: Callable[[asyncpg.Pool], "Loaders"]
    budgets: Budgets = field(default_factory=Budgets)
    streams: StreamLimits = field(default_factory=StreamLimits)

    def context(self, viewer: Viewer, language: Language, address: str = "") -> "RequestContext":
        """The context of one operation, with loaders of its own; `address` is the client's."""
        return RequestContext(
            viewer=viewer,
            address=address,
            language=language,
            correlation_id=secrets.token_hex(8),
            settings=self.settings,
            pool=self.pool,
            temporal=self.temporal,
            keyring=self.keyring,
            progress=self.progress,
            access_log=self.access_log,
            clock=self.clock,
            budgets=self.budgets,
            loaders=self.new_loaders(self.pool),
        )


@dataclass(slots=True)
class RequestContext:
    """One operation's viewer and language, and what serves it. Nothing in it changes but what a subscription changes for each event.

    `correlation_id` is what an INTERNAL error shows and the log has. A subscription's source sets `shared` before it yields an
    event whose answers may be shared with other subscriptions.
    """

    viewer: Viewer
    address: str
    language: Language
    correlation_id: str
    settings: Settings
    pool: asyncpg.Pool
    temporal: TemporalLink
    keyring: Keyring
    progress: ProgressHub
    access_log: AccessLog
    clock: Callable[[], datetime]
    budgets: Budgets
    loaders: "Loaders"
    shared: SharedAnswers[Any] | None = None

    @property
    def caller(self) -> Caller:
        """Whom a budget counts this operation for."""
        return Caller.of(self.viewer, self.address)


def preferred_language(accept_language: str | None) -> Language:
    """zh-CN or en, whichever an `Accept-Language` value prefers by its q-values; zh-CN when it says nothing of both."""
    best: Language = "zh-CN"
    if not accept_language:
        return best
    best_quality = 0.0
    for entry in accept_language[:1000].split(","):
        tag, _, parameters = entry.strip().partition(";")
        language = _language_of(tag.strip().lower())
        quality = _quality(parameters)
        if language is not None and quality > best_quality:
            best, best_quality = language, quality
    return best


def _language_of(tag: str) -> Language | None:
    if tag == "en" or tag.startswith("en-"):
        return "en"
    if tag in {"zh", "*"} or tag.startswith("zh-"):
        return "zh-CN"
    return None


def _quality(parameters: str) -> float:
    name, _, value = parameters.replace(" ", "").partition("=")
    if not name:
        return 1.0
    try:
        return max(0.0, min(1.0, float(value))) if name == "q" else 1.0
    except ValueError:
        return 0.0
