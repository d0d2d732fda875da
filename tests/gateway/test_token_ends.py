"""What ends a token before it expires: its key leaves the issuer's set, or the issuer revokes it."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from gateway.faults import Unavailable
from gateway.jwks import KeySet, KeySetUnavailableError
from gateway.revocation import Introspection, RevocationList
from gateway.settings import load_settings
from tests.gateway.conftest import ISSUER, Issuer, running
from tests.gateway.tokens import Clocked

WITHDRAWN = "The token's key is no longer its issuer's; sign in again"
UNKNOWN_KEY = "The token is not signed by a key known to its issuer"
REVOKED = "The token has been revoked; sign in again"


def answered_by(monkeypatch: pytest.MonkeyPatch, answer: Callable[[httpx.Request], httpx.Response]) -> None:
    """Every HTTP client that is made from now on is answered by `answer`."""
    real = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **options: real(transport=httpx.MockTransport(answer), **options))


async def test_a_key_that_leaves_the_set_ends_its_tokens_within_a_minute(issuer: Issuer, tmp_path: Path) -> None:
    clocked, newer = Clocked(tmp_path, issuer), Issuer()
    clocked.publish(issuer, newer)
    old, new = clocked.token(), newer.token(exp=int(clocked.now) + 3600)
    assert await clocked.subject(old) == "clerk-1"
    assert await clocked.subject(new) == "clerk-1"
    clocked.publish(newer)
    clocked.now += 46
    assert await clocked.why(old) == WITHDRAWN
    # It is forgotten, and verified again like any other.
    assert await clocked.why(old) == UNKNOWN_KEY
    assert await clocked.subject(new) == "clerk-1"


async def test_an_issuer_that_publishes_no_key_any_more_ends_every_token(issuer: Issuer, tmp_path: Path) -> None:
    clocked = Clocked(tmp_path, issuer)
    token = clocked.token()
    assert await clocked.subject(token) == "clerk-1"
    clocked.publish()
    clocked.now += 46
    assert await clocked.why(token) == WITHDRAWN


async def test_a_key_under_a_new_id_is_the_same_key_and_another_under_the_old_id_is_not(
    issuer: Issuer, tmp_path: Path
) -> None:
    clocked, other = Clocked(tmp_path, issuer), Issuer()
    token = clocked.token()
    assert await clocked.subject(token) == "clerk-1"
    (jwk,) = issuer.jwks["keys"]
    clocked.key_file.write_text(json.dumps({"keys": [jwk | {"kid": "renamed"}]}))
    clocked.now += 46
    assert await clocked.subject(token) == "clerk-1"
    (swapped,) = other.jwks["keys"]
    clocked.key_file.write_text(json.dumps({"keys": [swapped | {"kid": issuer.kid}]}))
    clocked.now += 46
    assert await clocked.why(token) == WITHDRAWN


async def test_the_cached_path_asks_nobody_for_ten_seconds(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocked = Clocked(tmp_path, issuer)
    header = f"Bearer {clocked.token()}"
    first = await clocked.authenticator.viewer(header)
    asked: list[str] = []

    async def holds(_keys: KeySet, key: str) -> bool:
        asked.append(key)
        return True

    monkeypatch.setattr(KeySet, "holds", holds)
    clocked.now += 9
    assert await clocked.authenticator.viewer(header) is first
    assert asked == []
    clocked.now += 2
    assert await clocked.authenticator.viewer(header) is first
    assert await clocked.authenticator.viewer(header) is first
    assert len(asked) == 1


@pytest.mark.parametrize("broken", ["", "[]", "{}", '{"keys": 1}', "nonsense", "[" * 100_000])
async def test_while_the_issuer_is_away_known_keys_are_good_for_a_bounded_time(
    issuer: Issuer, tmp_path: Path, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    clocked = Clocked(tmp_path, issuer, grace_seconds=600)
    token, fresh = clocked.token(), clocked.token(sub="clerk-2")
    assert await clocked.subject(token) == "clerk-1"
    assert (clocked.authenticator.lacks, clocked.authenticator.warnings) == ([], [])
    clocked.key_file.write_text(broken)
    began = clocked.now
    for after in (46, 120, 599):
        clocked.now = began + after
        with caplog.at_level(logging.WARNING):
            assert await clocked.subject(token) == "clerk-1"
            assert await clocked.subject(fresh) == "clerk-2"
        (warning,) = clocked.authenticator.warnings
        assert warning.endswith(f"those known stay good for {600 - after} s more")
    # Said once, not at every try.
    assert len([each for each in caplog.records if "keys cannot be had" in each.message]) == 1
    clocked.now = began + 610
    for each in (token, fresh):
        with pytest.raises(Unavailable):
            await clocked.subject(each)
    assert clocked.authenticator.warnings == []
    (lacks,) = clocked.authenticator.lacks
    assert lacks.startswith("the issuer's keys cannot be had (")
    clocked.publish(issuer)
    clocked.now += 11
    assert await clocked.subject(token) == "clerk-1"
    assert (clocked.authenticator.lacks, clocked.authenticator.warnings) == ([], [])


async def test_a_key_that_cannot_be_read_does_not_spoil_the_others(issuer: Issuer, tmp_path: Path) -> None:
    clocked = Clocked(tmp_path, issuer)
    strange: list[Any] = [1, None, [], {}, {"kty": 5}, {"kty": "RSA", "n": 1, "e": []}, {"kty": "EC", "crv": {}}]
    clocked.key_file.write_text(json.dumps({"keys": [*strange, *issuer.jwks["keys"]]}))
    assert await clocked.subject(clocked.token()) == "clerk-1"


async def test_many_callers_ask_the_issuer_once_and_none_waits_while_it_is_away(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    away = False

    def answer(_request: httpx.Request) -> httpx.Response:
        asked.append(1)
        return httpx.Response(503) if away else httpx.Response(200, json=issuer.jwks)

    answered_by(monkeypatch, answer)
    now = 0.0
    keys = KeySet(ISSUER, "https://issuer.example/keys", clock=lambda: now)

    found = await asyncio.gather(*(keys.find(issuer.kid, "EdDSA") for _ in range(50)))
    (key,) = {each[0] for each in found if each is not None}
    assert (len(found), len(asked)) == (50, 1)
    away, now = True, 31.0
    assert await asyncio.gather(*(keys.holds(key) for _ in range(50))) == [True] * 50
    assert len(asked) == 2
    now = 700.0
    with pytest.raises(KeySetUnavailableError):
        await keys.holds(key)


async def test_who_has_a_known_key_does_not_wait_for_an_issuer_that_is_away(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = asyncio.Event()
    answers: list[httpx.Response | None] = [httpx.Response(200, json=issuer.jwks), httpx.Response(503), None]

    async def answer(_request: httpx.Request) -> httpx.Response:
        response = answers.pop(0)
        if response is None:
            await hangs.wait()
        return response or httpx.Response(503)

    real = httpx.AsyncClient
    monkeypatch.setattr(httpx, "AsyncClient", lambda **options: real(transport=httpx.MockTransport(answer), **options))
    now = 0.0
    keys = KeySet(ISSUER, "https://issuer.example/keys", clock=lambda: now)
    found = await keys.find(issuer.kid, "EdDSA")
    assert found is not None
    for later in (31.0, 62.0):
        now = later
        assert await asyncio.wait_for(keys.holds(found[0]), 1)
    await asyncio.sleep(0)
    assert answers == []
    hangs.set()


async def test_readiness_says_that_the_issuer_is_away(environment: dict[str, str], issuer: Issuer) -> None:
    key_file = Path(environment["YIBAO_OIDC_JWKS"])
    async for gateway in running(load_settings(environment)):
        key_file.write_text("gone")
        answer = await gateway.post("{ me }", issuer.bearer() | {"accept-language": "en"})
        (error,) = answer.json()["errors"]
        assert error["extensions"] == {"code": "UNAVAILABLE", "retryAfterSeconds": 5}
        ready = await gateway.management.get("/readyz")
        assert ready.status_code == 503
        assert "the issuer's keys cannot be had (JSONDecodeError)" in ready.json()["missing"]


def revocations(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "revoked.json"
    path.write_text(json.dumps({"revoked": list(entries)}))
    return path


async def test_a_revoked_token_ends_within_thirty_seconds(issuer: Issuer, tmp_path: Path) -> None:
    path = revocations(tmp_path)
    clocked = Clocked(tmp_path, issuer)
    clocked = Clocked(tmp_path, issuer, {"revocations": [RevocationList(str(path), clock=lambda: clocked.now)]})
    issued = int(clocked.now)
    by_id, of_subject = clocked.token(jti="t-1"), clocked.token(sub="clerk-2")
    without_iat, other = clocked.token(sub="clerk-2", iat=None), clocked.token(jti="t-2")
    for token in (by_id, of_subject, without_iat, other):
        await clocked.subject(token)
    revocations(tmp_path, {"jti": "t-1"}, {"sub": "clerk-2", "not_before": issued + 1})
    clocked.now += 26
    for token in (by_id, of_subject, without_iat):
        assert await clocked.why(token) == REVOKED
        # Neither from the cache nor when it is verified again.
        assert await clocked.why(token) == REVOKED
    assert await clocked.subject(other) == "clerk-1"
    # What the subject is issued from that instant on is good.
    assert await clocked.subject(clocked.token(sub="clerk-2", iat=issued + 1)) == "clerk-2"
    revocations(tmp_path, {"sub": "clerk-2"})
    clocked.now += 26
    assert await clocked.why(clocked.token(sub="clerk-2", iat=issued + 1)) == REVOKED
    assert await clocked.subject(by_id) == "clerk-1"


@pytest.mark.parametrize(
    "broken",
    ["", "[]", '{"revoked": [{}]}', '{"revoked": [{"jti": 1}]}', '{"revoked": [{"sub": "a", "not_before": "x"}]}'],
)
async def test_a_list_that_cannot_be_read_leaves_the_last_one_in_force_and_then_no_token_is_good(
    issuer: Issuer, tmp_path: Path, broken: str
) -> None:
    path = revocations(tmp_path, {"jti": "t-1"})
    clocked = Clocked(tmp_path, issuer)
    clocked = Clocked(tmp_path, issuer, {"revocations": [RevocationList(str(path), clock=lambda: clocked.now)]})
    revoked, good = clocked.token(jti="t-1"), clocked.token(jti="t-2")
    assert await clocked.why(revoked) == REVOKED
    assert await clocked.subject(good) == "clerk-1"
    path.write_text(broken)
    clocked.now += 500
    assert await clocked.why(revoked) == REVOKED
    assert await clocked.subject(good) == "clerk-1"
    clocked.now += 200
    with pytest.raises(Unavailable, match="cannot be found out now"):
        await clocked.subject(good)
    (lacks,) = [each for each in clocked.authenticator.lacks if "revoked" in each]
    assert lacks.startswith("the list of revoked tokens cannot be had (")


async def test_without_its_first_list_no_token_is_good(issuer: Issuer, tmp_path: Path) -> None:
    absent = RevocationList(str(tmp_path / "absent.json"))
    clocked = Clocked(tmp_path, issuer, {"revocations": [absent]})
    with pytest.raises(Unavailable):
        await clocked.subject(clocked.token())


class Endpoint:
    """An introspection endpoint (RFC 7662) that a test sets."""

    def __init__(self) -> None:
        self.answer: Any = {"active": True}
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        return httpx.Response(503) if self.answer is None else httpx.Response(200, json=self.answer)


async def test_the_issuer_is_asked_whether_a_token_is_active_at_most_once_a_minute(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint()
    answered_by(monkeypatch, endpoint)
    clocked = Clocked(tmp_path, issuer)
    asking = Introspection("https://issuer.example/introspect", "yibao", "s3cret", clock=lambda: clocked.now)
    clocked = Clocked(tmp_path, issuer, {"revocations": [asking]})
    token = clocked.token()
    for _ in range(4):
        assert await clocked.subject(token) == "clerk-1"
        clocked.now += 11
    (request,) = endpoint.asked
    assert parse_qs(request.content.decode()) == {"token": [token], "token_type_hint": ["access_token"]}
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"yibao:s3cret"
    endpoint.answer = {"active": False}
    clocked.now += 12
    assert await clocked.why(token) == REVOKED
    assert await clocked.why(token) == REVOKED


@pytest.mark.parametrize("answer", [None, {}, [], {"active": "true"}, {"active": 1}])
async def test_without_an_answer_of_the_issuer_no_token_is_good(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    endpoint = Endpoint()
    answered_by(monkeypatch, endpoint)
    clocked = Clocked(tmp_path, issuer)
    asking = Introspection("https://issuer.example/introspect", "yibao", "s3cret", clock=lambda: clocked.now)
    clocked = Clocked(tmp_path, issuer, {"revocations": [asking]})
    token = clocked.token()
    assert await clocked.subject(token) == "clerk-1"
    endpoint.answer = answer
    clocked.now += 60
    with pytest.raises(Unavailable, match="cannot be found out now"):
        await clocked.subject(token)
    assert len(clocked.authenticator.lacks) == 1
    # A forged token is refused without asking the issuer anything.
    before = len(endpoint.asked)
    assert await clocked.why(Issuer().token()) == UNKNOWN_KEY
    assert len(endpoint.asked) == before


async def test_a_stream_hears_of_the_end_of_its_token(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.auth.CHECK_AGAIN_SECONDS", 0.01)
    clocked = Clocked(tmp_path, issuer)
    viewer = await clocked.authenticator.viewer(f"Bearer {clocked.token()}")
    clocked.publish(Issuer())
    clocked.now += 46
    assert str(await clocked.authenticator.ended(viewer)) == WITHDRAWN
    clocked.publish(issuer)
    clocked.now = time.time() + 100
    viewer = await clocked.authenticator.viewer(f"Bearer {clocked.token(exp=int(clocked.now) + 10)}")
    clocked.now += 11
    assert str(await clocked.authenticator.ended(viewer)) == "The token has expired"
