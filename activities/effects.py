"""What a fact changes outside the case itself: registers, ledger, documents. One effect for each fact that has one.

An effect runs inside the step's transaction and returns the fact, completed with the id, number and digest of the
document that came with it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from activities import ledger, registers
from activities.database import Connection
from activities.documents import compose, store
from activities.documents.store import Issued
from activities.documents.verification import certificate_number
from activities.keyring import Keyring
from activities.ledger import Account
from activities.people import PersonRef, person_by_id
from activities.reference import RegionEntry, regions_on
from workflows import events as e
from workflows.actors import Actor
from workflows.deadlines import shanghai_date
from workflows.state import TransferState
from workflows.vocabulary import RemittanceStatus

DocumentedFact = TypeVar("DocumentedFact", bound=e.Documented)


@dataclass
class Scene:
    """Where an effect takes place: the transaction, the case before the step, who acts and when."""

    connection: Connection
    keyring: Keyring
    state: TransferState
    actor: Actor
    at: datetime
    # The number that the event of the fact in hand will have.
    seq: int = 0

    @property
    def today(self) -> date:
        return shanghai_date(self.at)

    async def person(self) -> PersonRef:
        person = await person_by_id(self.connection, self.keyring, self.state.person_id)
        if person is None:
            raise LookupError(f"person {self.state.person_id} is not in the registers any more")
        return person

    async def regions(self, *more: str) -> dict[str, RegionEntry]:
        codes = {self.state.from_region, self.state.to_region, *more}
        return await regions_on(self.connection, self.today, sorted(codes))


async def complete(scene: Scene, facts: tuple[e.AnyFact, ...]) -> tuple[e.AnyFact, ...]:
    """Carry out the effect of every fact, in order."""
    completed: list[e.AnyFact] = []
    for seq, fact in enumerate(facts, scene.state.revision + 1):
        scene.seq = seq
        effect = EFFECTS.get(type(fact))
        completed.append(await effect(scene, fact) if effect else fact)
    return tuple(completed)


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
    person = await scene.person()
    content = compose.form_content(
        state,
        fact,
        person=compose.person_block(person, enrolment["name_sealed"]),
        regions=await scene.regions(*(period.region for period in fact.periods)),
        enrolled_on=enrolment["enrolled_on"],
        made_by=scene.actor.subject,
        issued_on=scene.today,
    )
    issued = await store.issue(
        scene.connection,
        person,
        content,
        number=state.no,
        version=fact.version,
        issued_at=scene.at,
        transfer_id=state.transfer_id,
        issued_by=state.from_region,
    )
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
    person, enrolment = await scene.person(), await registers.origin_row(scene.connection, state)
    content = compose.continuation_content(
        state,
        fact,
        person=compose.person_block(person, enrolment["name_sealed"]),
        regions=await scene.regions(),
        issued_on=scene.today,
    )
    issued = await store.issue(
        scene.connection,
        person,
        content,
        number=state.no,
        issued_at=scene.at,
        transfer_id=state.transfer_id,
        issued_by=state.to_region,
    )
    return _with(fact, issued)


async def _decline(scene: Scene, fact: e.Declined) -> e.AnyFact:
    state = scene.state
    await store.void_certificates(scene.connection, state.transfer_id, scene.at)
    person = await scene.person()
    content = compose.refusal_content(
        state,
        fact,
        person=compose.person_block(person, await registers.name_sealed(scene.connection, state)),
        regions=await scene.regions(),
        issued_on=scene.today,
    )
    issued = await store.issue(
        scene.connection,
        person,
        content,
        number=state.no,
        issued_at=scene.at,
        transfer_id=state.transfer_id,
        issued_by=content.agency.region,
    )
    return _with(fact, issued)


async def _withdraw(scene: Scene, fact: e.Withdrawn) -> e.AnyFact:
    await store.void_certificates(scene.connection, scene.state.transfer_id, scene.at)
    return fact


# Each effect takes the scene and its own kind of fact.
EFFECTS: dict[type[e.Fact], Callable[[Scene, Any], Awaitable[e.AnyFact]]] = {
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
}


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
