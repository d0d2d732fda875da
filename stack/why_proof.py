"""`yibao why NO --proof`: every deadline of a case counted again, day by day, and held against what the case has stored."""

from collections.abc import Iterable
from datetime import date
from typing import Final, NamedTuple

from activities.calendar_data import statutory_days
from workflows.deadlines import Deadline
from workflows.law import INSTRUMENTS
from workflows.proof import EditionMissingError, Proof, prove
from workflows.state import Step, TransferState
from workflows.vocabulary import StepState
from workflows.words import say
from workflows.words.proof import proof_words
from workflows.workdays import CalendarYear

ZH: Final = "zh-CN"
WEEKDAYS: Final = "一二三四五六日"


class Proven(NamedTuple):
    """The screen, and the steps whose deadline does not come out as it is stored."""

    lines: list[str]
    wrong: list[str]


def prove_steps(stored: TransferState, recounted: TransferState, editions: Iterable[CalendarYear]) -> Proven:
    """Prove the deadline of each open and done step of `stored`; `recounted` is the case by the calendar in force."""
    editions = tuple(editions)
    lines, wrong = ["", "期限逐日核算"], []
    for step, now in zip(stored.steps, recounted.steps, strict=True):
        if step.deadline is None or step.state not in {StepState.OPEN, StepState.DONE}:
            continue
        name = (
            f"{say(ZH, f'step.{step.kind}')}（第 {step.round} 次）" if step.round > 1 else say(ZH, f"step.{step.kind}")
        )
        lines += _heading(name, step, step.deadline)
        try:
            proof = prove(step.deadline, editions, statutory_days())
        except EditionMissingError as missing:
            lines.append(f"    无法核算：{missing}")
            wrong.append(name)
            continue
        lines += _days(proof)
        if not proof.holds:
            wrong.append(name)
        if now.deadline is not None and now.deadline != step.deadline:
            lines.append(
                f"    按现行日历：至 {_last(now.deadline.due_on, provisional=now.deadline.provisional)}，案件即将记入"
            )
    return Proven(lines if len(lines) > 2 else [*lines, "  无：没有计时"], wrong)


def _heading(name: str, step: Step, deadline: Deadline) -> list[str]:
    seq = getattr(step, "started_seq", None)
    started = f"，起算事件 #{seq}" if seq is not None else ""
    lines = [
        f"  {name}：{deadline.working_days} 个工作日，自 {deadline.starts_on} 次日起算{started}",
        f"    依据 {INSTRUMENTS[deadline.basis]}",
    ]
    for pause in deadline.pauses:
        until = f"至 {pause.to_on}" if pause.to_on is not None else "至今"
        lines.append(f"    中止计时：{pause.from_on} 之后{until}（{say(ZH, f'pause.{pause.reason}')}）")
    return lines


def _days(proof: Proof) -> list[str]:
    lines = [
        f"    工作日历 {each.edition}：{each.notice or '文号不详'}，{each.published_on} 公布" for each in proof.editions
    ]
    lines += [f"    {each.date} 周{WEEKDAYS[each.date.weekday()]}  {proof_words(ZH, each)}" for each in proof.days]
    counted = _last(proof.due_on, provisional=proof.provisional)
    stored = _last(proof.deadline.due_on, provisional=proof.deadline.provisional)
    verdict = "与记录一致" if proof.holds else f"与记录不一致：记录为 {stored}"
    return [*lines, f"    核算至 {counted}，{verdict}"]


def _last(day: date, *, provisional: bool) -> str:
    return f"{day} 24:00{'（暂定）' if provisional else ''}"
