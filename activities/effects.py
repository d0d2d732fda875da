"""What a fact changes outside the case itself: registers, ledger, documents. One effect for each fact that has one.

An effect runs inside the step's transaction and returns the fact, completed with the id, number and digest of the
document that came with it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

from activities import register_movements, registers
from activities.database import Connection
from activities.documents import compose, store
from activities.documents import compose_letters as letters
from activities.documents.content import DocumentContent, PersonBlock
from activities.documents.store import Issued
from activities.documents.verification import certificate_number, contact_letter_number
from activities.keyring import Keyring
from activities.ledger.accounts import Account
from activities.ledger.posting import post
from activities.people import PersonRef, person_by_id
from activities.reference import RegionEntry, regions_on
from activities.registers import Enrolled
from workflows import events as e
from workflows.actors import Actor
from workflows.continuation import end_of_months
from workflows.contribution import merge
from workflows.deadlines import shanghai_date
from workflows.fold import advance
from workflows.state import TransferState
from workflows.vocabulary import DocumentKind, RemittanceKind, RemittanceStatus, Role, TransferRoute
from workflows.workdays import WorkingCalendar

DocumentedFact = TypeVar("DocumentedFact", bound=e.Documented)


@dataclass
class Scene:
    """Where an effect takes place: the transaction, the case before the fact in hand, who acts and when.

    What is known of the person and the regions is read once in a step, or was read before it.
    """

    connection: Connection
    keyring: Keyring
    state: TransferState
    actor: Actor
    at: datetime
    calendar: WorkingCalendar
    known_person: PersonRef | None = None
    known_regions: dict[str, RegionEntry] = field(default_factory=dict)
    known_block: PersonBlock | None = None

    @property
    def seq(self) -> int:
        """The number that the event of the fact in hand will have."""
        return self.state.revision + 1

    @property
    def today(self) -> date:
        return shanghai_date(self.at)

    async def person(self) -> PersonRef:
        if self.known_person is None:
            self.known_person = await person_by_id(self.connection, self.keyring, self.state.person_id)
        if self.known_person is None:
            raise LookupError(f"person {self.state.person_id} is not in the registers any more")
        return self.known_person

    async def person_block(self) -> PersonBlock:
        """The person in full, named as O's register spells it."""
        if self.known_block is None:
            self.known_person, name_sealed = await registers.named_person(self.connection, self.keyring, self.state)
            self.known_block = compose.person_block(self.known_person, name_sealed)
        return self.known_block

    async def regions(self, *more: str) -> dict[str, RegionEntry]:
        """The two regions and `more`, by code; a region that the directory lacks is not among them."""
        unread = {self.state.from_region, self.state.to_region, *more} - self.known_regions.keys()
        if unread:
            self.known_regions = self.known_regions | await regions_on(self.connection, self.today, sorted(unread))
        return self.known_regions


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
    await _issue(scene, content)
    return fact


async def issue_application(scene: Scene, enrolment: Any, certificate_number: str | None) -> None:
    """The application form, which travels by post; `enrolment` is O's register row, None when it has none."""
    by_employer = scene.actor.has(Role.EMPLOYER)
    content = letters.application_content(
        scene.state,
        applicant="EMPLOYER" if by_employer else "PERSON",
        person=await scene.person_block(),
        regions=await scene.regions(),
        enrolment=enrolment,
        periods=registers.periods_of(enrolment["contribution_periods"]) if enrolment else (),
        certificate_number=certificate_number,
    )
    await _issue(scene, content)


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
    return _with(fact, await _issue(scene, content, number=number))


async def _request_correction(scene: Scene, fact: e.CorrectionRequested) -> e.AnyFact:
    content = letters.correction_content(
        scene.state,
        correction_round=fact.round,
        reason=fact.reason,
        note=fact.note,
        person=await scene.person_block(),
        regions=await scene.regions(),
        issued_on=scene.today,
    )
    return _with(fact, await _issue(scene, content, version=fact.round))


async def _notify_of_arrears(scene: Scene, fact: e.ArrearsNotified) -> e.AnyFact:
    content = letters.arrears_content(
        scene.state, fact, person=await scene.person_block(), regions=await scene.regions(), issued_on=scene.today
    )
    await _issue(scene, content)
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
    state, enrolment = scene.state, await registers.origin_row(scene.connection, scene.state)
    prepared = state.prepared
    if prepared is not None:
        fact = fact.model_copy(update={"note": await _note_of_prepared(scene)})
    content = compose.form_content(
        state,
        fact,
        person=compose.person_block(await scene.person(), enrolment["name_sealed"]),
        regions=await scene.regions(*(period.region for period in fact.periods)),
        enrolled_on=enrolment["enrolled_on"],
        made_by=prepared.made_by if prepared else scene.actor.subject,
        checked_by=scene.actor.subject if prepared else None,
        issued_on=scene.today,
    )
    issued = await _issue_version(scene, content, DocumentKind.INFORMATION_FORM, fact.version)
    freeze_fen = fact.balance_fen if fact.freeze_fen is None else fact.freeze_fen
    await _freeze(scene, _origin(state), freeze_fen)
    _, after = advance(state, (fact,), at=scene.at, actor=scene.actor)
    for given_up in [each.reference for each in after.remittances if each.given_up]:
        await _mark(scene, given_up, RemittanceStatus.RETURNED)
    return _with(fact, issued)


async def _note_of_prepared(scene: Scene) -> str | None:
    """What the form's maker wrote: people's words are in the event alone, not in the state."""
    note: str | None = await scene.connection.fetchval(
        """select event -> 'fact' ->> 'note' from transfer_events where transfer_id = $1 and type = 'form_prepared.1'
            order by seq desc limit 1""",
        scene.state.transfer_id,
    )
    return note


async def _freeze(scene: Scene, side: Enrolled, amount_fen: int) -> None:
    """Set so much of the person's account at `side` aside; a negative amount is given back."""
    if not amount_fen:
        return
    await registers.freeze(scene.connection, scene.state, side, amount_fen, scene.today)
    usable, frozen = Account("PERSONAL_ACCOUNTS", *side), Account("FROZEN", *side)
    source, target = (usable, frozen) if amount_fen > 0 else (frozen, usable)
    await _post(scene, abs(amount_fen), source, target)


async def _release_funds(scene: Scene, fact: e.FundsReleased) -> e.AnyFact:
    await _freeze(scene, _origin(scene.state), -fact.amount_fen)
    return fact


async def _propose_reverse(scene: Scene, fact: e.ReverseProposed) -> e.AnyFact:
    await _keep_order(scene, fact, RemittanceKind.REVERSE, RemittanceStatus.AWAITING_RELEASE)
    return fact


async def _order_funds(scene: Scene, fact: e.FundsOrdered) -> e.AnyFact:
    if fact.kind is RemittanceKind.REVERSE:
        # Proposed before; it is R that sets the amount aside and sends it.
        await scene.connection.execute(
            "update remittances set status = 'ORDERED', ordered_at = $2, ordered_by = $3 where reference = $1",
            fact.reference, scene.at, scene.actor.subject,
        )  # fmt: skip
        await _freeze(scene, _destination(scene.state), fact.amount_fen)
    else:
        await _keep_order(scene, fact, fact.kind, RemittanceStatus.ORDERED)
    if fact.kind is RemittanceKind.TRANSFER:
        content = compose.remittance_content(
            scene.state,
            fact,
            person=await scene.person_block(),
            regions=await scene.regions(),
            ordered_by=scene.actor.subject,
            issued_on=scene.today,
        )
        await _issue(scene, content, number=fact.reference)
    return fact


async def _keep_order(
    scene: Scene, fact: e.FundsOrdered | e.ReverseProposed, kind: RemittanceKind, status: RemittanceStatus
) -> None:
    await scene.connection.execute(
        """insert into remittances (reference, transfer_id, kind, amount_fen, status, ordered_at, ordered_by, corrects)
           values ($1, $2, $3, $4, $5, $6, $7, $8)""",
        fact.reference, scene.state.transfer_id, kind, fact.amount_fen, status, scene.at, scene.actor.subject,
        fact.corrects,
    )  # fmt: skip


async def _keep_payout_account(scene: Scene, fact: e.PayoutAccountProvided) -> e.AnyFact:
    """The account lies sealed beside the person's register; the event keeps the digits that people may see."""
    await scene.connection.execute(
        """insert into payout_accounts (transfer_id, person_id, account_sealed, provided_at) values ($1, $2, $3, $4)
           on conflict (transfer_id) do update set account_sealed = excluded.account_sealed, provided_at = excluded.provided_at""",
        scene.state.transfer_id, scene.state.person_id, bytes.fromhex(fact.sealed), scene.at,
    )  # fmt: skip
    return fact.model_copy(update={"sealed": ""})


async def _remit_funds(scene: Scene, fact: e.FundsRemitted) -> e.AnyFact:
    payer = _payer(scene.state, fact.reference)
    await _mark(scene, fact.reference, RemittanceStatus.REMITTED)
    await register_movements.pay_out_frozen(
        scene.connection, scene.state, payer, fact.amount_fen, scene.today, reference=fact.reference
    )
    await _post(
        scene, fact.amount_fen, Account("FROZEN", *payer), Account("IN_TRANSIT", *payer), reference=fact.reference
    )
    return fact


async def _pay_out_funds(scene: Scene, fact: e.FundsPaidOut) -> e.AnyFact:
    payer = _payer(scene.state, fact.reference)
    await _mark(scene, fact.reference, RemittanceStatus.CREDITED)
    await _post(
        scene, fact.amount_fen, Account("IN_TRANSIT", *payer), Account("PAID_OUT", *payer), reference=fact.reference
    )
    return fact


async def _receive_funds(scene: Scene, fact: e.FundsReceived) -> e.AnyFact:
    payer, payee = _payer(scene.state, fact.reference), _payee(scene.state, fact.reference)
    await _mark(scene, fact.reference, RemittanceStatus.RECEIVED, advice=fact)
    await _post(
        scene, fact.amount_fen, Account("IN_TRANSIT", *payer), Account("RECEIVED", *payee), reference=fact.reference
    )
    return fact


async def _mismatch_funds(scene: Scene, fact: e.FundsMismatched) -> e.AnyFact:
    await _mark(scene, fact.reference, RemittanceStatus.MISMATCHED, advice=fact)
    return fact


async def _credit_funds(scene: Scene, fact: e.FundsCredited) -> e.AnyFact:
    payee = _payee(scene.state, fact.reference)
    await _mark(scene, fact.reference, RemittanceStatus.CREDITED)
    await register_movements.credit(
        scene.connection, scene.state, payee, fact.amount_fen, scene.today, reference=fact.reference
    )
    await _post(
        scene,
        fact.amount_fen,
        Account("RECEIVED", *payee),
        Account("PERSONAL_ACCOUNTS", *payee),
        reference=fact.reference,
    )
    await _freeze(scene, payee, fact.freeze_fen)
    return fact


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
        scene.state, fact, person=await scene.person_block(), regions=await scene.regions(), issued_on=scene.today
    )
    return _with(fact, await _issue(scene, content))


async def _complete(scene: Scene, fact: e.Completed) -> e.AnyFact:
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
    await _issue(scene, content, verification_code=code)
    return fact


async def _end_early(scene: Scene, fact: e.Withdrawn | e.TerminationOrdered | e.Terminated) -> e.AnyFact:
    await store.void_certificates(scene.connection, scene.state.transfer_id, scene.at)
    return fact


# Each effect takes the scene and its own kind of fact.
EFFECTS: dict[type[e.Fact], Callable[[Scene, Any], Awaitable[e.AnyFact]]] = {
    e.Accepted: _accept,
    e.ArrearsNotified: _notify_of_arrears,
    e.ContactLetterIssued: _issue_letter,
    e.CorrectionRequested: _request_correction,
    e.CoverageStopped: _stop_coverage,
    e.CertificateIssued: _issue_certificate,
    e.CertificateReissued: _reissue_certificate,
    e.FormDelivered: _deliver_form,
    e.FundsOrdered: _order_funds,
    e.FundsRemitted: _remit_funds,
    e.FundsReceived: _receive_funds,
    e.FundsMismatched: _mismatch_funds,
    e.FundsCredited: _credit_funds,
    e.ContinuationConfirmed: _confirm_continuation,
    e.Declined: _decline,
    e.FundsReleased: _release_funds,
    e.ReverseProposed: _propose_reverse,
    e.PayoutAccountProvided: _keep_payout_account,
    e.FundsPaidOut: _pay_out_funds,
    e.Withdrawn: _end_early,
    e.TerminationOrdered: _end_early,
    e.Terminated: _end_early,
    e.Completed: _complete,
}


async def _issue_version(scene: Scene, content: DocumentContent, kind: DocumentKind, version: int) -> Issued:
    """Keep a version of a document; those before it are superseded, and say so."""
    if version > 1:
        await store.void_earlier_versions(scene.connection, scene.state.transfer_id, kind, version, scene.at)
    return await _issue(scene, content, version=version)


async def _issue(
    scene: Scene,
    content: DocumentContent,
    *,
    number: str | None = None,
    version: int = 1,
    verification_code: str | None = None,
) -> Issued:
    """Keep a document of the case, by the agency that it names; its number is the transfer's unless it has its own."""
    return await store.issue(
        scene.connection,
        await scene.person(),
        content,
        number=number or scene.state.no,
        version=version,
        issued_at=scene.at,
        transfer_id=scene.state.transfer_id,
        issued_by=content.agency.region,
        verification_code=verification_code,
    )


async def _certificate(scene: Scene) -> Issued:
    enrolment = await registers.origin_row(scene.connection, scene.state)
    regions = await scene.regions()
    return await certificate(
        scene.connection,
        await scene.person(),
        enrolment,
        regions[scene.state.from_region],
        at=scene.at,
        state=scene.state,
    )


async def certificate(
    connection: Connection,
    person: PersonRef,
    enrolment: Any,
    region: RegionEntry,
    *,
    at: datetime,
    state: TransferState | None = None,
) -> Issued:
    """Issue an enrolment certificate from O's register row, for a transfer or by itself."""
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
    return await store.issue(
        connection,
        person,
        content,
        number=certificate_number(region.code, issued_on.year, serial),
        issued_at=at,
        transfer_id=state.transfer_id if state else None,
        issued_by=region.code,
        verification_code=code,
        valid_until=valid_until,
    )


def _with(fact: DocumentedFact, issued: Issued) -> DocumentedFact:
    return fact.model_copy(update={"document_id": issued.document_id, "number": issued.number, "digest": issued.digest})


async def _mark(
    scene: Scene,
    reference: str,
    status: RemittanceStatus,
    *,
    advice: e.FundsReceived | e.FundsMismatched | None = None,
) -> None:
    received_fen = None
    if advice is not None:
        received_fen = advice.amount_fen if isinstance(advice, e.FundsReceived) else advice.received_fen
    await scene.connection.execute(
        """update remittances set status = $2, bank_reference = coalesce($3, bank_reference),
                  received_fen = coalesce($4, received_fen), received_on = coalesce($5, received_on) where reference = $1""",
        reference, status, advice and advice.bank_reference, received_fen, advice and advice.received_on,
    )  # fmt: skip


async def _post(
    scene: Scene, amount_fen: int, source: Account, target: Account, *, reference: str | None = None
) -> None:
    await post(
        scene.connection,
        scene.state.transfer_id,
        seq=scene.seq,
        amount_fen=amount_fen,
        source=source,
        target=target,
        at=scene.at,
        reference=reference,
    )


def _origin(state: TransferState) -> Enrolled:
    return Enrolled(state.from_region, state.from_scheme)


def _destination(state: TransferState) -> Enrolled:
    return Enrolled(state.to_region, state.to_scheme)


def _payer(state: TransferState, reference: str) -> Enrolled:
    """Who sends the order's money: O, or R when it comes home."""
    return _destination(state) if _comes_home(state, reference) else _origin(state)


def _payee(state: TransferState, reference: str) -> Enrolled:
    return _origin(state) if _comes_home(state, reference) else _destination(state)


def _comes_home(state: TransferState, reference: str) -> bool:
    order = next(each for each in state.remittances if each.reference == reference)
    return order.kind is RemittanceKind.REVERSE
