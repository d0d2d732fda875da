"""Who was told of what, and since when nothing was heard of whom: two parts of `yibao why`."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

import asyncpg

from workflows.deadlines import SHANGHAI
from workflows.events import TransferEvent
from workflows.state import Step
from workflows.vocabulary import AGENCY_STAFF, TransferStepKind
from workflows.words import say
from workflows.words.recipients import PlacedRegion, recipient_words


class Told(NamedTuple):
    """One notice as PostgreSQL has it."""

    seq: int
    recipient: str
    kind: str
    step: TransferStepKind | None
    created_at: datetime
    delivered_at: datetime | None
    attempts: int
    last_error: str | None


async def read_told(connection: asyncpg.Connection, transfer_id: UUID) -> list[Told]:
    """Every notice of the case, in the order of its events."""
    rows = await connection.fetch(
        f"select {', '.join(Told._fields)} from notices where transfer_id = $1 order by seq, recipient",  # noqa: S608 - our own columns
        transfer_id,
    )
    return [Told(*row) for row in rows]


def told_lines(notices: Iterable[Told], regions: Mapping[str, PlacedRegion]) -> list[str]:
    """A line for each event that was told: what, and to whom, and when the receiver had it."""
    lines = []
    for (seq, kind, step), told in groupby(notices, key=lambda each: (each.seq, each.kind, each.step)):
        of = f"：{say('zh-CN', f'step.{step}')}" if step else ""
        whom = "；".join(f"{recipient_words(each.recipient, regions)}（{_arrival(each)}）" for each in told)
        lines.append(f"#{seq} {say('zh-CN', f'notice.{kind}')}{of} → {whom}")
    return lines


def _arrival(notice: Told) -> str:
    if notice.delivered_at is not None:
        return f"{_minute(notice.delivered_at)} 送达"
    if notice.last_error is not None:
        return f"未送达，已试 {notice.attempts} 次：{notice.last_error}"
    return f"{_minute(notice.created_at)} 记录，待送达"


def silence(step: Step, events: Iterable[TransferEvent]) -> str:
    """Since when nothing was heard of the agency that holds `step`: its last event in the case, or since the step opened."""
    heard = [event for event in events if event.actor.region == step.region and event.actor.has(*AGENCY_STAFF)]
    if heard:
        # An act may have several events of one instant: the first is the act itself.
        last = next(event for event in heard if event.occurred_at == heard[-1].occurred_at)
        return f"自 {_minute(last.occurred_at)}（#{last.seq}）以来未收到该机构的任何办理"
    return (
        f"自 {_minute(step.opened_at)} 交办以来从未收到该机构的任何办理"
        if step.opened_at
        else "从未收到该机构的任何办理"
    )


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(SHANGHAI):%Y-%m-%d %H:%M}"
