"""What an operator sees of a transfer in the Temporal UI: summaries, current details, search attributes."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client

from activities.codec import EncryptionCodec
from activities.dispatch import PendingCommand
from activities.keyring import Keyring
from activities.temporal import data_converter
from stack.temporal import skip_time
from tests.office import Office
from workflows import operator_view, steps
from workflows.clocks import Alarm, AlarmKind
from workflows.deadlines import SHANGHAI
from workflows.messages import CommandOutcome, workflow_id
from workflows.vocabulary import FundsStatus, TransferStatus, TransferStepKind


async def _details(office: Office, transfer: PendingCommand) -> str:
    metadata = await office.handle(transfer).query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)


async def _search_attributes(office: Office, transfer: PendingCommand) -> dict[str, Any]:
    described = await office.handle(transfer).describe()
    shown = {str(pair.key.name): pair.value for pair in described.typed_search_attributes}
    shown.pop("BuildIds", None)
    return shown


async def _summaries(office: Office, transfer: PendingCommand) -> list[str]:
    """The summary of every activity and timer of the history, opened, in order."""
    sealed: list[Payload] = [
        event.user_metadata.summary
        for event in (await office.history(transfer)).events
        if event.event_type
        in (
            EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
            EventType.EVENT_TYPE_MARKER_RECORDED,
            EventType.EVENT_TYPE_TIMER_STARTED,
        )
    ]
    opened = await EncryptionCodec(office.cases.keyring).decode(sealed)
    return [payload.data.decode().strip('"') for payload in opened]


async def test_an_open_case_reads_at_a_glance(office: Office) -> None:
    transfer = await office.submit()
    state = await office.cases.state(transfer.transfer_id)
    deadline = state.step(TransferStepKind.DELIVER_INFORMATION_FORM).deadline
    assert deadline is not None
    described = await office.handle(transfer).describe()
    assert await described.static_summary() == f"医保关系转移接续 {transfer.transfer_no}"
    minute = f"{state.submitted_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
    provisional = "（暂定）" if deadline.provisional else ""
    waiting = (
        f"- 待办：**生成并上传信息表**，经办方 110000，10 个工作日，{deadline.due_on} 24:00 前{provisional}；"
        f"依据 医保办发〔2021〕43号《基本医疗保险关系转移接续暂行办法》，工作日历 {deadline.calendar_edition}"
    )
    assert (await _details(office, transfer)).splitlines()[:6] == [
        "**转出办理中** · 资金：待划转",
        "- 转出地 110000 → 转入地 319900",
        waiting,
        f"- 下一次计时：生成并上传信息表：即将到期提醒（{deadline.due_soon_on} 00:00）",
        "",
        "最近事件",
    ]
    assert (await _details(office, transfer)).splitlines()[6] == f"1. {minute} #1 提交申请"
    assert await _search_attributes(office, transfer) == {
        "TransferStatus": "TRANSFERRING_OUT",
        "TransferOutRegion": "110000",
        "TransferInRegion": "319900",
        "TransferHolder": "110000",
        "TransferDeadlineState": "ON_TRACK",
        "TransferNextDeadline": deadline.due_at,
        "TransferNeedsAttention": False,
    }


async def test_every_activity_and_timer_says_in_chinese_what_it_is_for(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.ending(transfer)
    summaries = await _summaries(office, transfer)
    assert [each for each in summaries if "即将到期" not in each] == [
        "核验双方登记并立案",
        "转出地：开具参保凭证",
        "转出地：生成并上传信息表，冻结个人账户",
        "转入地：确认接续",
        "转出地财务：划转个人账户余额",
        "银行：送达划转指令并等待受理",
        "记录银行已划出",
        "转入地财务：确认到账并计入个人账户",
    ]
    timers = [each.partition("：")[0] for each in summaries if "即将到期" in each]
    assert timers == ["生成并上传信息表", "确认接续", "划转个人账户余额", "确认到账并计入个人账户"]
    assert await _search_attributes(office, transfer) == {
        "TransferStatus": "COMPLETED",
        "TransferOutRegion": "110000",
        "TransferInRegion": "319900",
        "TransferDeadlineState": "NONE",
        "TransferNeedsAttention": False,
    }
    assert (await _details(office, transfer)).startswith("**已办结** · 资金：已计入个人账户")


async def test_an_overdue_case_calls_for_attention(office: Office) -> None:
    transfer = await office.submit()
    state = await office.cases.state(transfer.transfer_id)
    deadline = state.step(TransferStepKind.DELIVER_INFORMATION_FORM).deadline
    assert deadline is not None
    ahead = deadline.due_at + timedelta(hours=1) - datetime.now(UTC)
    await skip_time(office.client, office.handle(transfer).id, ahead)
    await office.until(transfer, lambda state: state.open_steps[0].missed_noted)
    # The workflow folds the event in a moment after PostgreSQL has it; a step behind it waits for that.
    await office.remit(transfer)
    shown = await _search_attributes(office, transfer)
    assert (shown["TransferDeadlineState"], shown["TransferNeedsAttention"]) == ("OVERDUE", True)
    assert "**已逾期**" in await _details(office, transfer)
    listed = [
        found.id
        async for found in office.client.list_workflows(
            f"TransferNeedsAttention = true and TransferHolder = '110000' and WorkflowId = '{office.handle(transfer).id}'"
        )
    ]
    assert listed == [office.handle(transfer).id]


async def test_money_that_does_not_match_calls_for_attention(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    assert await office.confirm_receipt(transfer, amount_fen=1) == CommandOutcome(kind="DONE", seq=12)
    assert (await office.cases.state(transfer.transfer_id)).funds_status is FundsStatus.MISMATCHED
    assert (await _search_attributes(office, transfer))["TransferNeedsAttention"] is True


def _longest() -> list[str]:
    """Everything that is ever shown as a summary, the longest of each kind."""
    at = datetime(2099, 12, 31, tzinfo=SHANGHAI)
    timers = [operator_view.timer_summary(Alarm(at, kind, step)) for kind in AlarmKind for step in TransferStepKind]
    timers.append(operator_view.timer_summary(None, at))
    named = [value for value in vars(steps).values() if isinstance(value, steps.ActivityStep)]
    activities = [step.summary for step in (*named, *steps.ACTIONS.values())]
    return [max(timers, key=len), max(activities, key=len), operator_view.static_summary("ZY-319900-20991231-999999")]


async def test_the_longest_summaries_are_not_cut() -> None:
    for text in _longest():
        assert operator_view.summary(text) == text
        assert not text.endswith("…")


@pytest.mark.parametrize("text", ["字" * 500, "a" * 500, "😀" * 500, "a" + "字" * 500, *_longest()])
async def test_a_summary_of_any_length_is_within_temporals_limit_once_sealed(office: Office, text: str) -> None:
    """400 bytes as the server keeps it, under the longest version that a key can have: a sealed summary carries it."""
    version = "k" * 32
    client = await _client(office, Keyring(version, {version: os.urandom(32)}))
    handle = await client.start_workflow(
        "Nobody", id=f"summary-{os.urandom(8).hex()}", task_queue="nobody", static_summary=operator_view.summary(text)
    )
    kept = (await handle.fetch_history()).events[0].user_metadata.summary
    assert kept.ByteSize() <= 400
    shown = await (await handle.describe()).static_summary()
    assert shown == operator_view.summary(text)
    assert text.startswith(shown.removesuffix("…"))
    await handle.terminate()


async def _client(office: Office, keyring: Keyring) -> Client:
    address = office.client.service_client.config.target_host
    return await Client.connect(address, data_converter=data_converter(keyring))


def test_a_case_has_one_workflow_id() -> None:
    assert workflow_id("ZY-319900-20260302-000001") == "transfer-ZY-319900-20260302-000001"


def test_every_status_and_event_has_its_words() -> None:
    assert set(operator_view.STATUS) == set(TransferStatus)
    assert set(operator_view.FUNDS) == set(FundsStatus)
