"""Tokens and requests that are none are refused in one line, and the gateway goes on."""

import asyncio
import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stack.issuer import AUDIENCE, ISSUER, DevelopmentIssuer
from tests.e2e.books import nothing_changes
from tests.e2e.caller import STEP, new_key
from tests.e2e.people import (
    BEIJING,
)
from tests.e2e.standing_cases import Scene
from tests.e2e.system import System
from workflows.vocabulary import Role

VIEWER = "{ viewer { roles } }"


def _claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    standard = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "clerk-110000",
        "iat": now,
        "exp": now + timedelta(hours=1),
        "roles": ["CLERK"],
        "region": BEIJING,
    }
    return {name: value for name, value in (standard | changes).items() if value is not None}


def _token(system: System, kind: str) -> str:
    issuer = DevelopmentIssuer.of(system.data_dir, make=False)
    header = {"kid": jwt.get_unverified_header(issuer.token(Role.OPERATOR))["kid"]}
    other_key = Ed25519PrivateKey.generate()
    long_ago = datetime.now(UTC) - timedelta(seconds=1)
    ours: dict[str, dict[str, Any]] = {
        "good": {},
        "expired": {"exp": long_ago},
        "without an end": {"exp": None},
        "of another issuer, by our key": {"iss": "https://issuer.example"},
        "for another audience": {"aud": "another"},
        "without a subject": {"sub": None},
        "not valid yet": {"nbf": datetime.now(UTC) + timedelta(hours=1)},
        "of a clerk without a region": {"region": None},
    }
    if kind in ours:
        return jwt.encode(_claims(**ours[kind]), issuer.key, algorithm="EdDSA", headers=header)
    signed = jwt.encode(_claims(), issuer.key, algorithm="EdDSA", headers=header)
    head, payload, signature = signed.split(".")
    public = issuer.key.public_key().public_bytes_raw()
    unsigned = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    made: dict[str, Callable[[], str]] = {
        "of another issuer": lambda: jwt.encode(_claims(iss="https://issuer.example"), other_key, algorithm="EdDSA"),
        "by another key under our kid": lambda: jwt.encode(_claims(), other_key, algorithm="EdDSA", headers=header),
        "alg=none": lambda: f"{unsigned}.{payload}.",
        "unsigned": lambda: f"{head}.{payload}.",
        "HMAC by the public key": lambda: jwt.encode(_claims(), public, algorithm="HS256", headers=header),
        "with changed claims": lambda: f"{head}.{payload[:-2]}AA.{signature}",
        "garbage": lambda: "not-a-token",
        "endless": lambda: "e" * 10_000,
    }
    return made[kind]()


BAD_TOKENS = [
    "expired",
    "without an end",
    "of another issuer, by our key",
    "for another audience",
    "without a subject",
    "not valid yet",
    "of a clerk without a region",
    "of another issuer",
    "by another key under our kid",
    "alg=none",
    "unsigned",
    "HMAC by the public key",
    "with changed claims",
    "garbage",
    "endless",
]


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("kind", BAD_TOKENS)
async def test_a_token_that_is_not_good_is_unauthenticated(system: System, scene: Scene, kind: str) -> None:
    assert (await system.bearer(_token(system, "good")).ask(VIEWER))["viewer"] == {"roles": ["CLERK"]}
    bad = system.bearer(_token(system, kind))
    async with nothing_changes(system):
        reading = await bad.post(VIEWER)
        step = {"idempotencyKey": new_key(), "transferId": scene.opened.id}
        acting = await bad.post(STEP % ("DeliverInformationFormInput", "deliverInformationForm"), input=step)
        strict = {"accept": "application/graphql-response+json"}
        as_http = await system.http.post(f"{bad.gateway}/graphql", json={"query": VIEWER}, headers=bad.headers | strict)
    for answer in (reading, acting, as_http):
        (error,) = answer.json()["errors"]
        assert (error["extensions"]["code"], bool(error["message"])) == ("UNAUTHENTICATED", True)
        assert answer.json().get("data") is None
    assert as_http.status_code == 401


async def test_a_body_of_10_mb_is_refused_and_the_gateway_goes_on(system: System, scene: Scene) -> None:
    async with nothing_changes(system):
        began = asyncio.get_running_loop().time()
        answer = await scene.desks.o_clerk.post(VIEWER, padding="x" * 10_000_000)
        took = asyncio.get_running_loop().time() - began
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["extensions"]["code"] == "VALIDATION_FAILED"
    assert took < 10
    assert (await scene.desks.o_clerk.ask(VIEWER))["viewer"]["roles"] == ["CLERK"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"{}",
        b'{"query": 1}',
        b'{"query": null}',
        b'{"query": ""}',
        b'{"query": "{ viewer {"}',
        b'{"query": "{ viewer { nothing } }"}',
        b'{"query": "{ viewer { roles } } query Two { viewer { roles } }"}',
        b'{"query": "{ viewer { roles } }", "variables": 1}',
        b'{"query": "query ($a: Int!) { viewer { roles } }"}',
        b'{"query": "{ \\u0000 }"}',
        b'{"query": "\xff"}',
        b'{"query": "' + b"{ viewer " * 200 + b'"}',
        b'{"query": "{ ' + b"a: viewer { roles } " * 2000 + b'}"}',
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
async def test_graphql_that_is_none_is_refused_in_one_line(system: System, scene: Scene, body: bytes) -> None:
    headers = scene.desks.o_clerk.headers | {"content-type": "application/json"}
    async with nothing_changes(system):
        answer = await system.http.post(f"{scene.desks.o_clerk.gateway}/graphql", content=body, headers=headers)
    assert answer.status_code in {200, 400}
    said = answer.json()
    assert said.get("data") is None
    assert said["errors"]
    for error in said["errors"]:
        assert error["extensions"]["code"] == "VALIDATION_FAILED"
        assert "Traceback" not in error["message"]
