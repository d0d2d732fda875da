"""What the money's facts change in the ledger, in the registers of both sides and in the list of orders.

Each posting moves what its fact says and nothing else; what leaves one account of the books enters another.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from activities import register_movements, registers
from activities.bank.excess import list_excess
from activities.documents import compose
from activities.ledger.accounts import Account, AccountName, Entry
from activities.ledger.orders import OrderMark, set_order
from activities.ledger.posting import post
from activities.registers import Enrolled
from activities.scene import Scene, issue
from workflows import events as e
from workflows.fold import advance
from workflows.remittance import Remittance
from workflows.state import TransferState
from workflows.vocabulary import BankReturnReason, MatchDecision, RemittanceKind, RemittanceStatus

REMITTED, CREDITED = OrderMark(RemittanceStatus.REMITTED), OrderMark(RemittanceStatus.CREDITED)


async def freeze(scene: Scene, side: Enrolled, amount_fen: int) -> None:
    """Set so much of the person's account at `side` aside; a negative amount is given back."""
    if not amount_fen:
        return
    await registers.freeze(scene.connection, scene.state, side, amount_fen, scene.today)
    usable, frozen = Account("PERSONAL_ACCOUNTS", *side), Account("FROZEN", *side)
    if amount_fen > 0 or side != origin(scene.state):
        await _post(scene, Entry(usable, -amount_fen), Entry(frozen, amount_fen))
    else:
        await _post(scene, *_set_aside(scene, -amount_fen), Entry(usable, -amount_fen))


def _set_aside(scene: Scene, amount_fen: int) -> tuple[Entry, ...]:
    """The entries that take `amount_fen` of what is set aside at O from where it is: come back, missing, or frozen."""
    names: tuple[AccountName, ...] = ("RETURNED", "SUSPENSE", "FROZEN")
    taken = zip(names, scene.state.set_aside(amount_fen), strict=True)
    return tuple(Entry(Account(name, *origin(scene.state)), -fen) for name, fen in taken if fen)


async def mark_given_up(scene: Scene, fact: e.AnyFact) -> None:
    """Orders that nobody has released or approved, and that `fact` makes needless."""
    _, after = advance(scene.state, (fact,), at=scene.at, actor=scene.actor)
    before = {each.reference for each in scene.state.remittances if each.given_up}
    for order in after.remittances:
        if order.given_up and order.reference not in before:
            await _mark(scene, order.reference, OrderMark(RemittanceStatus.RETURNED))


async def _release_funds(scene: Scene, fact: e.FundsReleased) -> e.AnyFact:
    await freeze(scene, origin(scene.state), -fact.amount_fen)
    return fact


async def _propose_reverse(scene: Scene, fact: e.ReverseProposed) -> e.AnyFact:
    await _keep_order(scene, fact, RemittanceKind.REVERSE, RemittanceStatus.AWAITING_RELEASE)
    return fact


async def _prepare_order(scene: Scene, fact: e.RemittancePrepared) -> e.AnyFact:
    await _keep_order(scene, fact, fact.kind, RemittanceStatus.AWAITING_RELEASE)
    return fact


async def _order_funds(scene: Scene, fact: e.FundsOrdered) -> e.AnyFact:
    if any(each.reference == fact.reference for each in scene.state.remittances):
        # Proposed or prepared before.
        await scene.connection.execute(
            "update remittances set status = 'ORDERED', ordered_at = $2, ordered_by = $3 where reference = $1",
            fact.reference, scene.at, scene.actor.identity,
        )  # fmt: skip
    else:
        await _keep_order(scene, fact, fact.kind, RemittanceStatus.ORDERED)
    if fact.kind is RemittanceKind.REVERSE:
        # It is R that sets the amount aside and sends it; what it never credited lies apart already.
        await freeze(scene, _destination(scene.state), 0 if fact.uncredited else fact.amount_fen)
        return fact
    again = [each for each in _set_aside(scene, fact.amount_fen) if each.account.name != "FROZEN"]
    if again:
        frozen = Entry(Account("FROZEN", *origin(scene.state)), -sum(each.amount_fen for each in again))
        await _post(scene, *again, frozen, reference=fact.reference)
    if fact.kind is not RemittanceKind.PAYOUT:
        content = compose.remittance_content(
            scene.state,
            fact,
            person=await scene.person_block(),
            regions=await scene.regions(),
            ordered_by=fact.prepared_by or scene.actor.identity,
            issued_on=scene.today,
            batch=fact.send_on.isoformat() if fact.send_on else None,
            released_by=scene.actor.identity if fact.prepared_by else None,
        )
        await issue(scene, content, number=fact.reference)
    return fact


async def _keep_order(
    scene: Scene,
    fact: e.FundsOrdered | e.RemittancePrepared | e.ReverseProposed,
    kind: RemittanceKind,
    status: RemittanceStatus,
) -> None:
    await scene.connection.execute(
        """insert into remittances (reference, transfer_id, kind, amount_fen, status, ordered_at, ordered_by, corrects)
           values ($1, $2, $3, $4, $5, $6, $7, $8)""",
        fact.reference, scene.state.transfer_id, kind, fact.amount_fen, status, scene.at, scene.actor.identity,
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
    order, payer = _order(scene.state, fact.reference), _payer(scene.state, fact.reference)
    if not order.uncredited:
        await register_movements.pay_out_frozen(
            scene.connection, scene.state, payer, fact.amount_fen, scene.today, reference=fact.reference
        )
    source = Account("SUSPENSE" if order.uncredited else "FROZEN", *payer)
    await _move(scene, fact.amount_fen, source, Account("IN_TRANSIT", *payer), fact.reference, REMITTED)
    return fact


async def _pay_out_funds(scene: Scene, fact: e.FundsPaidOut) -> e.AnyFact:
    payer = _payer(scene.state, fact.reference)
    in_transit, paid_out = Account("IN_TRANSIT", *payer), Account("PAID_OUT", *payer)
    await _move(scene, fact.amount_fen, in_transit, paid_out, fact.reference, CREDITED)
    return fact


async def _receive_funds(scene: Scene, fact: e.FundsReceived) -> e.AnyFact:
    payer, payee = _payer(scene.state, fact.reference), _payee(scene.state, fact.reference)
    mark = OrderMark(RemittanceStatus.RECEIVED, fact.bank_reference, fact.amount_fen, fact.received_on)
    in_transit, received = Account("IN_TRANSIT", *payer), Account("RECEIVED", *payee)
    await _move(scene, fact.amount_fen, in_transit, received, fact.reference, mark)
    return fact


async def _mismatch_funds(scene: Scene, fact: e.FundsMismatched) -> e.AnyFact:
    mark = OrderMark(RemittanceStatus.MISMATCHED, fact.bank_reference, fact.received_fen, fact.received_on)
    await _mark(scene, fact.reference, mark)
    return fact


async def _credit_funds(scene: Scene, fact: e.FundsCredited) -> e.AnyFact:
    payee = _payee(scene.state, fact.reference)
    await register_movements.credit(
        scene.connection, scene.state, payee, fact.amount_fen, scene.today, reference=fact.reference
    )
    received, usable = Account("RECEIVED", *payee), Account("PERSONAL_ACCOUNTS", *payee)
    await _move(scene, fact.amount_fen, received, usable, fact.reference, CREDITED)
    await freeze(scene, payee, fact.freeze_fen)
    return fact


async def _return_funds(scene: Scene, fact: e.FundsReturned) -> e.AnyFact:
    order, home, there = _order(scene.state, fact.reference), origin(scene.state), _destination(scene.state)
    whole = fact.amount_fen == order.expected_fen
    status = RemittanceStatus.RETURNED if whole else order.status
    await _mark(scene, fact.reference, OrderMark(status, reason=fact.reason))
    await mark_given_up(scene, fact)
    if order.comes_home:
        await _return_to_destination(scene, fact, order)
        return fact
    if not fact.left:
        # It was set aside all the time.
        return fact
    source = Account("IN_TRANSIT", *home)
    if order.status is RemittanceStatus.CREDITED:
        paid_out = order.kind is RemittanceKind.PAYOUT
        source = Account("PAID_OUT", *home) if paid_out else Account("PERSONAL_ACCOUNTS", *there)
        if not paid_out:
            await register_movements.take_off(
                scene.connection, scene.state, there, fact.amount_fen, scene.today, reference=fact.reference
            )
    await register_movements.set_aside_again(
        scene.connection, scene.state, home, fact.amount_fen, scene.today, reference=fact.reference
    )
    await _move(scene, fact.amount_fen, source, Account("RETURNED", *home), fact.reference)
    return fact


async def _return_to_destination(scene: Scene, fact: e.FundsReturned, order: Remittance) -> None:
    """Money on its way home is R's again: in the person's account, or apart where R had never credited it."""
    there = _destination(scene.state)
    in_transit, usable = Account("IN_TRANSIT", *there), Account("PERSONAL_ACCOUNTS", *there)
    if order.uncredited and fact.left:
        await _move(scene, fact.amount_fen, in_transit, Account("SUSPENSE", *there), fact.reference)
    elif fact.left:
        await register_movements.credit(
            scene.connection, scene.state, there, fact.amount_fen, scene.today, reference=fact.reference
        )
        await _move(scene, fact.amount_fen, in_transit, usable, fact.reference)
    elif not order.uncredited:
        await freeze(scene, there, -fact.amount_fen)


async def _match_funds(scene: Scene, fact: e.FundsMatched) -> e.AnyFact:
    """What never came is searched for at its payer; what was not accepted, and what came beyond the order, lies apart at its payee."""
    order = _order(scene.state, fact.reference)
    payer, payee = _payer(scene.state, fact.reference), _payee(scene.state, fact.reference)
    if fact.decision is MatchDecision.SEND_HOME:
        reason = BankReturnReason.AMOUNT_MISMATCH
        await _mark(scene, fact.reference, OrderMark(RemittanceStatus.RETURNED, reason=reason))
    in_transit = Account("IN_TRANSIT", *payer)
    if fact.sent_home_fen:
        await _move(scene, fact.sent_home_fen, in_transit, Account("SUSPENSE", *payee), fact.reference)
    if fact.missing_fen:
        await _miss(scene, fact, order, payer)
    if fact.excess_fen:
        regions = await scene.regions()
        sides = {"payer": regions[payer.region], "payee": regions[payee.region]}
        name = await list_excess(scene.connection, scene.keyring, order, fact.excess_fen, **sides)
        outside, apart = Account("CLEARING", *payee), Account("SUSPENSE", *payee)
        excess = (Entry(outside, -fact.excess_fen, name), Entry(apart, fact.excess_fen, name))
        await _post(scene, *excess, reference=fact.reference)
    return fact


async def _miss(scene: Scene, fact: e.FundsMatched, order: Remittance, payer: Enrolled) -> None:
    """The payer answers for what went missing: O until it is ordered again, R to the person's account."""
    target = Account("SUSPENSE", *payer)
    if not order.comes_home:
        await register_movements.set_aside_again(
            scene.connection, scene.state, payer, fact.missing_fen, scene.today, reference=fact.reference
        )
    elif not order.uncredited:
        target = Account("PERSONAL_ACCOUNTS", *payer)
        await register_movements.credit(
            scene.connection, scene.state, payer, fact.missing_fen, scene.today, reference=fact.reference
        )
    await _move(scene, fact.missing_fen, Account("IN_TRANSIT", *payer), target, fact.reference)


# Each effect takes the scene and its own kind of fact.
MONEY_EFFECTS: dict[type[e.Fact], Callable[[Scene, Any], Awaitable[e.AnyFact]]] = {
    e.RemittancePrepared: _prepare_order,
    e.FundsOrdered: _order_funds,
    e.FundsRemitted: _remit_funds,
    e.FundsReceived: _receive_funds,
    e.FundsMismatched: _mismatch_funds,
    e.FundsReturned: _return_funds,
    e.FundsMatched: _match_funds,
    e.FundsCredited: _credit_funds,
    e.FundsPaidOut: _pay_out_funds,
    e.FundsReleased: _release_funds,
    e.ReverseProposed: _propose_reverse,
    e.PayoutAccountProvided: _keep_payout_account,
}


async def _mark(scene: Scene, reference: str, mark: OrderMark) -> None:
    await scene.connection.execute(f"update remittances set {set_order(2)} where reference = $1", reference, *mark)  # noqa: S608 - of constants


async def _move(
    scene: Scene, amount_fen: int, source: Account, target: Account, reference: str, marked: OrderMark | None = None
) -> None:
    await _post(scene, Entry(source, -amount_fen), Entry(target, amount_fen), reference=reference, marked=marked)


async def _post(scene: Scene, *entries: Entry, reference: str | None = None, marked: OrderMark | None = None) -> None:
    """Write the entries, and in the same statement what becomes of the order that they belong to."""
    await post(
        scene.connection,
        scene.state.transfer_id,
        seq=scene.seq,
        at=scene.at,
        entries=entries,
        reference=reference,
        marked=marked,
    )


def origin(state: TransferState) -> Enrolled:
    return Enrolled(state.from_region, state.from_scheme)


def _destination(state: TransferState) -> Enrolled:
    return Enrolled(state.to_region, state.to_scheme)


def _payer(state: TransferState, reference: str) -> Enrolled:
    """Who sends the order's money: O, or R when it comes home."""
    return _destination(state) if _order(state, reference).comes_home else origin(state)


def _payee(state: TransferState, reference: str) -> Enrolled:
    return origin(state) if _order(state, reference).comes_home else _destination(state)


def _order(state: TransferState, reference: str) -> Remittance:
    return next(each for each in state.remittances if each.reference == reference)
