"""What operators read of a case: summaries, current details, events in a line. Ids and figures, no persons."""

from datetime import datetime
from typing import Final

from workflows import events as e
from workflows.clocks import Alarm, AlarmKind, next_alarm
from workflows.deadlines import SHANGHAI, PauseReason
from workflows.law import INSTRUMENTS
from workflows.remittance import Remittance
from workflows.state import Step, TransferState
from workflows.vocabulary import FundsStatus, RemittanceStatus, TransferStatus, TransferStepKind
from workflows.words import say, yuan

# Temporal documents 400 bytes for a summary, counted after encryption: 29 bytes of seal, the payload's frame, 3 bytes a character.
SUMMARY_BYTES: Final = 200


def summary(text: str) -> str:
    """`text` cut to what Temporal takes for a summary, at a whole character."""
    encoded = text.encode()
    return text if len(encoded) <= SUMMARY_BYTES else encoded[: SUMMARY_BYTES - 3].decode(errors="ignore") + "…"


def static_summary(no: str) -> str:
    """The line that names the case in every list; the number says where it goes and when it began."""
    return summary(f"医保关系转移接续 {no}")


def timer_summary(alarm: Alarm | None, ask_again_at: datetime | None = None) -> str:
    """What the running timer waits for: the next date of a clock, or the day to ask the registers again."""
    if alarm is None or (ask_again_at is not None and ask_again_at < alarm.at):
        return summary(f"重新核验双方登记（{_minute(ask_again_at)}）" if ask_again_at else "")
    whose = _step(alarm.step) if alarm.step else "断保缺口"
    return summary(f"{whose}：{ALARM[alarm.kind]}（{_minute(alarm.at)}）")


def cycle_summary(order: Remittance) -> str:
    """What the timer of an order waits for that goes with its region's batch."""
    return summary(f"按划转周期等待 {order.send_on} 送达银行（{order.reference}）")


def details(state: TransferState, recent: list[str]) -> str:
    """The case on one screen, in Markdown: status, holder, law, next deadline, money, last events."""
    lines = [
        f"**{STATUS[state.status]}** · 资金：{FUNDS[state.funds_status]}",
        f"- 转出地 {state.from_region} → 转入地 {state.to_region}",
    ]
    lines += [_step_line(state, step) for step in state.open_steps]
    if state.waiting:
        reasons = "、".join(each.code for each in state.findings)
        lines.append(f"- 等待双方登记：{reasons}；每日重新核验")
    if state.gap is not None:
        warned = "、".join(f"{days}" for days in state.gap.warned)
        told = f"，已在截止前 {warned} 天提醒参保人" if warned else ""
        lines.append(f"- 断保缺口：{state.gap.stopped_on} 停保，{state.gap.closes_on} 前接上不设等待期{told}")
    if state.terminating:
        lines.append("- 主管部门已终止，等待资金退回转出地")
    order = state.on_its_way
    if order is not None and order.status is RemittanceStatus.AWAITING_RELEASE:
        lines.append(f"- 待主管部门批准退回资金：{yuan(order.amount_fen)} 元（{order.reference}）")
    if order is not None and order.waits_for_cycle:
        lines.append(f"- {cycle_summary(order)}")
    if state.to_release is not None:
        lines.append(f"- 待另一人放行划转：{yuan(state.to_release.amount_fen)} 元（{state.to_release.reference}）")
    if state.funds_status is FundsStatus.RETURNED and state.remittance and state.remittance.return_reason:
        lines.append(f"- 银行退汇原因：{say('zh-CN', f'bank_return.{state.remittance.return_reason}')}")
    alarm = next_alarm(state)
    if alarm:
        lines.append(f"- 下一次计时：{timer_summary(alarm)}")
    lines.append("\n最近事件")
    lines += [f"- {line}" for line in recent]
    return "\n".join(lines)


def _step_line(state: TransferState, step: Step) -> str:
    """Whose turn it is, by which law, until when; or why no clock runs."""
    others = state.to_region if step.region == state.from_region else state.from_region
    # 94号: what an unconnected agency does by post, the other side enters.
    enters = f"（未联网，由 {others} 代为登记）" if step.region in state.unconnected else ""
    whose = f"- 待办：**{_step(step.kind)}**，经办方 {step.region}{enters}"
    deadline = step.deadline
    if deadline is None:
        return f"{whose}，尚未开始计时"
    if deadline.paused_since is not None:
        return f"{whose}，{deadline.paused_since} 起中止计时（{PAUSED[deadline.pauses[-1].reason]}）"
    late = "，**已逾期**" if step.missed_noted else "，即将到期" if step.due_soon_noted else ""
    provisional = "（暂定）" if deadline.provisional else ""
    return (
        f"{whose}，{deadline.working_days} 个工作日，{deadline.due_on} 24:00 前{provisional}{late}；"
        f"依据 {INSTRUMENTS[deadline.basis]}，工作日历 {deadline.calendar_edition}"
    )


def event_line(event: e.TransferEvent) -> str:
    """One event in one line."""
    what = EVENT.get(type(event.fact), event.fact.type)
    step = f"：{_step(event.step)}" if event.step else ""
    return f"{_minute(event.occurred_at)} #{event.seq} {what}{step}"


def _step(kind: TransferStepKind) -> str:
    return say("zh-CN", f"step.{kind}")


def _minute(instant: datetime) -> str:
    # Not by `strftime`: it imports a module at every call, for which the workflows' sandbox takes its time.
    return instant.astimezone(SHANGHAI).replace(tzinfo=None).isoformat(" ", "minutes")


PAUSED: Final = {
    PauseReason.CORRECTION: "转出地核对信息表",
    PauseReason.PAYOUT_ACCOUNT: "待参保人提供收款账户",
}

ALARM: Final = {
    AlarmKind.DUE_SOON: "即将到期提醒",
    AlarmKind.DUE: "到期",
    AlarmKind.LATE: "逾期升级督办",
    AlarmKind.GAP: "提醒参保人",
}

EVENT: Final[dict[type[e.Fact], str]] = {
    e.Submitted: "提交申请",
    e.Accepted: "受理",
    e.Declined: "不予受理",
    e.StepOpened: "开始",
    e.ApplicationAccepted: "完成",
    e.CoverageStopped: "完成",
    e.CertificateIssued: "完成",
    e.CertificateReissued: "补发",
    e.ArrearsNotified: "已告知欠费",
    e.FormDelivered: "完成",
    e.FundsNotRequired: "余额为零，无需划转",
    e.RemittancePrepared: "划转指令已制作，待另一人放行",
    e.RemittanceOrdered: "完成",
    e.FundsOrdered: "已下达划转指令",
    e.FundsRemitted: "银行已划出",
    e.ReceiptConfirmed: "完成",
    e.FundsReceived: "已到账",
    e.FundsMismatched: "到账金额不符",
    e.FundsReturned: "银行退汇",
    e.FundsMatched: "金额不符的到账已处理",
    e.FundsCredited: "已计入个人账户",
    e.ContinuationConfirmed: "完成",
    e.DeadlineDueSoon: "即将到期",
    e.DeadlineMissed: "逾期",
    e.DeadlineRevised: "期限已按新日历调整",
    e.RegisterChecked: "重新核验双方登记",
    e.GapWarned: "已提醒参保人断保缺口",
    e.ClockStarted: "开始计时",
    e.ContactLetterIssued: "完成",
    e.MailRecorded: "登记邮寄",
    e.FormPrepared: "信息表已制作，待复核",
    e.CorrectionRequested: "转入地要求核对信息表",
    e.CorrectionAnswered: "转出地已答复核对",
    e.ReverseProposed: "待主管部门批准退回资金",
    e.PayoutAccountProvided: "参保人已提供收款账户",
    e.FundsPaidOut: "已支付给本人",
    e.FundsRetained: "余额按规定省内保留",
    e.FundsReleased: "已解冻个人账户",
    e.Escalated: "逾期升级督办",
    e.TerminationOrdered: "主管部门终止，等待资金退回",
    e.Terminated: "主管部门终止",
    e.Withdrawn: "申请人撤回",
    e.CompletedUnsaid: "已办结",
    e.Completed: "已办结",
    e.Reopened: "办结后资金重新划转",
    e.LateContribution: "办结后原参保地又到账一笔缴费",
}

STATUS: Final = {
    TransferStatus.SUBMITTED: "待受理",
    TransferStatus.DECLINED: "不予受理",
    TransferStatus.TRANSFERRING_OUT: "转出办理中",
    TransferStatus.TRANSFERRING_IN: "转入办理中",
    TransferStatus.CORRECTION_REQUESTED: "信息核对中",
    TransferStatus.AWAITING_FUNDS: "关系已转入，个人账户待到账",
    TransferStatus.COMPLETED: "已办结",
    TransferStatus.WITHDRAWN: "已撤回",
    TransferStatus.TERMINATED: "已终止",
}

FUNDS: Final = {
    FundsStatus.NOT_REQUIRED: "余额为零，无需划转",
    FundsStatus.PENDING: "待划转",
    FundsStatus.ORDERED: "已下达划转指令",
    FundsStatus.REMITTED: "银行已划出",
    FundsStatus.RETURNED: "银行退汇",
    FundsStatus.RECEIVED: "已到账",
    FundsStatus.MISMATCHED: "到账金额不符，待核对",
    FundsStatus.CREDITED: "已计入个人账户",
    FundsStatus.PAID_OUT_TO_PERSON: "已支付给本人",
    FundsStatus.RETAINED_IN_PROVINCE: "省内保留",
}
