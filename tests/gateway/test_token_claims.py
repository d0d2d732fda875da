"""Headers and claims of any type, all signed with the right key: each is a viewer or a refusal that says why."""

import json
import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.auth import Authenticator, TokenRules, Viewer
from gateway.faults import Unauthenticated, Unavailable
from gateway.jwks import KeySet
from tests.gateway.conftest import AUDIENCE, ISSUER, RESIDENT_ID, Gateway, Issuer
from tests.gateway.tokens import Clocked, good_header, signed
from workflows.vocabulary import Role

BAD_HEADERS: list[tuple[Any, str]] = [
    ({"alg": ["x"]}, "The alg in the token's header must be a string"),
    ({"alg": {}}, "The alg in the token's header must be a string"),
    ({"alg": 7}, "The alg in the token's header must be a string"),
    ({"alg": True}, "The alg in the token's header must be a string"),
    ({}, "The token's header lacks alg"),
    ({"alg": "RS512"}, "The token is not signed with an allowed algorithm: RS512"),
    ({"alg": "\u0000"}, "The token is not signed with an allowed algorithm: ?"),
    ({"alg": "EdDSA", "kid": 5}, "The kid in the token's header must be a string"),
    ({"alg": "EdDSA", "kid": ["a"]}, "The kid in the token's header must be a string"),
    ({"alg": "EdDSA", "typ": {"JWT": 1}}, "The typ in the token's header must be a string"),
    ({"alg": "EdDSA", "typ": "logout+jwt"}, "The token's typ must be JWT or at+jwt"),
    ({"alg": "EdDSA", "typ": "dpop+jwt"}, "The token's typ must be JWT or at+jwt"),
    ({"alg": "EdDSA", "crit": ["exp"]}, "The token demands an extension that is not supported here (crit)"),
    ({"alg": "EdDSA", "jwk": "x"}, "The jwk in the token's header must be an object"),
    (b'{"alg": NaN}', "The token is malformed: not a JWT"),
    (b'{"alg": "EdDSA", "kid": "\\ud800"}', "The token is malformed: not a JWT"),
    (b'{"alg": "EdDSA", "x": "\xff"}', "The token is malformed: not a JWT"),
    (b"[" * 2000 + b"]" * 2000, "The token is malformed: not a JWT"),
    (b'["EdDSA"]', "The token is malformed: not a JWT"),
    (b"", "The token is malformed: not a JWT"),
]
NOT_JSON = "The token's payload is not valid JSON (RFC 8259)"
SUBJECT = "The token's sub must be a string of 1 to 255 characters without control characters"
SIX_DIGITS = "The token's region must be a pooling region's code of six digits"
CONFIRMATION = "The token's cnf binds it to what cannot be checked here: only jkt and x5t#S256 can"
NOT_TIMES: list[Any] = [True, "1760000000", -1, 1e300, [1], {}]
BAD_CLAIMS: list[tuple[dict[str, Any], str]] = [
    *[({name: value}, f"The token's {name} is not a time") for name in ("exp", "iat", "nbf") for value in NOT_TIMES],
    ({"sub": 7}, SUBJECT),
    ({"sub": ["clerk-1"]}, SUBJECT),
    ({"sub": "a\nb"}, SUBJECT),
    ({"sub": "a\u0000"}, SUBJECT),
    ({"sub": "a\u0085b"}, SUBJECT),
    ({"sub": "a" * 256}, SUBJECT),
    ({"iss": [ISSUER]}, "The token's iss must be a string"),
    ({"aud": {"a": AUDIENCE}}, "The token's aud must be a string or a list of strings"),
    ({"aud": [AUDIENCE, 1]}, "The token's aud must be a string or a list of strings"),
    ({"aud": []}, f"The token is for another audience; expected {AUDIENCE}"),
    ({"roles": {"CLERK": 1}}, "The token's roles must be a list"),
    ({"roles": ["CLERK", 1]}, "The token's roles must be a list of strings"),
    ({"roles": [["CLERK"]]}, "The token's roles must be a list of strings"),
    ({"region": ["310100"]}, "The token's region must be a string"),
    ({"region": "31010"}, SIX_DIGITS),
    ({"region": "310100\n"}, SIX_DIGITS),
    ({"region": "３１０１００"}, SIX_DIGITS),
    ({"region": ""}, SIX_DIGITS),
    ({"resident_id": 110101199003077213}, "The token's resident_id must be a string"),
    ({"jti": 5}, "The token's jti must be a string"),
    ({"jti": ""}, "The token's jti is empty"),
    ({"jti": "j" * 256}, "The token's jti has more than 255 characters"),
    ({"cnf": "x"}, CONFIRMATION),
    ({"cnf": {"jwk": {}}}, CONFIRMATION),
    ({"cnf": {"jkt": 1}}, CONFIRMATION),
    ({"cnf": {}}, "The token's cnf names nothing that the token is bound to"),
]
BAD_PAYLOADS: list[tuple[bytes, str]] = [
    (b'{"exp": NaN', NOT_JSON),
    (b'{"exp": Infinity', NOT_JSON),
    (b'{"exp": -Infinity', NOT_JSON),
    (b'{"exp": 1e400', NOT_JSON),
    (b'{"exp": 1' + b"0" * 400, NOT_JSON),
    (b'{"exp": 18446744073709551616', "The token's exp is not a time"),
    (b'{"region": "\\ud800"', NOT_JSON),
    (b'{"sub": "\\udfff"', NOT_JSON),
    (b'{"sub": "\xff"', NOT_JSON),
    (b'{"x": ' + b"[" * 2000 + b"]" * 2000, NOT_JSON),
]


@pytest.mark.parametrize(("header", "why"), BAD_HEADERS)
async def test_a_header_of_another_form_is_refused_and_says_why(
    issuer: Issuer, tmp_path: Path, header: Any, why: str
) -> None:
    clocked = Clocked(tmp_path, issuer)
    claims = issuer.claims()
    assert await clocked.why(signed(issuer, header, claims)) == why
    assert await clocked.subject(signed(issuer, good_header(issuer), claims)) == "clerk-1"


@pytest.mark.parametrize(("claims", "why"), BAD_CLAIMS)
async def test_a_claim_of_another_type_is_refused_and_says_why(
    issuer: Issuer, tmp_path: Path, claims: dict[str, Any], why: str
) -> None:
    clocked = Clocked(tmp_path, issuer)
    assert await clocked.why(signed(issuer, good_header(issuer), issuer.claims() | claims)) == why


@pytest.mark.parametrize(("start", "why"), BAD_PAYLOADS)
async def test_a_payload_that_is_not_strict_json_is_refused(
    issuer: Issuer, tmp_path: Path, start: bytes, why: str
) -> None:
    (name,) = json.loads(start.split(b":")[0] + b": 1}")
    rest = json.dumps(issuer.claims(**{name: None})).encode()
    token = signed(issuer, good_header(issuer), start + b", " + rest[1:])
    assert await Clocked(tmp_path, issuer).why(token) == why


@pytest.mark.parametrize("payload", [b"[]", b"null", b'"x"', b"1"])
async def test_claims_are_an_object(issuer: Issuer, tmp_path: Path, payload: bytes) -> None:
    token = signed(issuer, good_header(issuer), payload)
    assert await Clocked(tmp_path, issuer).why(token) == "The token's payload must be a JSON object"


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt", None])
async def test_the_types_of_access_tokens_are_taken_whatever_their_case(
    issuer: Issuer, tmp_path: Path, typ: str | None
) -> None:
    token = signed(issuer, good_header(issuer, typ=typ), issuer.claims())
    assert await Clocked(tmp_path, issuer).subject(token) == "clerk-1"


async def test_a_configured_type_is_the_only_one(issuer: Issuer, tmp_path: Path) -> None:
    clocked = Clocked(tmp_path, issuer, {"rules": TokenRules(token_type="at+jwt")})
    assert await clocked.subject(signed(issuer, good_header(issuer, typ="at+JWT"), issuer.claims())) == "clerk-1"
    for typ in ("JWT", None):
        token = signed(issuer, good_header(issuer, typ=typ), issuer.claims())
        assert await clocked.why(token) == "The token's typ must be at+jwt"


async def test_what_is_optional_may_be_null_and_the_longest_subject_is_taken(issuer: Issuer, tmp_path: Path) -> None:
    claims = issuer.claims() | dict.fromkeys(["iat", "nbf", "resident_id", "jti", "cnf"]) | {"sub": "é" * 255}
    assert await Clocked(tmp_path, issuer).subject(signed(issuer, good_header(issuer), claims)) == "é" * 255


async def test_a_token_that_lives_too_long_is_refused(issuer: Issuer, tmp_path: Path) -> None:
    clocked = Clocked(tmp_path, issuer, {"rules": TokenRules(max_life_seconds=3600)})
    now = int(clocked.now)
    why = "The token lives longer than 3600 seconds: ask for one that ends sooner"
    # A minute of skew is allowed, as for every other time.
    assert await clocked.subject(clocked.token(exp=now + 3660)) == "clerk-1"
    assert await clocked.why(clocked.token(exp=now + 3662)) == why
    assert await clocked.subject(clocked.token(iat=None, exp=now + 3660)) == "clerk-1"
    assert await clocked.why(clocked.token(iat=None, exp=now + 3662)) == why
    # Nearly over, and too long all the same.
    assert await clocked.why(clocked.token(iat=now - 7200, exp=now + 10)) == why


async def test_a_token_of_twelve_hours_is_taken_by_default(issuer: Issuer, tmp_path: Path) -> None:
    clocked = Clocked(tmp_path, issuer)
    now = int(clocked.now)
    assert await clocked.subject(clocked.token(exp=now + 43_200)) == "clerk-1"
    assert await clocked.why(clocked.token(exp=now + 43_300)) == (
        "The token lives longer than 43200 seconds: ask for one that ends sooner"
    )


async def test_a_region_that_the_directory_does_not_list_is_no_region(issuer: Issuer, tmp_path: Path) -> None:
    async def directory() -> set[str]:
        return {"310100", "330100"}

    clocked = Clocked(tmp_path, issuer, {"regions": directory})
    why = "The token's region is not in the directory of pooling regions"
    assert await clocked.subject(clocked.token()) == "clerk-1"
    assert await clocked.why(clocked.token(region="999999")) == why
    assert await clocked.why(clocked.token(region="330000")) == why
    # A bureau's region is a province, whose code is no pooling region's.
    assert await clocked.subject(clocked.token(region="330000", roles=["SUPERVISOR"])) == "clerk-1"
    assert await clocked.why(clocked.token(region="330000", roles=["SUPERVISOR", "CLERK"])) == why
    assert await clocked.why(clocked.token(region="990000", roles=["SUPERVISOR"])) == why
    person = clocked.token(region="999999", roles=["INSURED_PERSON"], resident_id=RESIDENT_ID)
    assert (await clocked.authenticator.viewer(f"Bearer {person}")).region is None


async def test_without_the_directory_a_region_is_neither_taken_nor_refused(issuer: Issuer, tmp_path: Path) -> None:
    async def directory() -> set[str]:
        raise ConnectionRefusedError

    clocked = Clocked(tmp_path, issuer, {"regions": directory})
    for region in ("310100", "999999"):
        with pytest.raises(Unavailable):
            await clocked.subject(clocked.token(region=region))
    # A forged token never gets as far.
    assert await clocked.why(Issuer().token()) == "The token is not signed by a key known to its issuer"


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CLAIM_NAMES = ["iss", "aud", "sub", "exp", "iat", "nbf", "roles", "region", "resident_id", "jti", "cnf", "act"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "b64", "cty", "x5c"]), JSON_VALUES),
    claims=st.dictionaries(st.sampled_from(CLAIM_NAMES), JSON_VALUES),
    with_good_header=st.booleans(),
)
async def test_any_json_as_header_and_claims_is_a_viewer_or_unauthenticated(
    issuer: Issuer, tmp_path: Path, header: dict[str, Any], claims: dict[str, Any], with_good_header: bool
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(issuer.jwks))
    authenticator = Authenticator(ISSUER, AUDIENCE, KeySet(ISSUER, str(path)))
    # Mostly one claim that is wrong among good ones: what all is wrong never gets past the first check.
    token = signed(
        issuer, good_header(issuer) if with_good_header else good_header(issuer) | header, issuer.claims() | claims
    )
    with suppress(Unauthenticated):
        viewer = await authenticator.viewer(f"Bearer {token}")
        assert isinstance(viewer, Viewer)
        assert viewer.issuer == ISSUER
        assert all(isinstance(role, Role) for role in viewer.roles)


HOSTILE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"alg": ["x"]}, {}),
    ({"alg": {}}, {}),
    ({"alg": "EdDSA"}, {"exp": float("nan")}),
    ({"alg": "EdDSA"}, {"exp": float("inf")}),
    ({"alg": "EdDSA"}, {"exp": 10**400}),
    ({"alg": "EdDSA"}, {"region": "\ud800"}),
]


async def test_over_http_sse_and_at_the_codec_a_hostile_token_is_unauthenticated_and_leaves_no_traceback(
    gateway: Gateway, issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    for header, changes in HOSTILE:
        token = signed(issuer, good_header(issuer) | header, issuer.claims() | changes)
        headers = {"authorization": f"Bearer {token}", "accept": "application/graphql-response+json"}
        with caplog.at_level(logging.DEBUG):
            answer = await gateway.post("{ greeting }", headers)
            stream = await gateway.post("{ greeting }", headers | {"accept": "text/event-stream"})
            codec = await gateway.client.post("/codec/decode", json={}, headers=headers)
        assert (answer.status_code, answer.json()["errors"][0]["extensions"]) == (401, {"code": "UNAUTHENTICATED"})
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert '"extensions":{"code":"UNAUTHENTICATED"}' in stream.text
        assert (codec.status_code, codec.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert [record for record in caplog.records if record.exc_info] == []


async def test_the_gateway_holds_a_region_against_its_directory(gateway: Gateway, issuer: Issuer) -> None:
    english = {"accept-language": "en"}
    answer = await gateway.post("{ me }", issuer.bearer() | english)
    assert answer.json() == {"data": {"me": "clerk-1 en"}}
    (error,) = (await gateway.post("{ me }", issuer.bearer(region="000000") | english)).json()["errors"]
    assert (error["message"], error["extensions"]) == (
        "The token's region is not in the directory of pooling regions",
        {"code": "UNAUTHENTICATED"},
    )


async def test_a_token_of_more_than_eight_kilobytes_is_not_read(issuer: Issuer, tmp_path: Path) -> None:
    clocked = Clocked(tmp_path, issuer)
    assert await clocked.subject(clocked.token(x="y" * 5500)) == "clerk-1"
    assert await clocked.why(clocked.token(x="y" * 6500)) == "The token is too long"
