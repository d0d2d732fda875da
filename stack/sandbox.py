"""Agencies that do their work: each desk reads its worklist and takes the steps on it, over the public API alone."""

import secrets
from dataclasses import dataclass
from datetime import date
from typing import Any

from stack.api import Api

WORKLIST = """
query Worklist { viewer { worklist(first: 50) { edges { node {
  step { kind } transfer { id no allowedActions personalAccountBalance { fen } fundsStatus
                           remittances { reference amount { fen } } } } } } } }
"""
STEP = """
mutation Step($input: %(input)s!) { %(field)s(input: $input) {
  __typename ... on UserError { message } ... on StepPending { retryAfterSeconds } ... on StepPayload { event { seq } } } }
"""


@dataclass(frozen=True)
class Move:
    """How a step of the worklist is taken: the action that must be allowed, its mutation, and its input's type."""

    action: str
    field: str
    input: str


MOVES = {
    "ACCEPT_APPLICATION": Move("ACCEPT_TRANSFER", "acceptTransfer", "TransferInput"),
    "STOP_COVERAGE": Move("STOP_COVERAGE", "stopCoverage", "StopCoverageInput"),
    "DELIVER_INFORMATION_FORM": Move(
        "DELIVER_INFORMATION_FORM", "deliverInformationForm", "DeliverInformationFormInput"
    ),
    "REMIT_PERSONAL_ACCOUNT": Move("REMIT_PERSONAL_ACCOUNT", "remitPersonalAccount", "TransferInput"),
    "CONFIRM_CONTINUATION": Move("CONFIRM_CONTINUATION", "confirmContinuation", "TransferInput"),
    "CONFIRM_RECEIPT": Move("CONFIRM_RECEIPT", "confirmReceipt", "ConfirmReceiptInput"),
}


class Desk:
    """One person's desk at an agency; `today` is the date it works on."""

    def __init__(self, api: Api, today: date) -> None:
        self._api = api
        self._today = today

    async def work(self, only: str | None = None) -> list[str]:
        """Take every step of the worklist that this desk may take now; return them as "NO STEP".

        `only`: leave all cases but the one of this number alone.
        """
        data = await self._api.ask(WORKLIST)
        taken = []
        for edge in data["viewer"]["worklist"]["edges"]:
            step, transfer = edge["node"]["step"]["kind"], edge["node"]["transfer"]
            move = MOVES.get(step)
            if move is None or move.action not in transfer["allowedActions"] or only not in (None, transfer["no"]):
                continue
            if step == "CONFIRM_RECEIPT" and transfer["fundsStatus"] != "REMITTED":
                # The bank's advice of a credit comes after the money has left.
                continue
            await self._api.do(STEP % {"input": move.input, "field": move.field}, input=self._input(step, transfer))
            taken.append(f"{transfer['no']} {step}")
        return taken

    def _input(self, step: str, transfer: dict[str, Any]) -> dict[str, Any]:
        common = {"idempotencyKey": f"desk-{secrets.token_hex(12)}", "transferId": transfer["id"]}
        if step == "STOP_COVERAGE":
            return common | {"stoppedOn": self._today.isoformat()}
        if step == "CONFIRM_RECEIPT":
            order = transfer["remittances"][-1]
            return common | {
                "remittanceReference": order["reference"],
                "amount": order["amount"]["fen"],
                "bankReference": f"BK{secrets.token_hex(8)}",
                "receivedOn": self._today.isoformat(),
            }
        return common
