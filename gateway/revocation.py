"""Tokens that end before their time: by the issuer's list, or by asking the issuer (RFC 7662)."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Protocol, Self

import orjson
from pydantic import BaseModel, ConfigDict, Field, model_validator

from gateway.faults import Unauthenticated, Unavailable
from gateway.remote_text import new_client, read_text
from gateway.token_claims import Confirmation, Instant

# With the time between two checks of a token (gateway/auth.py), a revoked token ends within 30 seconds.
LIST_FRESH_SECONDS: Final = 15.0
LIST_GRACE_SECONDS: Final = 600.0
RETRY_SECONDS: Final = 5.0
# How long "active" holds (RFC 7662, section 4: a cache's trade against liveness).
ACTIVE_SECONDS: Final = 45.0

logger = logging.getLogger(__name__)


def _revoked() -> Unauthenticated:
    return Unauthenticated("令牌已被撤销，请重新登录", "The token has been revoked; sign in again")


def _unknown() -> Unavailable:
    return Unavailable(
        "暂时无法核验令牌是否已被撤销，请稍后重试",
        "Whether the token has been revoked cannot be found out now; try again",
    )


@dataclass(slots=True)
class VerifiedToken:
    """What must be known of a verified token to end it before `exp`.

    `key`: the thumbprint of the key that verified it. `check_at` and `active_until`: seconds since 1970, of the next check
    and of the end of the issuer's last "active".
    """

    key: str
    subject: str
    token_id: str | None = None
    issued_at: float | None = None
    binding: Confirmation | None = None
    text: str = field(default="", repr=False)
    check_at: float = 0.0
    active_until: float = 0.0


class Revocations(Protocol):
    """Where the issuer says which tokens it has revoked."""

    async def check(self, token: VerifiedToken) -> None:
        """Raises `Unauthenticated` for a revoked token, and `Unavailable` when it cannot be found out."""

    @property
    def lacks(self) -> str | None:
        """Why no token can be checked, for operators."""


class RevokedToken(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    jti: str | None = None
    sub: str | None = None
    not_before: Instant | None = None

    @model_validator(mode="after")
    def _names_tokens(self) -> Self:
        if self.jti is None and self.sub is None:
            raise ValueError("an entry names neither jti nor sub")
        return self


class _ListFile(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)

    revoked: Annotated[list[RevokedToken], Field(max_length=1_000_000)]


class RevocationList:
    """`{"revoked": [{"jti": "…"}, {"sub": "…", "not_before": 1760000000}]}`, from a path or an address.

    `sub` with `not_before` revokes what was issued to the subject before that instant, and every token of it that does not
    say when it was issued; without `not_before`, all of its tokens. While the list is away, the last one holds for ten
    minutes; then, and before the first, no token can be checked.
    """

    def __init__(self, source: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._tokens: frozenset[str] = frozenset()
        self._subjects: dict[str, float] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._away: str | None = None
        self._reading = asyncio.Lock()

    async def check(self, token: VerifiedToken) -> None:
        # Who has a list already does not wait for the one who reads the next.
        if self._age() > LIST_FRESH_SECONDS and (self._read_at is None or not self._reading.locked()):
            async with self._reading:
                await self._read()
        if self._age() > LIST_GRACE_SECONDS:
            raise _unknown()
        before = self._subjects.get(token.subject)
        if token.token_id in self._tokens or (
            before is not None and (token.issued_at is None or token.issued_at < before)
        ):
            raise _revoked()

    @property
    def lacks(self) -> str | None:
        if self._away is None or self._age() <= LIST_GRACE_SECONDS:
            return None
        return f"the list of revoked tokens cannot be had ({self._away})"

    def _age(self) -> float:
        return float("inf") if self._read_at is None else self._clock() - self._read_at

    async def _read(self) -> None:
        now = self._clock()
        if self._age() <= LIST_FRESH_SECONDS or (self._tried_at is not None and now - self._tried_at < RETRY_SECONDS):
            return
        self._tried_at = now
        try:
            entries = _ListFile.model_validate(orjson.loads(await read_text(self._source))).revoked
        except Exception as error:  # noqa: BLE001 - whatever comes: the last list holds for a time
            if self._away is None:
                logger.warning("the list of revoked tokens cannot be had: %s", type(error).__name__)
            self._away = type(error).__name__
            return
        self._tokens = frozenset(each.jti for each in entries if each.jti is not None)
        self._subjects = {}
        for each in entries:
            if each.sub is not None and each.jti is None:
                end = float("inf") if each.not_before is None else each.not_before
                self._subjects[each.sub] = max(end, self._subjects.get(each.sub, 0.0))
        self._read_at, self._away = self._clock(), None


class Introspection:
    """Asks the issuer whether a token is active (RFC 7662), as a client with a secret (RFC 6749, section 2.3.1)."""

    def __init__(self, endpoint: str, client_id: str, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._endpoint = endpoint
        self._credentials = client_id, secret
        self._clock = clock
        self._away: str | None = None

    async def check(self, token: VerifiedToken) -> None:
        if self._clock() < token.active_until:
            return
        try:
            active = await self._ask(token.text)
        except Exception as error:  # noqa: BLE001 - whatever the issuer answers: without an answer no token is good
            if self._away is None:
                logger.warning("the issuer's introspection cannot be had: %s", type(error).__name__)
            self._away = type(error).__name__
            raise _unknown() from None
        self._away = None
        if not active:
            raise _revoked()
        token.active_until = self._clock() + ACTIVE_SECONDS

    @property
    def lacks(self) -> str | None:
        return None if self._away is None else f"the issuer's introspection cannot be had ({self._away})"

    async def _ask(self, text: str) -> bool:
        form = {"token": text, "token_type_hint": "access_token"}
        async with new_client() as client:
            answer = await client.post(self._endpoint, data=form, auth=self._credentials)
            answer.raise_for_status()
            described: Any = orjson.loads(answer.content)
        active = described["active"]
        if not isinstance(active, bool):
            raise TypeError("active is no boolean")
        return active
