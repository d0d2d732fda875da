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
    fault = _fault(state, ask, shanghai_date(at), shanghai_date(letter.done_at) if letter.done_at else None)
    if fault is not None:
        return fault
    return (e.MailRecorded(**ask.model_dump(include=set(e.MailRecorded.model_fields) - {"type"})),)


def _fault(state: TransferState, ask: c.RecordMail, today: date, letter_on: date | None) -> Invalid | None:
    earlier = next((each for each in state.mail if each.item is ask.item), None)
    sent_on = ask.sent_on or (earlier.sent_on if earlier else None)
    arrived_on = ask.arrived_on or (earlier.arrived_on if earlier else None)
    for field, day in (("sentOn", ask.sent_on), ("arrivedOn", ask.arrived_on)):
        if day is not None and day > today:
            return invalid(field, "IN_THE_FUTURE")
        if day is not None and letter_on is not None and ask.item is not MailItem.CERTIFICATE and day < letter_on:
            return invalid(field, "BEFORE_THE_LETTER", letter_on=letter_on.isoformat())
    if sent_on is not None and arrived_on is not None and arrived_on < sent_on:
        return invalid("arrivedOn", "BEFORE_SENDING", sent_on=sent_on.isoformat())
    return None
