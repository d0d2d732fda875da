"""What an operator sees of a transfer in the Temporal UI: summaries, current details, search attributes."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

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
from tests.cases import SHANGHAI_POOL
from tests.office import BY_POST, PAYING_OUT, Office
from tests.workflows.endings import NOT_COVERED
from workflows import operator_view, steps
from workflows.clocks import Alarm, AlarmKind
from workflows.deadlines import SHANGHAI, Deadline, PauseReason
from workflows.events import AnyFact
from workflows.messages import CommandOutcome, workflow_id
from workflows.vocabulary import FundsStatus, MailItem, TransferStatus, TransferStepKind


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
    assert (await _details(office, transfer)).splitlines()[6] == f"- {minute} #1 提交申请"
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


def _law(deadline: Deadline, basis: str) -> str:
    provisional = "（暂定）" if deadline.provisional else ""
    return (
        f"{deadline.working_days} 个工作日，{deadline.due_on} 24:00 前{provisional}；"
        f"依据 {basis}，工作日历 {deadline.calendar_edition}"
    )


async def _case_lines(office: Office, transfer: PendingCommand) -> list[str]:
    """The lines of the case, without its last events."""
    return (await _details(office, transfer)).partition("\n\n最近事件")[0].splitlines()


async def _deadline(office: Office, transfer: PendingCommand, kind: TransferStepKind) -> Deadline:
    deadline = (await office.cases.state(transfer.transfer_id)).step(kind).deadline
    assert deadline is not None
    return deadline


ART_6 = "人社厅发〔2016〕94号《流动就业人员基本医疗保险关系转移接续业务经办规程》第六条"
CORRECTION_LAW = "本平台服务承诺（人社厅发〔2016〕94号 信息核对）"


async def test_a_paper_case_says_who_enters_for_the_unconnected_side_and_that_no_clock_runs_before_the_post(
    office: Office,
) -> None:
    transfer = await office.submit(between=(BY_POST, SHANGHAI_POOL))
    await office.accept(transfer)
    await office.issue_letter(transfer)
    whose = "- 待办：**生成并上传信息表**，经办方 421099（未联网，由 319900 代为登记）"
    assert await _case_lines(office, transfer) == [
        "**转出办理中** · 资金：待划转",
        "- 转出地 421099 → 转入地 319900",
        f"{whose}，尚未开始计时",
    ]
    assert (await _search_attributes(office, transfer))["TransferDeadlineState"] == "ON_TRACK"
    await office.record_mail(transfer, MailItem.CONTACT_LETTER, arrived_on=office.today(transfer))
    deadline = await _deadline(office, transfer, TransferStepKind.DELIVER_INFORMATION_FORM)
    assert await _case_lines(office, transfer) == [
        "**转出办理中** · 资金：待划转",
        "- 转出地 421099 → 转入地 319900",
        f"{whose}，{_law(deadline, ART_6)}",
        f"- 下一次计时：生成并上传信息表：即将到期提醒（{deadline.due_soon_on} 00:00）",
    ]


async def test_a_corrected_case_says_whose_clock_stands_still_since_when_and_why(office: Office) -> None:
    transfer = await office.submit(personal_account_fen="0")
    await office.deliver_form(transfer)
    await office.request_correction(transfer)
    deadline = await _deadline(office, transfer, TransferStepKind.DELIVER_INFORMATION_FORM)
    assert await _case_lines(office, transfer) == [
        "**信息核对中** · 资金：余额为零，无需划转",
        "- 转出地 110000 → 转入地 319900",
        f"- 待办：**生成并上传信息表**，经办方 110000，{_law(deadline, CORRECTION_LAW)}",
        f"- 待办：**确认接续**，经办方 319900，{office.today(transfer)} 起中止计时（转出地核对信息表）",
        f"- 下一次计时：生成并上传信息表：即将到期提醒（{deadline.due_soon_on} 00:00）",
    ]
    assert (await _search_attributes(office, transfer))["TransferHolder"] == "110000"


async def test_a_balance_for_the_person_says_that_their_account_is_waited_for(office: Office) -> None:
    transfer = await office.submit(between=(PAYING_OUT, SHANGHAI_POOL))
    await office.deliver_form(transfer)
    await office.confirm_continuation(transfer)
    since = f"{office.today(transfer)} 起中止计时（待参保人提供收款账户）"
    assert await _case_lines(office, transfer) == [
        "**关系已转入，个人账户待到账** · 资金：待划转",
        "- 转出地 440100 → 转入地 319900",
        f"- 待办：**划转个人账户余额**，经办方 440100，{since}",
    ]
    shown = await _search_attributes(office, transfer)
    assert shown["TransferDeadlineState"] == "PAUSED"


async def test_a_waiting_case_says_what_it_waits_for_and_until_when_the_gap_can_be_closed(office: Office) -> None:
    stopped_on = (datetime.now(SHANGHAI) - timedelta(days=1)).date()
    transfer = await office.submit(
        wait=True,
        destination=NOT_COVERED,
        stopped_on=stopped_on.isoformat(),
        contribution_months=f"201501-{stopped_on:%Y%m}",
    )
    gap = (await office.cases.state(transfer.transfer_id)).gap
    assert gap is not None
    tomorrow = office.today(transfer) + timedelta(days=1)
    assert await _case_lines(office, transfer) == [
        "**待受理** · 资金：待划转",
        "- 转出地 110000 → 转入地 319900",
        "- 等待双方登记：NOT_ENROLLED_AT_DESTINATION；每日重新核验",
        f"- 断保缺口：{stopped_on} 停保，{gap.closes_on} 前接上不设等待期",
        f"- 下一次计时：断保缺口：提醒参保人（{gap.closes_on - timedelta(days=30)} 00:00）",
    ]
    assert (await _summaries(office, transfer))[-1] == f"重新核验双方登记（{tomorrow} 00:00）"
    assert (await _search_attributes(office, transfer))["TransferDeadlineState"] == "NONE"


async def test_a_case_that_is_ending_says_which_money_a_supervisor_must_approve(office: Office) -> None:
    transfer = await office.submit()
    await office.deliver_form(transfer)
    await office.remit(transfer)
    await office.confirm_receipt(transfer)
    await office.terminate(transfer)
    assert await _case_lines(office, transfer) == [
        "**转入办理中** · 资金：待划转",
        "- 转出地 110000 → 转入地 319900",
        "- 主管部门已终止，等待资金退回转出地",
        f"- 待主管部门批准退回资金：4,200.00 元（{transfer.transfer_no}-02）",
    ]
    shown = await _search_attributes(office, transfer)
    assert (shown["TransferHolder"], shown["TransferNeedsAttention"]) == ("319900", True)
    await office.approve_reverse(transfer)
    await office.confirm_receipt(transfer)
    await office.ending(transfer)
    assert (await _details(office, transfer)).startswith("**已终止** · 资金：银行退汇")
    shown = await _search_attributes(office, transfer)
    assert (shown["TransferStatus"], shown["TransferNeedsAttention"]) == ("TERMINATED", False)


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
    assert set(operator_view.ALARM) == set(AlarmKind)
    assert set(operator_view.PAUSED) == set(PauseReason)
    assert set(operator_view.EVENT) == set(get_args(get_args(AnyFact)[0]))
