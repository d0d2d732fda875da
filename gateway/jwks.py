"""The issuer's public keys: from a file, from an address, or found through the issuer's own configuration.

A key that leaves the issuer's set is gone here after `FRESH_SECONDS` and one answer of the issuer. While the issuer is away,
the keys known from before stay good for a bounded time.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, ClassVar, Final

import jwt
import orjson

from gateway.faults import Unavailable
from gateway.remote_text import new_client, read_address, read_text
from gateway.signed_tokens import ALGORITHMS, thumbprint

FRESH_SECONDS: Final = 30.0
# An unknown kid makes us look again, at most this often: it costs the issuer a request and anyone can send one.
LOOK_AGAIN_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 600.0
DISCOVERY: Final = "/.well-known/openid-configuration"

logger = logging.getLogger(__name__)


class KeySetUnavailableError(Exception):
    """No keys are known, or they are known from too long ago. `fault` is the answer to the caller."""

    @property
    def fault(self) -> Unavailable:
        return Unavailable(
            "暂时无法核验登录凭证，请稍后重试",
            "The issuer's keys cannot be reached, so no token can be verified; try again",
        )


class KeySet:
    """Public keys by key id, each for the one algorithm of its kind. Shared keys (HS*) are never taken."""

    ALGORITHMS: ClassVar = ALGORITHMS

    def __init__(
        self,
        issuer: str,
        source: str | None,
        clock: Callable[[], float] = time.monotonic,
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        """`source` is a path or URL of a JWKS; None asks the issuer's configuration for it.

        `grace_seconds`: how long the keys stay good after the issuer's last answer while it is away.
        """
        self._issuer = issuer
        self._source = source
        self._clock = clock
        self._grace = grace_seconds
        self._keys: dict[str, jwt.PyJWK] = {}
        self._loaded_at: float | None = None
        self._tried_at: float | None = None
        self._loading: asyncio.Task[None] | None = None
        self._away: str | None = None

    async def find(self, key_id: str | None, algorithm: str) -> tuple[str, jwt.PyJWK] | None:
        """The key that a token's header names, with its thumbprint, or None.

        Without an id the set must hold one key of that algorithm. Raises `KeySetUnavailableError`.
        """
        found = self._match(key_id, algorithm)
        if found is None or self._age() > FRESH_SECONDS:
            await self._load()
            found = self._match(key_id, algorithm)
        self._require_known()
        return found

    async def holds(self, key: str) -> bool:
        """Whether the key of this thumbprint is in the set still. Raises `KeySetUnavailableError`."""
        if self._age() > FRESH_SECONDS:
            await self._load()
        self._require_known()
        return key in self._keys

    @property
    def lacks(self) -> str | None:
        """Why no token can be verified, for operators; None while tokens can be, and before any was."""
        if self._away is not None and not self._known():
            return f"the issuer's keys cannot be had ({self._away})"
        return None

    @property
    def warning(self) -> str | None:
        """What will make `lacks` true unless somebody acts; None when all is well."""
        if self._away is None or self._loaded_at is None or not self._known():
            return None
        left = round(self._loaded_at + self._grace - self._clock())
        return f"the issuer's keys cannot be had ({self._away}): those known stay good for {max(left, 0)} s more"

    def _match(self, key_id: str | None, algorithm: str) -> tuple[str, jwt.PyJWK] | None:
        matching = [
            (print_, key)
            for print_, key in self._keys.items()
            if key.algorithm_name == algorithm and (key_id is None or key.key_id == key_id)
        ]
        return matching[0] if len(matching) == 1 else None

    def _age(self) -> float:
        return float("inf") if self._loaded_at is None else self._clock() - self._loaded_at

    def _known(self) -> bool:
        return self._age() <= max(self._grace, FRESH_SECONDS)

    def _require_known(self) -> None:
        if not self._known():
            raise KeySetUnavailableError(self._away or "never read")

    async def _load(self) -> None:
        """Ask the issuer, unless that was tried just now. One asks for all who come meanwhile."""
        if self._loading is None:
            if self._tried_at is not None and self._clock() - self._tried_at < LOOK_AGAIN_SECONDS:
                return
            self._tried_at = self._clock()
            self._loading = asyncio.create_task(self._read_and_keep())
        if self._away is not None and self._known():
            # An issuer that does not answer must not hold up those whose key is known.
            return
        # A caller that leaves must not end what others wait for.
        await asyncio.shield(self._loading)

    async def _read_and_keep(self) -> None:
        try:
            keys = _usable(await self._read())
        except Exception as error:  # noqa: BLE001 - whatever an issuer answers: keys known from before stay good for a time
            if self._away is None:
                logger.warning(
                    "the issuer's keys cannot be had: those known stay good for %d s after its last answer: %s %s",
                    self._grace,
                    type(error).__name__,
                    str(error)[:200],
                )
            self._away = type(error).__name__
        else:
            if not keys:
                logger.warning("the issuer's key set holds no key for EdDSA, ES256 or RS256: every token is refused")
            if self._away is not None:
                logger.warning("the issuer's keys are there again")
            self._keys, self._loaded_at, self._away = keys, self._clock(), None
        finally:
            self._loading = None

    async def _read(self) -> str:
        if self._source is not None:
            return await read_text(self._source)
        async with new_client() as client:
            described = orjson.loads(await read_address(client, self._issuer.rstrip("/") + DISCOVERY))
            if described["issuer"] != self._issuer:
                raise ValueError("the configuration is of another issuer")
            return await read_address(client, str(described["jwks_uri"]))


def _usable(text: str) -> dict[str, jwt.PyJWK]:
    """The set's public signature keys of the kinds we take, by thumbprint. An empty set is an answer: no key is good.

    Raises `ValueError` or `TypeError` for what is no key set.
    """
    described = orjson.loads(text)
    if not isinstance(described, dict) or not isinstance(described.get("keys"), list):
        raise TypeError("not a JWK Set: it has no list of keys")
    keys = {}
    for each in described["keys"]:
        key = _key(each)
        if key is not None and key.algorithm_name in ALGORITHMS and key.public_key_use in {None, "sig"}:
            keys[thumbprint(key)] = key
    return keys


def _key(described: Any) -> jwt.PyJWK | None:
    """One key of a set; None for a key that we cannot use, which does not spoil the others."""
    try:
        return jwt.PyJWK(described)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
        return None
