"""Tokens and proofs as an attacker may make them: any JSON as header and as payload, signed with the right key."""

import base64
import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.auth import Authenticator
from gateway.faults import Unauthenticated
from gateway.jwks import KeySet
from gateway.sender_constraint import NOTHING, Presented
from tests.gateway.conftest import AUDIENCE, ISSUER, Issuer

URL = "https://gateway.example"
PATH = "/graphql"


def base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed(issuer: Issuer, header: bytes | dict[str, Any], payload: bytes | dict[str, Any]) -> str:
    """A token with this header and this payload, as they are, under the issuer's good signature."""
    parts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header, payload)]
    text = ".".join(base64url(each) for each in parts)
    return f"{text}.{base64url(issuer.key.sign(text.encode()))}"


def good_header(issuer: Issuer, **changes: Any) -> dict[str, Any]:
    """A change to None leaves the parameter out."""
    header = {"alg": "EdDSA", "kid": issuer.kid, "typ": "JWT"} | changes
    return {name: value for name, value in header.items() if value is not None}


@dataclass
class Clocked:
    """An authenticator whose clock the test sets, and the file of the issuer's keys."""

    folder: Path
    issuer: Issuer
    more: dict[str, Any] = field(default_factory=dict)
    now: float = field(default_factory=time.time)
    grace_seconds: float = 600

    def __post_init__(self) -> None:
        self.publish(self.issuer)
        keys = KeySet(ISSUER, str(self.key_file), clock=lambda: self.now, grace_seconds=self.grace_seconds)
        self.authenticator = Authenticator(ISSUER, AUDIENCE, keys, clock=lambda: self.now, **self.more)

    @property
    def key_file(self) -> Path:
        return self.folder / "keys.json"

    def publish(self, *issuers: Issuer) -> None:
        self.key_file.write_text(json.dumps({"keys": [key for each in issuers for key in each.jwks["keys"]]}))

    def token(self, **changes: Any) -> str:
        return self.issuer.token(**{"iat": int(self.now), "exp": int(self.now) + 3600} | changes)

    async def subject(self, token: str, scheme: str = "Bearer", presented: Presented = NOTHING) -> str:
        return (await self.authenticator.viewer(f"{scheme} {token}", presented)).subject

    async def why(self, token: str, scheme: str = "Bearer", presented: Presented = NOTHING) -> str:
        """Why the token is refused."""
        try:
            await self.authenticator.viewer(f"{scheme} {token}", presented)
        except Unauthenticated as refused:
            return str(refused)
        raise AssertionError("the token was taken")


@dataclass(frozen=True)
class Holder:
    """A client with a key of its own, which makes proofs (RFC 9449)."""

    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @property
    def jwk(self) -> dict[str, Any]:
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url(self.key.public_key().public_bytes_raw())}

    @property
    def thumbprint(self) -> str:
        """By the text of RFC 7638, section 3.1: members in order, no white space."""
        canonical = f'{{"crv":"Ed25519","kty":"OKP","x":"{self.jwk["x"]}"}}'
        return base64url(hashlib.sha256(canonical.encode()).digest())

    def proof(self, token: str, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
        """A good proof for POST /graphql with `token`, with changes to its header and claims; None leaves one out."""
        claims = {"jti": base64url(hashlib.sha256(str(time.perf_counter_ns()).encode()).digest()), "iat": time.time()}
        claims |= {"htm": "POST", "htu": URL + PATH, "ath": base64url(hashlib.sha256(token.encode()).digest())}
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        made = {"typ": "dpop+jwt", "jwk": self.jwk} | (header or {})
        return jwt.encode(claims, self.key, "EdDSA", headers=made)


def presented(*proofs: str, method: str = "POST", path: str = PATH, **headers: str) -> Presented:
    """A request with these proofs in its DPoP headers."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Presented(method, path, [*((b"dpop", each.encode()) for each in proofs), *named])
