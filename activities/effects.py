"""What a fact changes outside the case itself: registers, ledger, documents. One effect for each fact that has one.

An effect runs inside the step's transaction and returns the fact, completed with the id, number and digest of the
document that came with it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

from activities import ledger, registers
from activities.database import Connection
from activities.documents import compose, store
from activities.documents.content import DocumentContent, PersonBlock
from activities.documents.store import Issued
from activities.documents.verification import certificate_number
from activities.keyring import Keyring
from activities.ledger import Account
from activities.people import PersonRef, person_by_id
from activities.reference import RegionEntry, calendar_in_force, regions_on
from workflows import events as e
from workflows.actors import Actor
from workflows.deadlines import shanghai_date
from workflows.fold import advance
from workflows.state import TransferState
from workflows.vocabulary import RemittanceStatus

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
            name_sealed = await registers.name_sealed(self.connection, self.state)
            self.known_block = compose.person_block(await self.person(), name_sealed)
        return self.known_block

    async def regions(self, *more: str) -> dict[str, RegionEntry]:
        """The two regions and `more`, by code; a region that the directory lacks is not among them."""
        unread = {self.state.from_region, self.state.to_region, *more} - self.known_regions.keys()
        if unread:
            self.known_regions = self.known_regions | await regions_on(self.connection, self.today, sorted(unread))
        return self.known_regions


async def complete(scene: Scene, facts: tuple[e.AnyFact, ...]) -> tuple[e.AnyFact, ...]:
    """Carry out the effect of every fact, in order; the scene's case goes along with them."""
    completed: list[e.AnyFact] = []
    for fact in facts:
        effect = EFFECTS.get(type(fact))
        done = await effect(scene, fact) if effect else fact
        completed.append(done)
        _, scene.state = advance(scene.state, (done,), at=scene.at, actor=scene.actor)
    return tuple(completed)


async def _accept(scene: Scene, fact: e.Accepted) -> e.AnyFact:
    # The clocks that the acceptance starts are those of the case as it makes it.
    _, state = advance(scene.state, (fact,), at=scene.at, actor=scene.actor)
    content = compose.acceptance_content(
        state,
        person=await scene.person_block(),
        regions=await scene.regions(),
        accepted_at=scene.at,
        calendar=await calendar_in_force(scene.connection, scene.today),
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
    content = compose.form_content(
        state,
        fact,
        person=compose.person_block(await scene.person(), enrolment["name_sealed"]),
        regions=await scene.regions(*(period.region for period in fact.periods)),
        enrolled_on=enrolment["enrolled_on"],
        made_by=scene.actor.subject,
        issued_on=scene.today,
    )
    issued = await _issue(scene, content, version=fact.version)
    if fact.balance_fen:
        await registers.freeze(scene.connection, state, fact.balance_fen, scene.today)
        await _post(scene, fact.balance_fen, _origin(state, "PERSONAL_ACCOUNTS"), _origin(state, "FROZEN"))
    return _with(fact, issued)


async def _order_funds(scene: Scene, fact: e.FundsOrdered) -> e.AnyFact:
    await scene.connection.execute(
        """insert into remittances (reference, transfer_id, kind, amount_fen, status, ordered_at, ordered_by)
           values ($1, $2, 'TRANSFER', $3, 'ORDERED', $4, $5)""",
        fact.reference, scene.state.transfer_id, fact.amount_fen, scene.at, scene.actor.subject,
    )  # fmt: skip
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


async def _remit_funds(scene: Scene, fact: e.FundsRemitted) -> e.AnyFact:
    state = scene.state
    await _mark(scene, fact.reference, RemittanceStatus.REMITTED)
    await registers.pay_out_frozen(scene.connection, state, fact.amount_fen, scene.today)
    await _post(scene, fact.amount_fen, _origin(state, "FROZEN"), _origin(state, "IN_TRANSIT"))
    return fact


async def _receive_funds(scene: Scene, fact: e.FundsReceived) -> e.AnyFact:
    state = scene.state
    await _mark(scene, fact.reference, RemittanceStatus.RECEIVED, advice=fact)
    await _post(scene, fact.amount_fen, _origin(state, "IN_TRANSIT"), _destination(state, "RECEIVED"))
    return fact


async def _mismatch_funds(scene: Scene, fact: e.FundsMismatched) -> e.AnyFact:
    await _mark(scene, fact.reference, RemittanceStatus.MISMATCHED, advice=fact)
    return fact


async def _credit_funds(scene: Scene, fact: e.FundsCredited) -> e.AnyFact:
    state = scene.state
    await _mark(scene, fact.reference, RemittanceStatus.CREDITED)
    await registers.credit(scene.connection, state, fact.amount_fen, scene.today)
    await _post(scene, fact.amount_fen, _destination(state, "RECEIVED"), _destination(state, "PERSONAL_ACCOUNTS"))
    return fact


async def _confirm_continuation(scene: Scene, fact: e.ContinuationConfirmed) -> e.AnyFact:
    state = scene.state
    if state.form is None:
        raise ValueError("no form, nothing to continue")
    await registers.merge_months(scene.connection, state, state.form.periods, scene.today)
    content = compose.continuation_content(
        state, fact, person=await scene.person_block(), regions=await scene.regions(), issued_on=scene.today
    )
    return _with(fact, await _issue(scene, content))


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
        calendar=await calendar_in_force(scene.connection, scene.today),
    )
    await _issue(scene, content, verification_code=code)
    return fact


async def _withdraw(scene: Scene, fact: e.Withdrawn) -> e.AnyFact:
    await store.void_certificates(scene.connection, scene.state.transfer_id, scene.at)
    return fact


# Each effect takes the scene and its own kind of fact.
EFFECTS: dict[type[e.Fact], Callable[[Scene, Any], Awaitable[e.AnyFact]]] = {
    e.Accepted: _accept,
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
    e.Withdrawn: _withdraw,
    e.Completed: _complete,
}


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
    content = compose.certificate_content(
        person=compose.person_block(person, enrolment["name_sealed"]),
        region=region,
        enrolment=enrolment,
        periods=registers.periods_of(enrolment["contribution_periods"]),
        verification_code=code,
        issued_on=issued_on,
        transfer_no=state.no if state else None,
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


async def _post(scene: Scene, amount_fen: int, source: Account, target: Account) -> None:
    await ledger.post(
        scene.connection,
        scene.state.transfer_id,
        seq=scene.seq,
        amount_fen=amount_fen,
        source=source,
        target=target,
        at=scene.at,
    )


def _origin(state: TransferState, name: ledger.AccountName) -> Account:
    return Account(name, state.from_region, state.from_scheme)


def _destination(state: TransferState, name: ledger.AccountName) -> Account:
    return Account(name, state.to_region, state.to_scheme)
