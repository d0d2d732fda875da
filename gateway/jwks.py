"""The issuer's public keys: from a file, from an address, or found through the issuer's own configuration."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Final

import httpx
import jwt

from gateway.faults import Unavailable

FRESH_SECONDS: Final = 600.0
# An unknown kid makes us look again, at most this often: it costs the issuer a request and anyone can send one.
LOOK_AGAIN_SECONDS: Final = 10.0
TIMEOUT_SECONDS: Final = 3.0
DISCOVERY: Final = "/.well-known/openid-configuration"


class KeySetUnavailableError(Exception):
    """The keys cannot be had and none are known from before. `fault` is the answer to the caller."""

    fault = Unavailable(
        "暂时无法核验登录凭证，请稍后重试",
        "The issuer's keys cannot be reached, so no token can be verified; try again",
    )


class KeySet:
    """Public keys by key id, each for the one algorithm of its kind. Shared keys (HS*) are never taken."""

    ALGORITHMS: ClassVar = frozenset({"EdDSA", "ES256", "RS256"})

    def __init__(self, issuer: str, source: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`source` is a path or URL of a JWKS; None asks the issuer's configuration for it."""
        self._issuer = issuer
        self._source = source
        self._clock = clock
        self._keys: list[jwt.PyJWK] = []
        self._loaded_at: float | None = None
        self._tried_at: float | None = None
        self._loading = asyncio.Lock()

    async def find(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        """The key that a token's header names, or None. Without an id the set must hold one key of that algorithm.

        Raises `KeySetUnavailableError`.
        """
        found = self._match(key_id, algorithm)
        if found is None or self._is_older_than(FRESH_SECONDS):
            await self._load()
            found = self._match(key_id, algorithm)
        return found

    def _match(self, key_id: str | None, algorithm: str) -> jwt.PyJWK | None:
        matching = [
            key for key in self._keys if key.algorithm_name == algorithm and (key_id is None or key.key_id == key_id)
        ]
        return matching[0] if len(matching) == 1 else None

    def _is_older_than(self, seconds: float) -> bool:
        return self._loaded_at is None or self._clock() - self._loaded_at > seconds

    async def _load(self) -> None:
        async with self._loading:
            if self._tried_at is not None and self._clock() - self._tried_at < LOOK_AGAIN_SECONDS:
                if self._loaded_at is None:
                    raise KeySetUnavailableError
                return
            self._tried_at = self._clock()
            try:
                self._keys = _usable(await self._read())
                self._loaded_at = self._clock()
            except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError, jwt.PyJWTError) as error:
                # Keys known from before stay good while the issuer is away.
                if self._loaded_at is None:
                    raise KeySetUnavailableError(str(error)) from error

    async def _read(self) -> str:
        if self._source is not None and not self._source.startswith(("https://", "http://")):
            return Path(self._source).read_text("utf-8")
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            address = self._source
            if address is None:
                configuration = await client.get(self._issuer.rstrip("/") + DISCOVERY)
                configuration.raise_for_status()
                described = configuration.json()
                if described["issuer"] != self._issuer:
                    raise ValueError(f"the configuration is of another issuer: {described['issuer']}")
                address = str(described["jwks_uri"])
            answer = await client.get(address)
            answer.raise_for_status()
            return answer.text


def _usable(text: str) -> list[jwt.PyJWK]:
    """The set's public signature keys of the kinds we take. Raises `ValueError` when none is."""
    keys = [
        key
        for key in jwt.PyJWKSet.from_dict(json.loads(text)).keys
        if key.algorithm_name in KeySet.ALGORITHMS and key.public_key_use in {None, "sig"}
    ]
    if not keys:
        raise ValueError("the key set holds no key for EdDSA, ES256 or RS256")
    return keys
