"""Bearer tokens: who they make the caller, and each way in which one is not good."""

import base64
import hmac
import json
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.auth import ANONYMOUS, Authenticator, Viewer
from gateway.faults import Unauthenticated, Unavailable
from gateway.jwks import KeySet
from tests.gateway.conftest import AUDIENCE, ISSUER, RESIDENT_ID, Gateway, Issuer
from workflows.actors import Actor
from workflows.vocabulary import Role


@pytest.fixture
def authenticator(issuer: Issuer, tmp_path: Path) -> Authenticator:
    return _authenticator(tmp_path, issuer.jwks)


def _authenticator(folder: Path, jwks: dict[str, Any]) -> Authenticator:
    path = folder / "keys.json"
    path.write_text(json.dumps(jwks))
    return Authenticator(ISSUER, AUDIENCE, KeySet(ISSUER, str(path)))


async def _why(authenticator: Authenticator, token: str) -> str:
    with pytest.raises(Unauthenticated) as refused:
        await authenticator.viewer(f"Bearer {token}")
    return str(refused.value)


async def test_a_good_token_says_who_asks(authenticator: Authenticator, issuer: Issuer) -> None:
    claims = issuer.claims(roles=["CLERK", "PLUMBER", "FINANCE"])
    viewer = await authenticator.viewer(f"bearer {issuer.token(roles=['CLERK', 'PLUMBER', 'FINANCE'])}")
    assert viewer == Viewer(
        subject="clerk-1",
        roles=(Role.CLERK, Role.FINANCE),
        region="310100",
        issuer=ISSUER,
        expires_at=float(claims["exp"]),
    )
    assert viewer.actor == Actor(subject="clerk-1", roles=(Role.CLERK, Role.FINANCE), region="310100")
    assert viewer.identity == f"{ISSUER}\nclerk-1"


async def test_an_insured_person_comes_with_a_number_that_no_log_shows(
    authenticator: Authenticator, issuer: Issuer
) -> None:
    token = issuer.token(roles=["INSURED_PERSON"], region=None, resident_id=RESIDENT_ID, sub="person-1")
    viewer = await authenticator.viewer(f"Bearer {token}")
    assert (viewer.resident_id, viewer.region) == (RESIDENT_ID, None)
    assert RESIDENT_ID not in repr(viewer)


@pytest.mark.parametrize("header", [None, "", "  "])
async def test_no_token_is_an_anonymous_caller(authenticator: Authenticator, header: str | None) -> None:
    assert await authenticator.viewer(header) is ANONYMOUS
    assert ANONYMOUS.anonymous


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"exp": int(time.time()) - 1}, "The token has expired"),
        ({"iss": "https://other.example"}, f"The token is of another issuer; expected {ISSUER}"),
        ({"aud": "other"}, f"The token is for another audience; expected {AUDIENCE}"),
        ({"nbf": int(time.time()) + 600}, "The token is not valid yet (nbf)"),
        ({"iat": int(time.time()) + 600}, "The token is not valid yet (iat)"),
        ({"exp": None}, "The token lacks exp"),
        ({"iss": None}, "The token lacks iss"),
        ({"aud": None}, "The token lacks aud"),
        ({"sub": None}, "The token lacks sub"),
        ({"sub": " "}, "The token lacks sub"),
        ({"exp": "tomorrow"}, "The token's exp is not a time"),
        ({"roles": "CLERK"}, "The token's roles must be a list"),
        ({"region": None}, "A token of an agency's role needs a region"),
        ({"region": 310100}, "The token's region must be a string"),
        ({"roles": ["INSURED_PERSON"]}, "A token of an insured person needs a valid resident_id"),
        (
            {"roles": ["INSURED_PERSON"], "resident_id": "110101199003077214"},
            "A token of an insured person needs a valid resident_id",
        ),
    ],
)
async def test_a_token_with_other_claims_is_refused_and_says_why(
    authenticator: Authenticator, issuer: Issuer, changes: dict[str, Any], why: str
) -> None:
    assert await _why(authenticator, issuer.token(**changes)) == why


@pytest.mark.parametrize("name", ["li-01", "\uff2cee", "Le\u0301e", "L\u200dee", "王芳", "x" * 64])
async def test_the_act_claim_says_who_acts_for_the_bearer(
    authenticator: Authenticator, issuer: Issuer, name: str
) -> None:
    claims = {"roles": ["AGENCY_SYSTEM"], "sub": "system-310100"}
    # Earlier actors are listed inside the claim; they do not act now (RFC 8693, section 4.1).
    viewer = await authenticator.viewer(f"Bearer {issuer.token(**claims, act={'sub': name, 'act': {'sub': 'other'}})}")
    assert (viewer.subject, viewer.acting_person) == ("system-310100", name)
    assert viewer.actor == Actor(
        subject="system-310100", roles=(Role.AGENCY_SYSTEM,), region="310100", acting_person=name
    )


@pytest.mark.parametrize(
    "claim",
    [
        "li-01",
        ["li-01"],
        17,
        True,
        {},
        {"sub": None},
        {"sub": 17},
        {"sub": ["li-01"]},
        {"sub": {"sub": "li-01"}},
        {"sub": ""},
        {"sub": " "},
        {"sub": "\u200d\u0301"},
        {"sub": "x" * 65},
        {"sub": "li\u0000"},
        {"iss": ISSUER},
    ],
    ids=repr,
)
async def test_an_act_claim_that_names_nobody_is_refused(
    authenticator: Authenticator, issuer: Issuer, claim: object
) -> None:
    token = issuer.token(roles=["AGENCY_SYSTEM"], act=claim)
    assert await _why(authenticator, token) == "The token's act must name a person: a sub of 1 to 64 characters"


async def test_a_token_that_expires_is_not_kept(issuer: Issuer, tmp_path: Path) -> None:
    now = time.time()
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(issuer.jwks))
    authenticator = Authenticator(ISSUER, AUDIENCE, KeySet(ISSUER, str(path)), clock=lambda: now)
    header = f"Bearer {issuer.token(exp=int(now) + 5)}"
    first = await authenticator.viewer(header)
    assert await authenticator.viewer(header) is first
    now += 6
    with pytest.raises(Unauthenticated, match="expired"):
        await authenticator.viewer(header)


def _unsigned(issuer: Issuer) -> str:
    return jwt.encode(issuer.claims(), "", algorithm="none", headers={"kid": issuer.kid})


def _hs256(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    """By hand: the library refuses to sign with what is a public key."""
    parts = [json.dumps({"alg": "HS256", "typ": "JWT", "kid": kid}).encode(), json.dumps(claims).encode()]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    digest = hmac.digest(secret, signed, "sha256")
    return (signed + b"." + base64.urlsafe_b64encode(digest).rstrip(b"=")).decode()


def _signed_with_the_public_key(issuer: Issuer) -> str:
    """The old trick: a verifier that lets the token choose takes the public key for a shared secret."""
    return _hs256(issuer.claims(), issuer.key.public_key().public_bytes_raw(), issuer.kid)


async def test_a_token_without_a_signature_of_ours_is_refused_and_says_why(
    authenticator: Authenticator, issuer: Issuer
) -> None:
    good = issuer.token()
    head, body, signature = good.split(".")
    forged_body = base64.urlsafe_b64encode(json.dumps(issuer.claims(roles=["OPERATOR"])).encode()).decode().rstrip("=")
    stranger = Issuer()
    same_kid = jwt.encode(issuer.claims(), stranger.key, algorithm="EdDSA", headers={"kid": issuer.kid})
    no_algorithm = "The token is not signed with an allowed algorithm: "
    reasons = {
        _unsigned(issuer): no_algorithm + "none",
        _signed_with_the_public_key(issuer): no_algorithm + "HS256",
        stranger.token(): "The token is not signed by a key known to its issuer",
        same_kid: "The token's signature is not valid",
        f"{head}.{forged_body}.{signature}": "The token's signature is not valid",
        f"{head}.{body}.": "The token's signature is not valid",
        f"{head}.{body}": "The token is malformed: not a JWT",
        "garbage": "The token is malformed: not a JWT",
        "ümlaut.ü.ü": "The token is malformed: not a JWT",
        good + "A" * 9000: "The token is too long",
    }
    assert {token: await _why(authenticator, token) for token in reasons} == reasons


async def test_only_the_bearer_scheme_is_taken(authenticator: Authenticator) -> None:
    for header in ("Basic dXNlcjpwYXNz", "Bearer", "Bearer  "):
        with pytest.raises(Unauthenticated, match="must be a Bearer token"):
            await authenticator.viewer(header)


def _jwk(key: Any, kid: str) -> dict[str, Any]:
    algorithm: Any = jwt.get_algorithm_by_name("ES256" if isinstance(key, ec.EllipticCurvePublicKey) else "RS256")
    return {**algorithm.to_jwk(key, as_dict=True), "kid": kid}


async def test_es256_and_rs256_are_taken_too_each_with_its_own_key(issuer: Issuer, tmp_path: Path) -> None:
    elliptic, rsa_key = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    keys = [_jwk(elliptic.public_key(), "e"), _jwk(rsa_key.public_key(), "r")]
    authenticator = _authenticator(tmp_path, {"keys": keys})
    for key, algorithm, kid in ((elliptic, "ES256", "e"), (rsa_key, "RS256", "r")):
        token = jwt.encode(issuer.claims(), key, algorithm=algorithm, headers={"kid": kid})
        assert (await authenticator.viewer(f"Bearer {token}")).subject == "clerk-1"
    pem = rsa_key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    confused = _hs256(issuer.claims(), pem, "r")
    assert (await _why(authenticator, confused)).endswith("allowed algorithm: HS256")
    # The one's key under the other's id.
    swapped = jwt.encode(issuer.claims(), elliptic, algorithm="ES256", headers={"kid": "r"})
    assert await _why(authenticator, swapped) == "The token is not signed by a key known to its issuer"


async def test_shared_keys_in_the_set_are_never_used(issuer: Issuer, tmp_path: Path) -> None:
    secret = base64.urlsafe_b64encode(b"s" * 32).decode().rstrip("=")
    authenticator = _authenticator(tmp_path, {"keys": [*issuer.jwks["keys"], {"kty": "oct", "k": secret, "kid": "o"}]})
    token = jwt.encode(issuer.claims(), b"s" * 32, algorithm="HS256", headers={"kid": "o"})
    assert (await _why(authenticator, token)).endswith("allowed algorithm: HS256")


async def test_a_key_that_the_issuer_adds_is_found_without_a_restart(issuer: Issuer, tmp_path: Path) -> None:
    now = 0.0
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(issuer.jwks))
    keys = KeySet(ISSUER, str(path), clock=lambda: now)
    authenticator = Authenticator(ISSUER, AUDIENCE, keys)
    newer = Issuer(Ed25519PrivateKey.generate())
    assert await _why(authenticator, newer.token()) == "The token is not signed by a key known to its issuer"
    path.write_text(json.dumps({"keys": issuer.jwks["keys"] + newer.jwks["keys"]}))
    # Not yet: an unknown key id must not make us read again at once.
    assert await _why(authenticator, newer.token()) == "The token is not signed by a key known to its issuer"
    now += 11
    assert (await authenticator.viewer(f"Bearer {newer.token()}")).subject == "clerk-1"


async def test_without_any_keys_no_token_is_called_bad(issuer: Issuer, tmp_path: Path) -> None:
    authenticator = Authenticator(ISSUER, AUDIENCE, KeySet(ISSUER, str(tmp_path / "absent.json")))
    with pytest.raises(Unavailable):
        await authenticator.viewer(f"Bearer {issuer.token()}")


async def test_the_keys_are_found_through_the_issuers_configuration(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        if request.url.path == "/.well-known/openid-configuration":
            return httpx.Response(200, json={"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"})
        return httpx.Response(200, json=issuer.jwks)

    real = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **options: real(transport=httpx.MockTransport(answer), **options))
    authenticator = Authenticator(ISSUER, AUDIENCE, KeySet(ISSUER, None))
    assert (await authenticator.viewer(issuer.bearer()["authorization"])).subject == "clerk-1"
    assert (await authenticator.viewer(issuer.bearer(sub="clerk-2")["authorization"])).subject == "clerk-2"
    assert asked == [f"{ISSUER}/.well-known/openid-configuration", f"{ISSUER}/keys"]


async def test_a_public_field_needs_no_token_and_another_says_unauthenticated(gateway: Gateway) -> None:
    answer = (await gateway.post("{ greeting }")).json()
    assert answer == {"data": {"greeting": "hello world"}}
    answer = (await gateway.post("{ me }", {"accept-language": "en"})).json()
    assert answer["data"] is None
    assert [(e["message"], e["path"], e["extensions"]) for e in answer["errors"]] == [
        ("This needs a bearer token", ["me"], {"code": "UNAUTHENTICATED"})
    ]


async def test_a_bad_token_refuses_the_whole_operation_even_its_public_fields(gateway: Gateway, issuer: Issuer) -> None:
    headers = {"authorization": f"Bearer {_unsigned(issuer)}", "accept-language": "en"}
    answer = await gateway.post("{ greeting }", headers)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "errors": [
                {
                    "message": "The token is not signed with an allowed algorithm: none",
                    "extensions": {"code": "UNAUTHENTICATED"},
                }
            ]
        },
    )
    answer = await gateway.post("{ greeting }", headers | {"accept": "application/graphql-response+json"})
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]) == (401, {"code": "UNAUTHENTICATED"})


async def test_a_role_that_does_not_suffice_is_forbidden(gateway: Gateway, issuer: Issuer) -> None:
    answer = (await gateway.post("{ forbidden }", issuer.bearer())).json()
    assert answer["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
    assert answer["errors"][0]["message"] == "您的角色无权进行此操作"
