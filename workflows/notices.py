"""Who is told of what. A notice goes with an event, to each recipient once; whoever carries it decides nothing.

Recipients are codes: `agency:110000`, `supervisor:110000`, `province:110000` by the region that they stand for, and
`person`, the insured person of the case.
"""

from collections.abc import Iterable
from datetime import date
from functools import cache
from typing import Final
from uuid import UUID

from pydantic import BaseModel

from workflows.events import Fact, TransferEvent
from workflows.state import TransferState
from workflows.vocabulary import TransferStepKind

PERSON: Final = "person"
_AGENCIES: Final = ("agency:{from_region}", "agency:{to_region}")
_SUPERVISORS: Final = ("supervisor:{from_region}", "supervisor:{to_region}")

# The recipients by an event's name, where the event does not name them itself.
TOLD: Final[dict[str, tuple[str, ...]]] = {
    # What begins, turns or ends the case, or voids a paper in somebody's hands, concerns both sides and the person.
    **dict.fromkeys(
        (
            "accepted",
            "declined",
            "certificate_reissued",
            "correction_requested",
            "correction_answered",
            "withdrawn",
            "termination_ordered",
            "terminated",
            "completed",
            "reopened",
        ),
        (*_AGENCIES, PERSON),
    ),
    # 94号: the person is informed of arrears. Then the waiting period, and the money that is theirs; the agencies did these.
    **dict.fromkeys(
        ("arrears_notified", "continuation_confirmed", "funds_credited", "funds_paid_out", "funds_retained"), (PERSON,)
    ),
    # O ordered the money and R must match it: neither can mend it alone.
    **dict.fromkeys(("funds_mismatched", "funds_matched"), _AGENCIES),
    # O must order it again, after the person or R has mended what the bank found wrong; the person's money it is.
    "funds_returned": (*_AGENCIES, PERSON),
    # Money comes home only when a supervisor has approved it.
    "reverse_proposed": _SUPERVISORS,
}
# What a running clock says. While the clock stands still it is not said.
REMINDERS: Final = ("deadline_due_soon", "deadline_missed", "escalated")


class Notice(BaseModel, frozen=True):
    """What goes out: ids, the event's name, the step and its last day. No personal data: not even a person's id."""

    transfer_id: UUID
    transfer_no: str
    seq: int
    recipient: str
    kind: str
    step: TransferStepKind | None = None
    due_on: date | None = None

    @property
    def id(self) -> str:
        """The same however often it is sent: a receiver keeps one of each."""
        return f"{self.transfer_id}:{self.seq}:{self.recipient}"


@cache
def event_name(kind: type[Fact]) -> str:
    """`deadline_missed` for every version of that event."""
    return str(kind.model_fields["type"].default).partition(".")[0]


def recipients(state: TransferState, event: TransferEvent) -> tuple[str, ...]:
    """Whom `event` is told to, each once: those that it names itself, or those of the table."""
    named: tuple[str, ...] | None = event.said("told")
    if named is None:
        regions = {"from_region": state.from_region, "to_region": state.to_region}
        named = tuple(each.format(**regions) for each in TOLD.get(event_name(type(event.fact)), ()))
    return tuple(dict.fromkeys(named))


def notices_of(state: TransferState, events: Iterable[TransferEvent]) -> tuple[Notice, ...]:
    """The notices that `events` of the case at `state` make due."""
    return tuple(
        Notice(
            transfer_id=state.transfer_id,
            transfer_no=state.no,
            seq=event.seq,
            recipient=recipient,
            kind=event_name(type(event.fact)),
            step=event.step,
            due_on=event.said("due_on") or event.said("closes_on"),
        )
        for event in events
        for recipient in recipients(state, event)
    )


def must_wait(notice: Notice, state: TransferState) -> bool:
    """Whether it is a reminder of a clock that stands still in the case as it is now."""
    return notice.kind in REMINDERS and any(
        step.kind is notice.step and step.deadline is not None and step.deadline.paused_since is not None
        for step in state.open_steps
    )
