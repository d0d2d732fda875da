"""What a fact changes outside the case itself: registers, ledger, documents. One effect for each fact that has one.

An effect runs inside the step's transaction and returns the fact, completed with the id, number and digest of the
document that came with it.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

from activities import registers
from activities.database import Connection
from activities.documents import compose, store
from activities.documents import compose_letters as letters
from activities.documents.content import DocumentContent
from activities.documents.store import Issued
from activities.documents.verification import certificate_number, contact_letter_number
from activities.effects_money import MONEY_EFFECTS, freeze, mark_given_up, origin
from activities.effects_residuals import RESIDUAL_EFFECTS
from activities.people import PersonRef
from activities.reference import RegionEntry
from activities.scene import Scene, issue
from workflows import events as e
from workflows.actors import ActorKind
from workflows.continuation import end_of_months
from workflows.contribution import merge
from workflows.deadlines import shanghai_date
from workflows.fold import advance
from workflows.state import TransferState
from workflows.vocabulary import DocumentKind, TransferRoute

DocumentedFact = TypeVar("DocumentedFact", bound=e.Documented)


async def complete(scene: Scene, facts: tuple[e.AnyFact, ...]) -> tuple[tuple[e.TransferEvent, ...], TransferState]:
    """Carry out the effect of every fact, in order; the scene's case goes along. The events, and the case after them."""
    events: list[e.TransferEvent] = []
    for fact in facts:
        effect = EFFECTS.get(type(fact))
        done = await effect(scene, fact) if effect else fact
        following, scene.state = advance(scene.state, (done,), at=scene.at, actor=scene.actor)
        events += following
    return tuple(events), scene.state


async def _accept(scene: Scene, fact: e.Accepted) -> e.AnyFact:
    # The clocks that the acceptance starts are those of the case as it makes it.
    _, state = advance(scene.state, (fact,), at=scene.at, actor=scene.actor)
    content = compose.acceptance_content(
        state,
        person=await scene.person_block(),
        regions=await scene.regions(),
        accepted_at=scene.at,
        calendar=scene.calendar,
    )
    await issue(scene, content)
    return fact


async def issue_application(scene: Scene, enrolment: Any, certificate_number: str | None) -> None:
    """The application form, which travels by post; `enrolment` is O's register row, None when it has none."""
    by_employer = scene.actor.kind is ActorKind.EMPLOYER
    content = letters.application_content(
        scene.state,
        applicant="EMPLOYER" if by_employer else "PERSON",
        person=await scene.person_block(),
        regions=await scene.regions(),
        enrolment=enrolment,
        periods=registers.periods_of(enrolment["contribution_periods"]) if enrolment else (),
        certificate_number=certificate_number,
    )
    await issue(scene, content)


async def _issue_letter(scene: Scene, fact: e.ContactLetterIssued) -> e.AnyFact:
    content = letters.contact_letter_content(
        scene.state,
        person=await scene.person_block(),
        regions=await scene.regions(),
        contact=scene.actor.subject,
        issued_on=scene.today,
    )
    serial = await scene.connection.fetchval("select nextval('contact_letter_serial')")
    number = contact_letter_number(scene.state.to_region, scene.today.year, serial)
    return _with(fact, await issue(scene, content, number=number))


async def _request_correction(scene: Scene, fact: e.CorrectionRequested) -> e.AnyFact:
    content = letters.correction_content(
        scene.state,
        correction_round=fact.round,
        reason=fact.reason,
        note=(await scene.readable(fact)).note,
        person=await scene.person_block(),
        regions=await scene.regions(),
        issued_on=scene.today,
    )
    return _with(fact, await issue(scene, content, version=fact.round))


async def _notify_of_arrears(scene: Scene, fact: e.ArrearsNotified) -> e.AnyFact:
    content = letters.arrears_content(
        scene.state, fact, person=await scene.person_block(), regions=await scene.regions(), issued_on=scene.today
    )
    await issue(scene, content)
    return fact


async def _stop_coverage(scene: Scene, fact: e.CoverageStopped) -> e.AnyFact:
    await registers.stop_coverage(scene.connection, scene.state, fact.stopped_on, scene.today)
    return fact


async def _issue_certificate(scene: Scene, fact: e.CertificateIssued) -> e.AnyFact:
    return _with(fact, await _certificate(scene))


async def _reissue_certificate(scene: Scene, fact: e.CertificateReissued) -> e.AnyFact:
    await store.void_certificates(scene.connection, scene.state.transfer_id, scene.at)
    return _with(fact, await _certificate(scene))


async def _deliver_form(scene: Scene, fact: e.FormDelivered) -> e.AnyFact:
    state, enrolment = scene.state, await scene.origin_row()
    prepared = state.prepared
    if prepared is not None:
        fact = fact.model_copy(update={"note": await _note_of_prepared(scene)})
    content = compose.form_content(
        state,
        await scene.readable(fact),
        person=compose.person_block(await scene.person(), enrolment["name_sealed"]),
        regions=await scene.regions(*(period.region for period in fact.periods)),
        enrolled_on=enrolment["enrolled_on"],
        made_by=prepared.made_by if prepared else scene.actor.identity,
        checked_by=scene.actor.identity if prepared else None,
        issued_on=scene.today,
    )
    issued = await _issue_version(scene, content, DocumentKind.INFORMATION_FORM, fact.version)
    freeze_fen = fact.balance_fen if fact.freeze_fen is None else fact.freeze_fen
    await freeze(scene, origin(state), freeze_fen)
    await mark_given_up(scene, fact)
    return _with(fact, issued)


async def _note_of_prepared(scene: Scene) -> str | None:
    """What the form's maker wrote: people's words are in the event alone, not in the state."""
    note: str | None = await scene.connection.fetchval(
        """select event -> 'fact' ->> 'note' from transfer_events where transfer_id = $1 and type = 'form_prepared.1'
            order by seq desc limit 1""",
        scene.state.transfer_id,
    )
    return note


async def _confirm_continuation(scene: Scene, fact: e.ContinuationConfirmed) -> e.AnyFact:
    state = scene.state
    if state.form is None:
        raise ValueError("no form, nothing to continue")
    months = merge(fact.own_periods or (), state.form.periods, home=state.to_region)
    await registers.set_months(scene.connection, state, months, scene.today)
    content = compose.continuation_content(
        state,
        fact,
        person=await scene.person_block(),
        regions=await scene.regions(),
        issued_on=scene.today,
        version=fact.version,
    )
    return _with(fact, await _issue_version(scene, content, DocumentKind.CONTINUATION_STATEMENT, fact.version))


async def _decline(scene: Scene, fact: e.Declined) -> e.AnyFact:
    await store.void_certificates(scene.connection, scene.state.transfer_id, scene.at)
    content = compose.refusal_content(
        scene.state,
        await scene.readable(fact),
        person=await scene.person_block(),
        regions=await scene.regions(),
        issued_on=scene.today,
    )
    return _with(fact, await issue(scene, content))


async def _complete(scene: Scene, fact: e.Completed) -> e.AnyFact:
    await scene.keep_documents()
    code = store.new_verification_code()
    content = compose.completion_content(
        scene.state,
        person=await scene.person_block(),
        regions=await scene.regions(),
        documents=await store.valid_documents(scene.connection, scene.state.transfer_id),
        verification_code=code,
        completed_on=scene.today,
        calendar=scene.calendar,
    )
    # A case whose money came under way again is completed again.
    version = scene.state.reopenings + 1
    if version > 1:
        await store.void_earlier_versions(scene.connection, scene.state.transfer_id, content.kind, version, scene.at)
    await issue(scene, content, version=version, verification_code=code)
    return fact


async def _end_early(scene: Scene, fact: e.Withdrawn | e.TerminationOrdered | e.Terminated) -> e.AnyFact:
    await mark_given_up(scene, fact)
    await store.void_certificates(scene.connection, scene.state.transfer_id, scene.at)
    return fact


# Each effect takes the scene and its own kind of fact.
EFFECTS: dict[type[e.Fact], Callable[[Scene, Any], Awaitable[e.AnyFact]]] = (
    MONEY_EFFECTS
    | RESIDUAL_EFFECTS
    | {
        e.Accepted: _accept,
        e.ArrearsNotified: _notify_of_arrears,
        e.ContactLetterIssued: _issue_letter,
        e.CorrectionRequested: _request_correction,
        e.CoverageStopped: _stop_coverage,
        e.CertificateIssued: _issue_certificate,
        e.CertificateReissued: _reissue_certificate,
        e.FormDelivered: _deliver_form,
        e.ContinuationConfirmed: _confirm_continuation,
        e.Declined: _decline,
        e.Withdrawn: _end_early,
        e.TerminationOrdered: _end_early,
        e.Terminated: _end_early,
        e.Completed: _complete,
    }
)


async def _issue_version(scene: Scene, content: DocumentContent, kind: DocumentKind, version: int) -> Issued:
    """Keep a version of a document; those before it are superseded, and say so."""
    if version > 1:
        await store.void_earlier_versions(scene.connection, scene.state.transfer_id, kind, version, scene.at)
    return await issue(scene, content, version=version)


async def _certificate(scene: Scene) -> Issued:
    enrolment = await registers.origin_row(scene.connection, scene.state)
    regions = await scene.regions()
    issued = await certificate(
        scene.connection,
        await scene.person(),
        enrolment,
        regions[scene.state.from_region],
        at=scene.at,
        state=scene.state,
    )
    scene.issued.append(issued)
    return issued


async def certificate(
    connection: Connection,
    person: PersonRef,
    enrolment: Any,
    region: RegionEntry,
    *,
    at: datetime,
    state: TransferState | None = None,
) -> Issued:
    """An enrolment certificate by O's register row, for a transfer or by itself, to be kept."""
    issued_on = shanghai_date(at)
    code = store.new_verification_code()
    serial = await connection.fetchval("select nextval('certificate_serial')")
    months = region.policy.certificate_months
    valid_until = end_of_months(issued_on, months) if months is not None else None
    content = compose.certificate_content(
        person=compose.person_block(person, enrolment["name_sealed"]),
        region=region,
        enrolment=enrolment,
        periods=registers.periods_of(enrolment["contribution_periods"]),
        verification_code=code,
        issued_on=issued_on,
        transfer_no=state.no if state else None,
        route=state.route if state else TransferRoute.PLATFORM,
        valid_until=valid_until,
    )
    return store.drawn_up(
        person,
        content,
        number=certificate_number(region.code, issued_on.year, serial),
        issued_at=at,
        issued_by=region.code,
        verification_code=code,
        valid_until=valid_until,
    )


def _with(fact: DocumentedFact, issued: Issued) -> DocumentedFact:
    return fact.model_copy(update={"document_id": issued.document_id, "number": issued.number, "digest": issued.digest})
