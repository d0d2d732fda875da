"""Stored notices, told: what each is about and whom it is for, in the request's language."""

from typing import TYPE_CHECKING, Final

from gateway.access_model import Show
from gateway.case_events import PUBLIC_KIND
from gateway.loaders import NoticeRow
from gateway.types.enums import TransferEventKind
from gateway.types.transfer import Notice
from workflows.notices import PERSON, event_name
from workflows.words.recipients import recipient_words

if TYPE_CHECKING:
    from gateway.telling import Telling

KIND_OF: Final[dict[str, TransferEventKind]] = {event_name(fact): kind for fact, kind in PUBLIC_KIND.items()}


def tell_notices(rows: list[NoticeRow], shown: Show, telling: "Telling") -> list[Notice]:
    """The notices of a case that the caller may know of, in the order of its events: in part, those that the person was told."""
    return [_notice(row, telling) for row in rows if shown is Show.ALL or row.recipient == PERSON]


def _notice(row: NoticeRow, telling: "Telling") -> Notice:
    return Notice(
        seq=row.seq,
        kind=KIND_OF[row.kind],
        step=row.step,
        label=telling.say(f"notice.{row.kind}"),
        recipient=recipient_words(row.recipient, telling.reference.regions, telling.language),
        created_at=row.created_at,
        delivered_at=row.delivered_at,
    )
