"""Tokens bound to a key or to a certificate: nobody else can use them."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gateway.auth import CHECK_AGAIN_SECONDS
from gateway.dpop import SeenProofs
from gateway.faults import Unauthenticated, Unavailable
from gateway.sender_constraint import Mode, SenderConstraint
from gateway.settings import SettingsError, load_settings
from gateway.signed_tokens import thumbprint
from tests.gateway.conftest import Issuer, running
from tests.gateway.tokens import PATH, URL, Clocked, Holder, base64url, presented

NO_PROOF = "A proof is missing: send one in the header DPoP"
NOT_BOUND = "The token is not bound to a key: send it as Bearer, or ask the issuer for a DPoP token"
AS_DPOP = "The token is bound to a key: send it as Authorization: DPoP, with a proof in the header DPoP"
USED = "The DPoP proof was used before: make a proof for each request"
OTHER_KEY = "The DPoP proof is by another key than the token is bound to"
OTHER_CERTIFICATE = "The token is bound to another client certificate: connect with the one it was issued to"


def system(folder: Path, issuer: Issuer, mode: Mode = "dpop", **more: Any) -> Clocked:
    return Clocked(folder, issuer, {"senders": SenderConstraint(mode, URL, "X-Client-Cert", **more)})


def bound_to(clocked: Clocked, holder: Holder, **changes: Any) -> str:
    claims = {"sub": "system-310100", "roles": ["AGENCY_SYSTEM"], "cnf": {"jkt": holder.thumbprint}} | changes
    return clocked.token(**claims)


async def test_a_bound_token_with_its_proof_is_taken_each_proof_once(issuer: Issuer, tmp_path: Path) -> None:
    clocked, holder = system(tmp_path, issuer), Holder()
    token = bound_to(clocked, holder)
    proof = holder.proof(token)
    assert await clocked.subject(token, "DPoP", presented(proof)) == "system-310100"
    assert await clocked.why(token, "DPoP", presented(proof)) == USED
    # From the cache too, each request brings a proof of its own.
    assert await clocked.why(token, "DPoP", presented()) == NO_PROOF
    assert await clocked.subject(token, "dpop", presented(holder.proof(token))) == "system-310100"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"htm": "GET"}, "The DPoP proof is for another method: htm must be POST"),
        ({"htu": URL + "/other"}, f"The DPoP proof is for another address: htu must be {URL}{PATH}"),
        ({"htu": "https://evil.example/graphql"}, f"The DPoP proof is for another address: htu must be {URL}{PATH}"),
        ({"htu": "http://[::1"}, f"The DPoP proof is for another address: htu must be {URL}{PATH}"),
        (
            {"ath": base64url(hashlib.sha256(b"other").digest())},
            "The DPoP proof is for another token: ath is not its hash",
        ),
        ({"ath": None}, "The DPoP proof lacks a valid ath"),
        ({"jti": None}, "The DPoP proof lacks a valid jti"),
        ({"jti": ""}, "The DPoP proof lacks a valid jti"),
        ({"iat": None}, "The DPoP proof lacks a valid iat"),
        ({"iat": "now"}, "The DPoP proof lacks a valid iat"),
        ({"htm": ["POST"]}, "The DPoP proof lacks a valid htm"),
        ({"htu": 1}, "The DPoP proof lacks a valid htu"),
        ({"header": {"typ": "JWT"}}, "The DPoP proof is not good: its typ must be dpop+jwt"),
        ({"header": {"jwk": None}}, "The DPoP proof is not good: its header lacks jwk, the public key"),
        (
            {"header": {"jwk": {"kty": "OKP", "crv": "Ed25519", "x": "AA"}}},
            "The DPoP proof is not good: its jwk is no public key for its alg",
        ),
        (
            {"header": {"jwk": {"kty": "oct", "k": "AAAA"}}},
            "The DPoP proof is not good: its jwk holds a private key; replace that key",
        ),
        ({"header": {"jwk": {}}}, "The DPoP proof is not good: its jwk is no public key for its alg"),
        ({"header": {"jwk": {"kty": ["EC"]}}}, "The DPoP proof is not good: its jwk is no public key for its alg"),
    ],
)
async def test_a_proof_of_another_request_or_form_is_refused(
    issuer: Issuer, tmp_path: Path, changes: dict[str, Any], why: str
) -> None:
    clocked, holder = system(tmp_path, issuer), Holder()
    token = bound_to(clocked, holder)
    with pytest.raises(Unauthenticated) as refused:
        await clocked.authenticator.viewer(f"DPoP {token}", presented(holder.proof(token, **changes)))
    assert (str(refused.value), refused.value.challenge) == (
        why,
        'DPoP error="invalid_dpop_proof", algs="ES256 EdDSA RS256"',
    )


async def test_an_address_is_compared_as_addresses_are(issuer: Issuer, tmp_path: Path) -> None:
    clocked, holder = system(tmp_path, issuer), Holder()
    token = bound_to(clocked, holder)
    for htu in ("HTTPS://Gateway.Example:443/graphql", f"{URL}{PATH}?x=1#y"):
        assert await clocked.subject(token, "DPoP", presented(holder.proof(token, htu=htu))) == "system-310100"


async def test_a_proof_is_good_for_a_minute_in_either_direction(issuer: Issuer, tmp_path: Path) -> None:
    clocked, holder = system(tmp_path, issuer), Holder()
    token = bound_to(clocked, holder)
    for late in (-59, 59):
        proof = holder.proof(token, iat=clocked.now + late)
        assert await clocked.subject(token, "DPoP", presented(proof)) == "system-310100"
    for late in (-62, 62):
        why = await clocked.why(token, "DPoP", presented(holder.proof(token, iat=clocked.now + late)))
        assert why == "The DPoP proof's iat is more than 60 seconds away: make a proof for each request"
    # A proof from ahead can be shown for two minutes, and is known for as long.
    proof = holder.proof(token, iat=clocked.now + 59)
    assert await clocked.subject(token, "DPoP", presented(proof)) == "system-310100"
    clocked.now += 118
    assert await clocked.why(token, "DPoP", presented(proof)) == USED


async def test_a_stolen_token_is_of_no_use(issuer: Issuer, tmp_path: Path) -> None:
    clocked, holder, thief = system(tmp_path, issuer), Holder(), Holder()
    token = bound_to(clocked, holder)
    assert await clocked.subject(token, "DPoP", presented(holder.proof(token))) == "system-310100"
    assert await clocked.why(token) == AS_DPOP
    assert await clocked.why(token, "DPoP", presented(thief.proof(token))) == OTHER_KEY
    # The thief names the holder's key, and cannot sign with it.
    borrowed = thief.proof(token, header={"jwk": holder.jwk})
    assert await clocked.why(token, "DPoP", presented(borrowed)) == (
        "The DPoP proof is not good: The token's signature is not valid"
    )
    twice = presented(holder.proof(token), holder.proof(token))
    assert await clocked.why(token, "DPoP", twice) == "The header DPoP may come once only"
    for garbage in ("x", "a.b.c", "ü.ü.ü", "." * 3, "e" * 9000):
        assert (await clocked.why(token, "DPoP", presented(garbage))).startswith("The DPoP proof is not good: ")


@pytest.mark.parametrize("mode", ["off", "dpop", "mtls"])
async def test_a_token_with_cnf_is_held_to_it_whatever_the_setting(issuer: Issuer, tmp_path: Path, mode: Mode) -> None:
    clocked, holder = system(tmp_path, issuer, mode), Holder()
    token = clocked.token(cnf={"jkt": holder.thumbprint})
    assert await clocked.why(token) == AS_DPOP
    assert await clocked.subject(token, "DPoP", presented(holder.proof(token))) == "clerk-1"


async def test_an_agencys_system_needs_a_bound_token_where_the_setting_says_so(issuer: Issuer, tmp_path: Path) -> None:
    plain = {"sub": "system-310100", "roles": ["AGENCY_SYSTEM"]}
    off, dpop, mtls = (system(tmp_path, issuer, mode) for mode in ("off", "dpop", "mtls"))
    assert await off.subject(off.token(**plain)) == "system-310100"
    by_certificate = plain | {"cnf": {"x5t#S256": "A" * 43}}
    key = "A token of an agency's system must be bound to a key: ask the issuer for a DPoP token (cnf.jkt)"
    assert await dpop.why(dpop.token(**plain)) == key
    assert await dpop.why(dpop.token(**by_certificate)) == key
    certificate = "A token of an agency's system must be bound to its client certificate (cnf.x5t#S256)"
    assert await mtls.why(mtls.token(**plain)) == certificate
    assert await mtls.why(mtls.token(**plain | {"cnf": {"jkt": Holder().thumbprint}})) == certificate
    # People's tokens are as before, and go as Bearer.
    for clocked in (off, dpop, mtls):
        assert await clocked.subject(clocked.token()) == "clerk-1"
        assert await clocked.why(clocked.token(), "DPoP") == NOT_BOUND


async def test_a_token_bound_to_a_certificate_comes_with_it(issuer: Issuer, tmp_path: Path) -> None:
    clocked = system(tmp_path, issuer, "mtls")
    certificate = b"a certificate in DER"
    digest = hashlib.sha256(certificate).digest()
    token = clocked.token(roles=["AGENCY_SYSTEM"], cnf={"x5t#S256": base64url(digest)})
    colons = ":".join(f"{byte:02X}" for byte in digest)
    for value in (digest.hex(), colons, base64url(digest), f":{base64.b64encode(certificate).decode()}:"):
        assert await clocked.subject(token, presented=presented(x_client_cert=value)) == "clerk-1"
    for value in ("", hashlib.sha256(b"other").hexdigest(), "nonsense", ":::", ":!:", "ü" * 43):
        assert await clocked.why(token, presented=presented(x_client_cert=value)) == OTHER_CERTIFICATE
    assert await clocked.why(token) == OTHER_CERTIFICATE
    two = presented(x_client_cert=digest.hex())
    two = two._replace(headers=[*two.headers, (b"x-client-cert", b"other")])
    assert await clocked.why(token, presented=two) == "The header X-Client-Cert may come once only"
    unset = Clocked(tmp_path, issuer, {"senders": SenderConstraint("off", URL)})
    assert await unset.why(token, presented=presented(x_client_cert=digest.hex())) == (
        "The token is bound to a client certificate, and this gateway is not set up to see one"
    )


async def test_the_proofs_that_are_remembered_are_bounded_and_none_is_let_through_unremembered(
    issuer: Issuer, tmp_path: Path
) -> None:
    clocked, holder = system(tmp_path, issuer, seen=SeenProofs(limit=3)), Holder()
    token = bound_to(clocked, holder)
    for _ in range(3):
        await clocked.subject(token, "DPoP", presented(holder.proof(token)))
    with pytest.raises(Unavailable, match="Too many DPoP proofs"):
        await clocked.subject(token, "DPoP", presented(holder.proof(token)))
    clocked.now += 121
    fresh = holder.proof(token, iat=clocked.now)
    assert await clocked.subject(token, "DPoP", presented(fresh)) == "system-310100"
    assert clocked.now > CHECK_AGAIN_SECONDS


def test_a_thumbprint_is_as_rfc_7638_and_rfc_8037_have_it() -> None:
    rsa_example = {
        "kty": "RSA",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs"
        "tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n9"
        "1CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
        "e": "AQAB",
        "alg": "RS256",
        "kid": "2011-04-29",
    }
    ed25519_example = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert thumbprint(jwt.PyJWK(rsa_example)) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"
    assert thumbprint(jwt.PyJWK(ed25519_example)) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


async def test_keys_of_every_kind_make_proofs(issuer: Issuer, tmp_path: Path) -> None:
    clocked = system(tmp_path, issuer)
    for key, algorithm in (
        (ec.generate_private_key(ec.SECP256R1()), "ES256"),
        (rsa.generate_private_key(65537, 2048), "RS256"),
    ):
        maker: Any = jwt.get_algorithm_by_name(algorithm)
        jwk = maker.to_jwk(key.public_key(), as_dict=True)
        token = bound_to(clocked, Holder(), cnf={"jkt": thumbprint(jwt.PyJWK(jwk, algorithm))})
        claims = jwt.decode(Holder().proof(token), options={"verify_signature": False})
        proof = jwt.encode(claims, key, algorithm, headers={"typ": "dpop+jwt", "jwk": jwk})
        assert await clocked.subject(token, "DPoP", presented(proof)) == "system-310100"


async def test_the_gateway_takes_proofs_over_http_and_says_how_when_one_is_missing(
    environment: dict[str, str], issuer: Issuer
) -> None:
    holder = Holder()
    environment |= {"YIBAO_SENDER_CONSTRAINED": "dpop", "YIBAO_PUBLIC_URL": URL}
    claims = {"sub": "system-1", "roles": ["AGENCY_SYSTEM"]}
    token = issuer.token(**claims, cnf={"jkt": holder.thumbprint})
    headers = {"accept": "application/graphql-response+json", "accept-language": "en"}
    async for gateway in running(load_settings(environment)):
        good = headers | {"authorization": f"DPoP {token}", "dpop": holder.proof(token)}
        answer = await gateway.post("{ me }", good)
        assert (answer.status_code, answer.json()) == (200, {"data": {"me": "system-1 en"}})
        for bad, why, error in (
            (good, USED, "invalid_dpop_proof"),
            (headers | {"authorization": f"Bearer {token}"}, AS_DPOP, "invalid_token"),
        ):
            answer = await gateway.post("{ me }", bad)
            assert (answer.status_code, answer.json()["errors"][0]["message"]) == (401, why)
            assert answer.headers["www-authenticate"] == f'DPoP error="{error}", algs="ES256 EdDSA RS256"'
        plain = await gateway.post("{ me }", issuer.bearer(**claims) | {"accept-language": "en"})
        assert plain.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}


def test_settings_that_do_not_fit_are_named_one_line_each(environment: dict[str, str]) -> None:
    settings = load_settings(environment)
    assert (settings.sender_constrained, settings.token_max_life_seconds, settings.oidc_keys_grace_seconds) == (
        "off",
        43_200,
        600,
    )
    with pytest.raises(SettingsError) as refused:
        load_settings(
            environment
            | {
                "YIBAO_SENDER_CONSTRAINED": "mtls",
                "YIBAO_TOKEN_MAX_LIFE_SECONDS": "0",
                "YIBAO_TOKEN_TYPE": "jwt+at",
                "YIBAO_OIDC_KEYS_GRACE_SECONDS": "forever",
                "YIBAO_OIDC_REVOCATIONS": "http://issuer.example/revoked",
                "YIBAO_OIDC_INTROSPECTION": "https://issuer.example/introspect",
                "YIBAO_OIDC_INTROSPECTION_SECRET": "s3cret",
                "YIBAO_SENDER_CONSTRAINT": "dpop",
            }
        )
    assert sorted(refused.value.lines) == [
        "YIBAO_OIDC_INTROSPECTION is wrong: needs YIBAO_OIDC_INTROSPECTION_CLIENT and YIBAO_OIDC_INTROSPECTION_SECRET",
        "YIBAO_OIDC_KEYS_GRACE_SECONDS is wrong: Input should be a valid integer, unable to parse string as an integer",
        "YIBAO_OIDC_REVOCATIONS is wrong: must be https://: keys that travel in clear can be replaced on the way",
        "YIBAO_SENDER_CONSTRAINED is wrong: mtls needs YIBAO_CLIENT_CERTIFICATE_HEADER",
        "YIBAO_SENDER_CONSTRAINT is unknown: did you mean YIBAO_SENDER_CONSTRAINED?",
        "YIBAO_TOKEN_MAX_LIFE_SECONDS is wrong: Input should be greater than or equal to 60",
        "YIBAO_TOKEN_TYPE is wrong: Input should be 'JWT' or 'at+jwt'",
    ]
    with pytest.raises(SettingsError, match="CERTIFICATE_HEADER is wrong: must be the name of a header"):
        load_settings(environment | {"YIBAO_CLIENT_CERTIFICATE_HEADER": "X Client"})
    given = {"YIBAO_OIDC_INTROSPECTION_CLIENT": "yibao", "YIBAO_OIDC_INTROSPECTION_SECRET": "s3cret"}
    given |= {"YIBAO_OIDC_INTROSPECTION": "https://issuer.example/introspect"}
    settings = load_settings(environment | given)
    assert (settings.oidc_introspection_secret, "s3cret" in repr(settings)) == ("s3cret", False)
