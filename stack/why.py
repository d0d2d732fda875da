"""`yibao why NO`: one screen that says where a case is, who holds it, which clock runs under which law, what went wrong."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import click

from activities.records import events_after
from activities.reference import CalendarCache, RegionEntry, regions_on
from stack.connection import on_database
from stack.errors import StackError
from stack.told import Told, read_told, silence, told_lines
from stack.why_proof import prove_steps
from workflows.clocks import next_alarm
from workflows.deadlines import SHANGHAI, deadline_state, remaining_working_days, shanghai_date
from workflows.events import TransferEvent
from workflows.law import INSTRUMENTS
from workflows.operator_view import FUNDS, STATUS, event_line, timer_summary
from workflows.recounting import Recounting
from workflows.remittance import Remittance
from workflows.state import Step, TransferState
from workflows.vocabulary import DeadlineState, FundsStatus, RemittanceStatus, StepState
from workflows.words import say, yuan
from workflows.workdays import CalendarYear, WorkingCalendar

LAST_EVENTS = 8
STATES = {
    DeadlineState.ON_TRACK: "按期",
    DeadlineState.DUE_SOON: "即将到期",
    DeadlineState.OVERDUE: "已逾期",
    DeadlineState.MET: "按期办结",
    DeadlineState.MET_LATE: "逾期办结",
    DeadlineState.PAUSED: "中止计时",
}


@dataclass(frozen=True)
class Case:
    """What PostgreSQL says about one transfer."""

    state: TransferState
    events: list[TransferEvent]
    # Commands recorded but not carried out: (kind, received at).
    waiting: list[tuple[str, datetime]]
    regions: dict[str, RegionEntry]
    calendar: WorkingCalendar
    told: list[Told]
    # All that were ever published.
    editions: tuple[CalendarYear, ...]

    @property
    def recounted(self) -> TransferState:
        """The state by the calendar in force, also where the case has not noted it yet."""
        return Recounting(self.calendar).case(self.state)


def why_and_print(no: str, data_dir: Path, *, proof: bool = False) -> None:
    """Print the screen for the transfer numbered `no`, with `proof` every deadline counted again day by day.

    Raises `StackError` when there is no such transfer, or no database; and, all printed, when a deadline does not hold.
    """
    now = datetime.now(UTC)
    case = on_database(data_dir, lambda connection: read_case(connection, no, now))
    for line in screen(case, now):
        click.echo(line)
    if not proof:
        return
    proven = prove_steps(case.state, case.recounted, case.editions)
    for line in proven.lines:
        click.echo(line)
    if proven.wrong:
        raise StackError(f"counted again, these deadlines are not what {no} has stored: {', '.join(proven.wrong)}")


async def read_case(connection: asyncpg.Connection, no: str, now: datetime | None = None) -> Case:
    """The case from PostgreSQL alone, by the calendar in force at `now`. Raises `StackError` for an unknown number."""
    now = now or datetime.now(UTC)
    document = await connection.fetchval("select state from transfers where no = $1", no)
    if document is None:
        refused = await connection.fetchrow("select outcome, received_at from commands where refusal_no = $1", no)
        if refused is not None:
            codes = "、".join(each["code"] for each in json.loads(refused["outcome"])["findings"])
            raise StackError(
                f"{no} is a refusal of {shanghai_date(refused['received_at'])}: {codes}; no case was opened"
            )
        raise StackError(f"there is no transfer {no}")
    state = TransferState.model_validate_json(document)
    waiting = await connection.fetch(
        "select kind, received_at from commands where transfer_id = $1 and outcome is null order by received_at",
        state.transfer_id,
    )
    cache = CalendarCache()
    calendar = await cache.in_force(connection, shanghai_date(max(now, state.clock_at or now)))
    return Case(
        state=state,
        events=list(await events_after(connection, state.transfer_id, 0)),
        waiting=[(row["kind"], row["received_at"]) for row in waiting],
        regions=await regions_on(connection, shanghai_date(state.submitted_at), [state.from_region, state.to_region]),
        calendar=calendar,
        editions=cache.editions,
        told=await read_told(connection, state.transfer_id),
    )


def screen(case: Case, now: datetime) -> list[str]:
    """The screen, line by line. A case whose clock has been moved ahead is looked at from there."""
    state = case.recounted
    now = max(now, state.clock_at or now)
    lines = [
        f"{state.no}  {STATUS[state.status]}",
        f"  {_region(case, state.from_region)} → {_region(case, state.to_region)}",
        f"  资金：{FUNDS[state.funds_status]}{_amount(state)}",
        f"  提交 {_time(state.submitted_at)}，受理 {_time(state.accepted_at)}，办结 {_time(state.closed_at)}",
        "",
        "谁在办理，依据什么期限",
    ]
    held = (*state.open_steps, *(each for each in state.approvals if each.state is StepState.OPEN))
    lines += [line for step in held for line in _step(case, step, now)] or ["  无：案件已结束"]
    alarm = next_alarm(state)
    lines += ["", "接下来", f"  {timer_summary(alarm)}" if alarm else "  没有计时在运行"]
    lines += ["", "出了什么问题"]
    lines += [f"  {problem}" for problem in _problems(case, now)] or ["  无"]
    lines += ["", "谁被告知"]
    lines += [f"  {line}" for line in told_lines(case.told, case.regions)] or ["  无"]
    lines += ["", "最近事件"]
    lines += [f"  {event_line(event)}" for event in case.events[-LAST_EVENTS:]]
    return lines


def _step(case: Case, step: Step, now: datetime) -> list[str]:
    name = say("zh-CN", f"step.{step.kind}")
    if step.deadline is None:
        return [f"  {name}：{_region(case, step.region)}，自 {_time(step.opened_at)}"]
    deadline = step.deadline
    remaining = remaining_working_days(deadline, now, case.calendar.of_region(step.region))
    standing = STATES[deadline_state(deadline, done_at=None, now=now)]
    left = f"剩 {remaining} 个工作日" if remaining >= 0 else f"逾期 {-remaining} 个工作日"
    provisional = "，暂定（该年度日历尚未公布）" if deadline.provisional else ""
    span = f"{deadline.working_days} 个工作日，自 {deadline.starts_on} 次日起算，至 {deadline.due_on} 24:00"
    return [
        f"  {name}：{_region(case, step.region)}，自 {_time(step.opened_at)}",
        f"    {span}（{standing}，{left}{provisional}）",
        f"    依据 {INSTRUMENTS[deadline.basis]}；工作日历 {deadline.calendar_edition}",
    ]


def _problems(case: Case, now: datetime) -> list[str]:
    state = case.recounted
    problems = [
        f"{say('zh-CN', f'step.{step.kind}')}逾期：{_region(case, step.region)}未在 {step.deadline.due_on} 前办结，"
        f"{silence(step, case.events)}"
        for step in state.open_steps
        if step.deadline and now >= step.deadline.due_at
    ]
    if state.funds_status is FundsStatus.MISMATCHED and state.remittance:
        order = state.remittance
        problems.append(
            f"到账 {yuan(order.received_fen or 0)} 元，与应划转的 {yuan(order.amount_fen)} 元不符（{order.reference}）"
        )
    if state.funds_status is FundsStatus.RETURNED and state.remittance and state.remittance.return_reason:
        order = state.remittance
        reason = say("zh-CN", f"bank_return.{order.return_reason}")
        problems.append(f"银行退回 {yuan(order.returned_fen or order.amount_fen)} 元：{reason}（{order.reference}）")
    problems += [f"指令 {kind} 于 {_time(received_at)} 收到，尚未执行" for kind, received_at in case.waiting]
    problems += [f"{finding.code}（{finding.cls}）" for finding in state.findings]
    return problems


def _region(case: Case, code: str) -> str:
    entry = case.regions.get(code)
    return f"{entry.agency_name}（{code}，电话 {entry.service_phone or '未登记'}）" if entry else code


def _amount(state: TransferState) -> str:
    if state.form is None:
        return ""
    order = state.on_its_way
    set_aside = state.funds_status in {FundsStatus.PENDING, FundsStatus.ORDERED} and not state.reopenings
    frozen = "冻结" if set_aside and (order is None or not order.comes_home) else ""
    late = f"，办结后又到账 {yuan(state.late_fen)} 元" if state.late_fen else ""
    waits = f"，按划转周期 {order.send_on} 送达银行" if order is not None and order.waits_for_cycle else ""
    return f"，{frozen}余额 {yuan(state.form.balance_fen)} 元{late}{waits}{_coming_home(order)}"


def _coming_home(order: Remittance | None) -> str:
    if order is None or not order.comes_home:
        return ""
    what = "未入账的" if order.uncredited else "多划转的"
    approved = "待主管部门批准" if order.status is RemittanceStatus.AWAITING_RELEASE else "已由主管部门批准"
    return f"；退回{what} {yuan(order.amount_fen)} 元（{order.reference}），{approved}"


def _time(instant: datetime | None) -> str:
    return f"{instant.astimezone(SHANGHAI):%Y-%m-%d %H:%M}" if instant else "—"
