"""What Temporal is given to keep: sealed payloads, and of persons nothing at all."""

import base64
import json
import logging
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHistory

from activities.codec import ENCODING, EncryptionCodec
from activities.dispatch import PendingCommand, dispatch
from activities.keyring import BrokenSealError, Keyring, UnknownKeyError
from activities.temporal import data_converter
from stack import temporal
from stack.processes import free_port
from tests.activities.register_extracts import ROW, WANG
from tests.canaries import found_in
from tests.cases import O_CLERK, O_FINANCE, PERSON
from tests.conftest import Database
from tests.office import Office, open_office
from workflows import commands as c
from workflows.state import TransferState
from workflows.vocabulary import ReturnReason, TransferStatus

NAME = ROW["name"]
WRITTEN = "查无此人"
SECRET_WORDS = f"{NAME}（{WANG}）{WRITTEN}"


def _key(version: str) -> dict[str, bytes]:
    return {version: os.urandom(32)}


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> AsyncIterator[Office]:
    server = await temporal.start(tmp_path / "temporal", free_port(), free_port())
    async with open_office(database, server.address, tmp_path / "bank") as office:
        yield office
    await server.stop()


def _payloads(message: Message) -> list[Payload]:
    """Every payload of a message, however deep, but for those of search attributes, which Temporal must read."""
    found: list[Payload] = []
    for field, value in message.ListFields():
        if field.message_type is None or field.name in {"search_attributes", "header"}:
            continue
        if field.message_type.GetOptions().map_entry:
            parts = [part for part in value.values() if isinstance(part, Message)]
        else:
            parts = list(value) if not isinstance(value, Message) else [value]
        for part in parts:
            found += [part] if isinstance(part, Payload) else _payloads(part)
    return found


def _clear_text(history: WorkflowHistory) -> str:
    """The history as Temporal's own database has it, base64 opened."""
    text = json.dumps([MessageToDict(event) for event in history.events], ensure_ascii=False)
    opened = b"".join(payload.SerializeToString() for event in history.events for payload in _payloads(event))
    return text + opened.decode(errors="replace")


async def _whole_case(office: Office) -> PendingCommand:
    """A case with free text of people in it, taken to its end, refused steps included."""
    await office.cases.standard_person()
    transfer = await office.cases.apply()
    await office.carry_out(transfer)
    await office.take(transfer, c.ReissueCertificate(reason=SECRET_WORDS), PERSON)
    await office.take(transfer, c.RemitPersonalAccount(), O_FINANCE)
    await office.take(transfer, c.DeliverInformationForm(note=SECRET_WORDS), O_CLERK)
    await office.remit(transfer)
    await office.confirm_receipt(transfer, amount_fen=1)
    await office.confirm_continuation(transfer)
    return transfer


LOCAL_ACTIVITY_NOTES = {
    "activation_index", "activity_id", "activity_type", "attempt", "backoff", "complete_time", "original_schedule_time", "seq",
}  # fmt: skip


async def test_a_whole_case_leaves_no_clear_payload_and_no_person_in_temporal_or_in_the_log(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    transfer = await _whole_case(office)
    returned = await _returned_case(office)
    for case in (transfer, returned):
        history = await office.history(case)
        payloads = [payload for event in history.events for payload in _payloads(event)]
        assert len(payloads) > 10
        plain = [json.loads(payload.data) for payload in payloads if payload.metadata["encoding"] != ENCODING]
        # What the SDK itself notes of a local activity, beside its sealed result: which one, and when.
        assert [each.keys() for each in plain] == ([LOCAL_ACTIVITY_NOTES] if case is transfer else [])
        described = await _described(office, case)
        for text in (_clear_text(history), described):
            # The number of the case and what operators filter by is clear by design; persons are nowhere.
            for secret in (
                NAME,
                WANG,
                "查无",
                "参保凭证",
                "转出地",
                "43号",
                "frozen",
                "balance_fen",
                "420000",
                "person_id",
            ):
                assert secret not in text
        raw = b"".join(event.SerializeToString() for event in history.events)
        assert found_in(raw + _clear_text(history).encode(), NAME, WANG, WRITTEN) == set()
    assert found_in(caplog.text.encode(), NAME, WANG, WRITTEN) == set()


async def _returned_case(office: Office) -> PendingCommand:
    transfer = await office.submit()
    await office.take(transfer, c.ReturnTransfer(reason=ReturnReason.IDENTITY_DOUBT, note=SECRET_WORDS), O_CLERK)
    assert await office.ending(transfer) is TransferStatus.DECLINED
    return transfer


async def _described(office: Office, transfer: PendingCommand) -> str:
    """What Temporal says of the case to anybody who asks: search attributes, summaries, pending activities."""
    handle = office.handle(transfer)
    request = DescribeWorkflowExecutionRequest(namespace="default")
    request.execution.workflow_id = handle.id
    answer = await office.client.workflow_service.describe_workflow_execution(request)
    attributes = answer.workflow_execution_info.search_attributes.indexed_fields
    assert {name for name in attributes if name != "BuildIds"} <= set(temporal.SEARCH_ATTRIBUTES)
    assert {payload.metadata["encoding"] for payload in _payloads(answer)} <= {ENCODING}
    return str(answer) + json.dumps(MessageToDict(answer), ensure_ascii=False)


async def test_a_database_that_quotes_what_it_refuses_is_not_quoted_in_temporal(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    await office.cases.standard_person()
    transfer = await office.cases.apply()
    await office.carry_out(transfer)
    owner = office.cases.owner
    await owner.execute("alter table transfer_events add constraint broken check (seq < 5)")
    step = await office.cases.ask(transfer, c.DeliverInformationForm(note=SECRET_WORDS), O_CLERK)
    with pytest.raises(TimeoutError):
        await dispatch(office.client, step, timeout=timedelta(seconds=2))
    described = await _described(office, transfer)
    await owner.execute("alter table transfer_events drop constraint broken")
    assert "CheckViolationError" in described
    assert "violates check constraint" not in described
    assert "查无" not in described
    assert NAME not in described
    # The step is carried out once the database takes it again.
    assert (await office.carry_out(step)).kind == "DONE"
    text = _clear_text(await office.history(transfer))
    assert NAME not in text
    assert "查无" not in text
    assert NAME not in caplog.text


async def test_a_rotated_keyring_reads_old_histories_and_writes_under_the_new_key(office: Office) -> None:
    transfer = await office.submit()
    old = office.cases.keyring
    rotated = Keyring("2027", {**_key("2027"), **old._keys})
    client = await Client.connect(
        office.client.service_client.config.target_host, data_converter=data_converter(rotated)
    )
    state = await client.get_workflow_handle(office.handle(transfer).id).query("state", result_type=TransferState)
    assert state == await office.cases.state(transfer.transfer_id)
    (sealed,) = await EncryptionCodec(rotated).encode([Payload(data=b"x")])
    assert sealed.metadata["key-id"] == b"2027"


async def test_a_payload_opens_with_its_key_unbroken_and_not_otherwise() -> None:
    old, other = Keyring("1", _key("1")), Keyring("1", _key("1"))
    payload = Payload(metadata={"encoding": b"json/plain"}, data="待受理".encode())
    (sealed,) = await EncryptionCodec(old).encode([payload])
    assert await EncryptionCodec(old).decode([sealed]) == [payload]
    assert await EncryptionCodec(old).decode([payload]) == [payload]
    assert base64.b64encode("待受理".encode()) not in base64.b64encode(sealed.data)
    with pytest.raises(BrokenSealError):
        await EncryptionCodec(other).decode([sealed])
    with pytest.raises(UnknownKeyError):
        await EncryptionCodec(Keyring("2", _key("2"))).decode([sealed])
    broken = Payload(metadata=sealed.metadata, data=sealed.data[:-1] + bytes([sealed.data[-1] ^ 1]))
    with pytest.raises(BrokenSealError):
        await EncryptionCodec(old).decode([broken])
