"""A caller of the public API: GraphQL over HTTP, SSE and WebSocket, nothing else."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

USER_ERRORS = """
__typename ... on UserError { code message }
... on ValidationFailed { violations { path code message } }
... on NotEligible { refusalNo existing { no } findings { code class side message fix where legalBasis retryOn } }
"""
SUBMIT = f"""
mutation Submit($input: SubmitTransferInput!) {{ submitTransfer(input: $input) {{ {USER_ERRORS}
  ... on StepPending {{ retryAfterSeconds }}
  ... on SubmitTransferPayload {{ replayed transfer {{ id no status fundsStatus revision route acceptedAt }} }} }} }}
"""
STEP = """
mutation Step($input: %s!) { %s(input: $input) {
  __typename ... on UserError { code message }
  ... on ValidationFailed { violations { path code message } }
  ... on StepNotAllowed { allowedActions transfer { no status revision } }
  ... on StaleRevision { transfer { no status revision } }
  ... on StepPending { retryAfterSeconds }
  ... on StepPayload { replayed event { seq kind step message occurredAt transfer { no } }
                       transfer { id no status fundsStatus revision } } } }
"""
INPUT_OF = {
    "withdrawTransfer": "ReasonInput",
    "acceptTransfer": "TransferInput",
    "declineTransfer": "DeclineTransferInput",
    "stopCoverage": "StopCoverageInput",
    "reissueCertificate": "ReasonInput",
    "issueContactLetter": "TransferInput",
    "recordMail": "RecordMailInput",
    "deliverInformationForm": "DeliverInformationFormInput",
    "checkInformationForm": "TransferInput",
    "returnTransfer": "ReturnTransferInput",
    "requestCorrection": "RequestCorrectionInput",
    "remitPersonalAccount": "TransferInput",
    "providePayoutAccount": "PayoutAccountInput",
    "confirmReceipt": "ConfirmReceiptInput",
    "confirmContinuation": "TransferInput",
    "approveReverseRemittance": "RemittanceInput",
    "releaseRemittance": "RemittanceInput",
    "matchFunds": "MatchFundsInput",
    "terminateTransfer": "ReasonInput",
}
PROGRESS = """
subscription Progress($id: ID!, $after: Int! = 0) { transferProgress(transferId: $id, afterSeq: $after) {
  seq kind step message } }
"""


class UnavailableError(Exception):
    """The gateway said that nothing was taken: the same call may be made again."""


def new_key() -> str:
    return f"e2e-{secrets.token_hex(12)}"


@dataclass(frozen=True)
class Caller:
    http: httpx.AsyncClient
    gateway: str
    token: str | None
    language: str = "en"

    @property
    def headers(self) -> dict[str, str]:
        given = {"accept-language": self.language}
        return given | ({"authorization": f"Bearer {self.token}"} if self.token is not None else {})

    async def post(self, query: str, **variables: Any) -> httpx.Response:
        request = {"query": query, "variables": variables}
        return await self.http.post(f"{self.gateway}/graphql", json=request, headers=self.headers)

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The data of an answer without errors. Raises `UnavailableError`."""
        body = (await self.post(query, **variables)).json()
        if [error["extensions"]["code"] for error in body.get("errors", [])] == ["UNAVAILABLE"]:
            raise UnavailableError
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    async def fault(self, query: str, **variables: Any) -> str:
        """The code of the one top-level error of an answer that has no data."""
        body = (await self.post(query, **variables)).json()
        assert not any((body.get("data") or {}).values()), body
        (error,) = body["errors"]
        return str(error["extensions"]["code"])

    async def submit(self, **given: Any) -> dict[str, Any]:
        """The member of the union that `submitTransfer` answers with."""
        data = await self.ask(SUBMIT, input={"idempotencyKey": new_key()} | given)
        answer: dict[str, Any] = data["submitTransfer"]
        return answer

    async def step(self, mutation: str, transfer_id: str, **given: Any) -> dict[str, Any]:
        """The member of the union that a step answers with."""
        document = STEP % (INPUT_OF[mutation], mutation)
        data = await self.ask(document, input={"idempotencyKey": new_key(), "transferId": transfer_id} | given)
        answer: dict[str, Any] = data[mutation]
        return answer

    async def progress_sse(self, transfer_id: str, after_seq: int = 0) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a case over SSE, until the stream completes."""
        request = {"query": PROGRESS, "variables": {"id": transfer_id, "after": after_seq}}
        headers = self.headers | {"accept": "text/event-stream"}
        async with self.http.stream("POST", f"{self.gateway}/graphql", json=request, headers=headers) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            kind = ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    kind = line.removeprefix("event:").strip()
                elif line.startswith("data:") and kind == "next":
                    body = json.loads(line.removeprefix("data:"))
                    assert "errors" not in body, body
                    yield body["data"]["transferProgress"]
                if kind == "complete":
                    return

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[ClientConnection]:
        """A WebSocket of graphql-transport-ws that the gateway has acknowledged."""
        url = f"{self.gateway.replace('http', 'ws', 1)}/graphql"
        offered = [Subprotocol("graphql-transport-ws")]
        language = {"accept-language": self.language}
        async with connect(url, subprotocols=offered, additional_headers=language, proxy=None) as socket:
            payload = {"authorization": f"Bearer {self.token}"} if self.token else {}
            await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
            assert json.loads(await asyncio.wait_for(socket.recv(), 10)) == {"type": "connection_ack"}
            yield socket

    async def progress_ws(self, transfer_id: str, after_seq: int = 0) -> AsyncGenerator[dict[str, Any], None]:
        """The events of a case over a WebSocket, until the operation completes."""
        async with self.socket() as socket:
            variables = {"id": transfer_id, "after": after_seq}
            subscribe = {"id": "1", "type": "subscribe", "payload": {"query": PROGRESS, "variables": variables}}
            await socket.send(json.dumps(subscribe))
            while True:
                message = json.loads(await asyncio.wait_for(socket.recv(), 30))
                if message["type"] == "complete":
                    return
                assert message["type"] == "next", message
                assert "errors" not in message["payload"], message
                yield message["payload"]["data"]["transferProgress"]
