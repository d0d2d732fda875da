"""DPoP proofs (RFC 9449, section 4.3): that the caller holds the key to which the token is bound."""

import hashlib
from collections import OrderedDict
from typing import Annotated, Final
from urllib.parse import urlsplit

import jwt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gateway.faults import Unauthenticated, Unavailable
from gateway.signed_tokens import (
    ALGORITHMS,
    InvalidTokenFormError,
    TokenHeader,
    read_header,
    sha256_base64url,
    signed_payload,
    thumbprint,
)
from gateway.token_claims import Instant

# A proof is made for one request: clocks may differ by this much in either direction.
WINDOW_SECONDS: Final = 60
# At 16 bytes of digest each, some 30 MB in all.
MAX_SEEN: Final = 200_000
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class SeenProofs:
    """The proofs of the last two minutes, each of which is good once. In this process alone, and never without bound."""

    def __init__(self, limit: int = MAX_SEEN) -> None:
        self._limit = limit
        self._ends: OrderedDict[bytes, float] = OrderedDict()

    def take(self, key: str, proof_id: str, now: float) -> bool:
        """Whether this proof of this key is new; from then on it is not.

        Raises `Unavailable` when no more can be remembered: a proof that may be a copy is never let through.
        """
        while self._ends and next(iter(self._ends.values())) <= now:
            self._ends.popitem(last=False)
        digest = hashlib.sha256(f"{key}\n{proof_id}".encode()).digest()[:16]
        if digest in self._ends:
            return False
        if len(self._ends) >= self._limit:
            raise Unavailable(
                "DPoP 证明过多，请稍后重试", "Too many DPoP proofs in two minutes; try again", retry_after_seconds=10
            )
        # The latest instant at which it could still be within the window.
        self._ends[digest] = now + 2 * WINDOW_SECONDS
        return True


class _Proof(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    jti: Annotated[str, Field(min_length=1, max_length=255)]
    htm: str
    htu: Annotated[str, Field(max_length=2048)]
    iat: Instant
    ath: str


def challenge(error: str) -> str:
    """The value of `WWW-Authenticate` (RFC 9449, section 7.1)."""
    return f'DPoP error="{error}", algs="{" ".join(sorted(ALGORITHMS))}"'


def check_proof(
    proof: str | None, *, jkt: str, token: str, method: str, url: str, now: float, seen: SeenProofs
) -> None:
    """Hold a proof against the request that it came with and the key of thumbprint `jkt`. Raises `Unauthenticated`.

    `url` has neither query nor fragment; `token` is the access token as it came; `now` is in seconds since 1970.
    """
    if not proof:
        raise _bad("请求缺少 DPoP 证明：请在 DPoP 头中附上", "A proof is missing: send one in the header DPoP")
    try:
        header = read_header(proof)
        key = _key_of(header)
        if thumbprint(key) != jkt:
            raise Unauthenticated(
                "DPoP 证明与令牌绑定的密钥不同",
                "The DPoP proof is by another key than the token is bound to",
                challenge=challenge("invalid_token"),
            )
        payload = signed_payload(proof, key)
    except InvalidTokenFormError as error:
        raise _bad(f"DPoP 证明无效：{error.zh}", f"The DPoP proof is not good: {error.en}") from None
    try:
        claims = _Proof.model_validate(payload)
    except ValidationError as invalid:
        location = invalid.errors()[0]["loc"]
        name = str(location[0]) if location else "claims"
        raise _bad(f"DPoP 证明缺少有效的 {name}", f"The DPoP proof lacks a valid {name}") from None
    if claims.htm != method:
        raise _bad(f"DPoP 证明的 htm 应为 {method}", f"The DPoP proof is for another method: htm must be {method}")
    if _normalised(claims.htu) != _normalised(url):
        raise _bad(f"DPoP 证明的 htu 应为 {url}", f"The DPoP proof is for another address: htu must be {url}")
    if abs(now - claims.iat) > WINDOW_SECONDS:
        raise _bad(
            f"DPoP 证明的 iat 与当前时间相差超过 {WINDOW_SECONDS} 秒",
            f"The DPoP proof's iat is more than {WINDOW_SECONDS} seconds away: make a proof for each request",
        )
    if claims.ath != sha256_base64url(token.encode("utf-8", "replace")):
        raise _bad("DPoP 证明的 ath 不是该令牌的摘要", "The DPoP proof is for another token: ath is not its hash")
    if not seen.take(jkt, claims.jti, now):
        raise _bad("DPoP 证明已被使用", "The DPoP proof was used before: make a proof for each request")


def _key_of(header: TokenHeader) -> jwt.PyJWK:
    """The key that a proof brings. Raises `InvalidTokenFormError`."""
    if header.typ != "dpop+jwt":
        raise InvalidTokenFormError("typ 应为 dpop+jwt", "its typ must be dpop+jwt")
    if header.jwk is None:
        raise InvalidTokenFormError("缺少 jwk", "its header lacks jwk, the public key")
    if not _PRIVATE_MEMBERS.isdisjoint(header.jwk):
        raise InvalidTokenFormError("jwk 含私钥", "its jwk holds a private key; replace that key")
    try:
        key = jwt.PyJWK(header.jwk, algorithm=header.alg)
        thumbprint(key)
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, KeyError):
        raise InvalidTokenFormError("jwk 无法使用", "its jwk is no public key for its alg") from None
    return key


def _normalised(url: str) -> tuple[str, str, int | None, str] | None:
    """As RFC 3986 compares: scheme and host in lower case, default port left out; the query and fragment do not count."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts.scheme, parts.hostname or "", port or _DEFAULT_PORTS.get(parts.scheme), parts.path or "/"


def _bad(zh: str, en: str) -> Unauthenticated:
    return Unauthenticated(zh, en, challenge=challenge("invalid_dpop_proof"))
