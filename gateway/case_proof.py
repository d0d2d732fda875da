"""The proof of a deadline, counted when it is asked for and put into words."""

from activities.calendar_data import statutory_days
from gateway.telling import REFERENCE, Telling
from gateway.types.proof import CalendarEdition, ClockPause, DeadlineProof, ProofDay
from workflows.deadlines import Deadline
from workflows.proof import EditionMissingError, Proof, prove
from workflows.proof import ProofDay as Day
from workflows.words.proof import proof_words


async def proof_of(deadline: Deadline, start_event_seq: int | None, telling: Telling) -> DeadlineProof:
    """The proof by the editions that `deadline` names, superseded ones included."""
    try:
        proof = prove(deadline, telling.reference.editions, statutory_days())
    except EditionMissingError:
        # The case knows an edition that was published since we looked.
        context = telling.context
        reference = await REFERENCE.read(context.pool, telling.now, anew=True)
        proof = prove(deadline, reference.editions, statutory_days())
    return _told(proof, start_event_seq, telling)


def _told(proof: Proof, start_event_seq: int | None, telling: Telling) -> DeadlineProof:
    deadline = proof.deadline
    return DeadlineProof(
        legal_basis=telling.legal_basis(deadline.basis),
        starts_on=deadline.starts_on,
        start_event_seq=start_event_seq,
        working_days=deadline.working_days,
        days=[_day(each, telling) for each in proof.days],
        due_on=proof.due_on,
        provisional=proof.provisional,
        editions=[
            CalendarEdition(edition=each.edition, notice=each.notice, published_on=each.published_on)
            for each in proof.editions
        ],
        pauses=[
            ClockPause(from_=each.from_on, to=each.to_on, reason=each.reason, words=telling.say(f"pause.{each.reason}"))
            for each in deadline.pauses
        ],
    )


def _day(day: Day, telling: Telling) -> ProofDay:
    return ProofDay(
        date=day.date,
        counted=day.nth is not None,
        number=day.nth,
        reason=day.reason,
        words=proof_words(telling.language, day),
    )
