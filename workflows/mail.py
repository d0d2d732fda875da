"""What travels by post on the paper route (94号): who sent it, when it arrived, and which clock its arrival starts."""

from datetime import date, datetime

from workflows import commands as c
from workflows import events as e
from workflows.deadlines import shanghai_date
from workflows.fold import Facts
from workflows.rules import Invalid, NotAllowed, Objection, invalid
from workflows.state import TransferState
from workflows.vocabulary import MailItem, TransferStepKind


def record_mail(state: TransferState, ask: c.RecordMail, at: datetime) -> Facts | Objection:
    """What was posted or has arrived. A later record of the same item adds to the earlier one, or corrects it."""
    letter = state.step(TransferStepKind.ISSUE_CONTACT_LETTER)
    if ask.item is not MailItem.CERTIFICATE and letter.done_at is None:
        # O sends its form in answer to R's letter.
        return NotAllowed(why="NOT_YET")
    fault = _fault(state, ask, shanghai_date(at))
    if fault is not None:
        return fault
    return (e.MailRecorded(**ask.model_dump(include=set(e.MailRecorded.model_fields) - {"type"})),)


def _fault(state: TransferState, ask: c.RecordMail, today: date) -> Invalid | None:
    earlier = next((each for each in state.mail if each.item is ask.item), None)
    sent_on = ask.sent_on or (earlier.sent_on if earlier else None)
    arrived_on = ask.arrived_on or (earlier.arrived_on if earlier else None)
    for field, day in (("sentOn", ask.sent_on), ("arrivedOn", ask.arrived_on)):
        if day is not None and day > today:
            return invalid(field, "IN_THE_FUTURE")
        too_early = _too_early(state, ask.item, field, day) if day is not None else None
        if too_early is not None:
            return too_early
    if sent_on is not None and arrived_on is not None and arrived_on < sent_on:
        return invalid("arrivedOn", "BEFORE_SENDING", sent_on=sent_on.isoformat())
    return None


def _too_early(state: TransferState, item: MailItem, field: str, day: date) -> Invalid | None:
    """R's letter comes first. A letter that came by post itself is entered after its arrival: then the application does."""
    letter = state.step(TransferStepKind.ISSUE_CONTACT_LETTER)
    if item is MailItem.CERTIFICATE or letter.done_at is None:
        return None
    letter_on, submitted_on = shanghai_date(letter.done_at), shanghai_date(state.submitted_at)
    if state.to_region not in state.unconnected and day < letter_on:
        return invalid(field, "BEFORE_THE_LETTER", letter_on=letter_on.isoformat())
    if day < submitted_on:
        return invalid(field, "BEFORE_THE_APPLICATION", submitted_on=submitted_on.isoformat())
    return None
