"""What a late contribution changes: the person's account at O, from where its money follows, and the months that R holds."""

from collections.abc import Awaitable, Callable
from typing import Any

from activities import registers
from activities.effects_money import freeze, origin
from activities.ledger.accounts import Account
from activities.ledger.posting import post
from activities.scene import Scene
from workflows import events as e
from workflows.contribution import ContributionPeriod, merge
from workflows.fold import advance


async def _book_contribution(scene: Scene, fact: e.LateContribution) -> e.AnyFact:
    """It came from outside, without an order of ours; it is the person's at O, and set aside at once where it is to follow."""
    state, side = scene.state, origin(scene.state)
    enrolments = await registers.lock_both(scene.connection, state)
    await registers.add_contribution(scene.connection, state, side, fact.amount_fen, scene.today)
    await post(
        scene.connection,
        state.transfer_id,
        seq=scene.seq,
        amount_fen=fact.amount_fen,
        source=Account("CLEARING", *side),
        target=Account("PERSONAL_ACCOUNTS", *side),
        at=scene.at,
    )
    _, after = advance(state, (fact,), at=scene.at, actor=scene.actor)
    await freeze(scene, side, after.frozen_fen - state.frozen_fen)
    held = registers.periods_of(enrolments.destination["contribution_periods"]) if enrolments.destination else ()
    paid = ContributionPeriod(first_month=fact.month, last_month=fact.month, deemed=False, **side._asdict())
    months = merge(held, (paid,), home=state.to_region)
    await registers.set_months(scene.connection, state, months, scene.today)
    return fact


RESIDUAL_EFFECTS: dict[type[e.Fact], Callable[[Scene, Any], Awaitable[e.AnyFact]]] = {
    e.LateContribution: _book_contribution,
}
