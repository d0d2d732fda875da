"""The worker's two HTTP clients, at a server that answers as it is told to: in bounded time, by their own errors."""

import asyncio
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from activities import notices
from activities.bank import Answer, BankAwayError, BankStatus, NotAnsweredError, http
from activities.bank.http import HttpBank
from activities.bank.initiation import order_of
from activities.notices import HttpNotices, NotTakenError
from stack.processes import free_port
from tests.activities.bank_messages import order
from tests.activities.wire import CLOSE, SILENCE, Server, listening
from tests.cases import open_bank
from workflows.notices import Notice

ORDER = order("ZY-1-01")
UNKNOWN = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
OVERLOADED = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
ELSEWHERE = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
CUT_SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{"
NO_HTTP = b"no HTTP at all\r\n\r\n"
NOTICE = Notice(transfer_id=UUID(int=7), transfer_no="ZY-1", seq=2, recipient="person", kind="accepted")
OUTBOX_OTHERWISE = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"messages": 1}'


def _taken() -> bytes:
    said = b'{"taken":["%s"]}' % NOTICE.id.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (http, notices):
        monkeypatch.setattr(module, "SECONDS", 0.3)


@asynccontextmanager
async def bank_at(server: Server) -> AsyncIterator[HttpBank]:
    async with listening(server) as address, open_bank(f"http://{address}") as bank:
        yield bank


@asynccontextmanager
async def notices_at(server: Server, path: str = "") -> AsyncIterator[HttpNotices]:
    async with listening(server) as address, aclosing(HttpNotices(f"http://yibao:s%2Fcret@{address}{path}")) as port:
        yield port


async def test_what_the_bank_is_asked_goes_over_one_kept_connection() -> None:
    server = Server(UNKNOWN, ACCEPTED, UNKNOWN)
    async with bank_at(server) as bank:
        assert await bank.status("ZY/1%2F:") == Answer(BankStatus.UNKNOWN)
        await bank.hand_in(ORDER)
        assert await bank.status(ORDER.reference) == Answer(BankStatus.UNKNOWN)
    [(first, handed_in, last)] = server.requests
    assert first.startswith(b"GET /orders/ZY%2F1%252F%3A HTTP/1.1\r\nHost: 127.0.0.1:")
    assert handed_in.startswith(b"PUT /orders/ZY-1-01 HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/xml\r\n" in handed_in
    assert order_of(handed_in.partition(b"\r\n\r\n")[2]) == ORDER
    assert last.startswith(b"GET /orders/ZY-1-01 HTTP/1.1\r\n")


async def test_what_the_bank_is_asked_at_once_waits_for_nothing() -> None:
    server = Server(UNKNOWN, UNKNOWN, UNKNOWN)
    async with bank_at(server) as bank:
        await asyncio.gather(bank.status("1"), bank.status("2"))
        await bank.status("3")
    assert sorted(len(each) for each in server.requests) == [1, 2]


async def test_a_connection_that_the_bank_has_closed_is_not_used_again() -> None:
    server = Server(UNKNOWN + CLOSE, UNKNOWN)
    async with bank_at(server) as bank:
        await bank.status("1")
        await asyncio.sleep(0.05)
        await bank.status("2")
    assert [len(each) for each in server.requests] == [1, 1]


async def test_an_order_that_breaks_off_once_is_handed_in_again_at_once() -> None:
    server = Server(CLOSE, ACCEPTED)
    async with bank_at(server) as bank:
        await bank.hand_in(ORDER)
    (first,), (second,) = server.requests
    assert first == second


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([CLOSE, CLOSE], "ServerDisconnectedError"),
        ([CUT_SHORT + CLOSE], "ClientPayloadError"),
        ([NO_HTTP + CLOSE], "ClientResponseError"),
        ([OVERLOADED], "the bank answered 503"),
        ([ELSEWHERE], "the bank answered 307"),
    ],
)
async def test_an_answer_that_is_none_is_said_so_and_the_next_one_holds(answers: list[bytes], said: str) -> None:
    server = Server(*answers, UNKNOWN, *answers, UNKNOWN)
    async with bank_at(server) as bank:
        asks: list[Callable[[], Awaitable[Any]]] = [partial(bank.status, ORDER.reference), partial(bank.hand_in, ORDER)]
        for ask in asks:
            with pytest.raises(NotAnsweredError, match=said):
                await ask()
            assert await bank.status(ORDER.reference) == Answer(BankStatus.UNKNOWN)
    assert sum(len(each) for each in server.requests) == 2 * len(answers) + 2


async def test_an_outbox_that_is_not_as_agreed_is_no_answer() -> None:
    async with bank_at(Server(OUTBOX_OTHERWISE)) as bank:
        with pytest.raises(NotAnsweredError, match="the outbox is not as agreed: 1 faults"):
            await bank.messages("", 1)


async def test_an_answer_that_does_not_come_in_time_is_given_up_with_its_connection() -> None:
    server = Server(SILENCE, UNKNOWN)
    async with bank_at(server) as bank:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await bank.status("1")
        # The 5 s of the port itself, which the fixture has shortened, would be waited out otherwise.
        assert 0.2 < time.monotonic() - began < 4
        assert await bank.status("2") == Answer(BankStatus.UNKNOWN)
    assert [len(each) for each in server.requests] == [1, 1]


async def test_half_an_answer_that_does_not_end_in_time_is_given_up_too() -> None:
    async with bank_at(Server(CUT_SHORT)) as bank:
        with pytest.raises(TimeoutError):
            await bank.status("1")


async def test_nobody_at_the_address_is_a_bank_away() -> None:
    port = free_port()
    async with open_bank(f"http://127.0.0.1:{port}") as bank:
        with pytest.raises(BankAwayError, match=f"127.0.0.1:{port}"):
            await bank.status("1")


async def test_a_bank_whose_certificate_is_not_trusted_is_a_bank_away(tmp_path: Path) -> None:
    trusted_by_nobody = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trusted_by_nobody.load_cert_chain(_certificate_of_its_own(tmp_path))
    server = Server()
    async with (
        await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=trusted_by_nobody) as opened,
        open_bank(f"https://127.0.0.1:{opened.sockets[0].getsockname()[1]}") as bank,
    ):
        with pytest.raises(BankAwayError, match="certificate verify failed"):
            await bank.hand_in(ORDER)
    assert [asked for each in server.requests for asked in each] == []


def _certificate_of_its_own(folder: Path) -> Path:
    """A certificate that has signed itself, and its key."""
    key, name = generate_private_key(SECP256R1()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bank")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, SHA256())
    )
    file = folder / "bank.pem"
    unsealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(unsealed + certificate.public_bytes(Encoding.PEM))
    return file


async def test_a_bank_is_found_below_a_path_and_given_its_password() -> None:
    server = Server(UNKNOWN)
    async with listening(server) as address, open_bank(f"http://yibao:s%2Fcret@{address}/bank/") as bank:
        await bank.status("1")
    [[asked]] = server.requests
    assert asked.startswith(b"GET /bank/orders/1 HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Basic " + b64encode(b"yibao:s/cret") + b"\r\n" in asked


# ---------------------------------------------------------------- notices


async def test_notices_are_handed_over_with_the_password_of_the_address() -> None:
    server = Server(_taken())
    async with notices_at(server, "/board/") as port:
        assert await port.put([NOTICE]) == {}
    [[asked]] = server.requests
    assert asked.startswith(b"PUT /board/notices HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Basic " + b64encode(b"yibao:s/cret") + b"\r\n" in asked


@pytest.mark.parametrize(
    ("answers", "raised", "said"),
    [
        ([CLOSE, CLOSE], aiohttp.ServerDisconnectedError, "Server disconnected"),
        ([CUT_SHORT + CLOSE], aiohttp.ClientPayloadError, "not completed"),
        ([NO_HTTP + CLOSE], NotTakenError, "the receiver answered, and not in HTTP"),
        ([OVERLOADED], NotTakenError, "the receiver answered 503"),
        ([ELSEWHERE], NotTakenError, "the receiver answered 307"),
        ([SILENCE], TimeoutError, "^$"),
    ],
)
async def test_notices_that_were_not_taken_say_why_and_nothing_of_the_address(
    answers: list[bytes], raised: type[Exception], said: str
) -> None:
    server = Server(*answers, _taken())
    async with notices_at(server, "/secret-path") as port:
        with pytest.raises(raised, match=said) as error:
            await port.put([NOTICE])
        assert "cret" not in str(error.value)
        assert await port.put([NOTICE]) == {}
    assert sum(len(each) for each in server.requests) == len(answers) + 1


async def test_a_receiver_who_is_not_there_is_named_by_its_host_alone() -> None:
    port = free_port()
    async with aclosing(HttpNotices(f"http://yibao:s%2Fcret@127.0.0.1:{port}/secret-path")) as away:
        with pytest.raises(OSError, match=f"127.0.0.1:{port}") as error:
            await away.put([NOTICE])
    assert "cret" not in str(error.value)
