"""What an act is asked to do at a desk: the order that reaches it, made as the workflow, the gateway or the loop makes it."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from pydantic import BaseModel

from tests.activities.contribution_feeds import contribution, feed_text
from tests.activities.desk import THURSDAY
from tests.cases import BALANCE_FEN
from tests.faults.beside import At, Feed, Nothing, Reopening
from tests.faults.desk import MoneyDesk
from tests.faults.outside_desk import LATER, OutsideDesk
from tests.office import payout_ask
from workflows import commands as c
from workflows.actors import Actor
from workflows.messages import UnmatchedFundsOrder
from workflows.vocabulary import MatchDecision

Given = Callable[[OutsideDesk], Awaitable[BaseModel]]


async def release(desk: MoneyDesk) -> c.Ask:
    prepared = (await desk.state()).to_release
    assert prepared is not None
    return c.ReleaseRemittance(remittance_reference=prepared.reference)


def match(decision: MatchDecision) -> Callable[[MoneyDesk], Awaitable[c.Ask]]:
    async def ask(desk: MoneyDesk) -> c.Ask:
        return await desk.match(decision)

    return ask


def came_back(amount_fen: int) -> Given:
    """The bank's word that so much of the last order came back, or did not leave."""

    async def given(desk: MoneyDesk) -> BaseModel:
        return await desk.note(amount_fen)

    return given


async def advice(desk: MoneyDesk) -> BaseModel:
    """The bank's word that the order is on R's account."""
    note = await desk.note(BALANCE_FEN)
    said = note.said.model_copy(update={"said": "CREDITED", "reason": None, "bank_reference": "C-1"})
    return note.model_copy(update={"said": said})


async def late_return(desk: MoneyDesk) -> BaseModel:
    """The same of a case that is completed."""
    note = await desk.note(BALANCE_FEN)
    return Reopening(no=desk.transfer.transfer_no, said=note.said, now=THURSDAY)


async def nothing(_: MoneyDesk) -> BaseModel:
    return Nothing()


async def account(desk: MoneyDesk) -> c.Ask:
    return await payout_ask(desk.cases, await desk.state())


def taken(ask: c.Ask | Callable[[MoneyDesk], Awaitable[c.Ask]], actor: Actor, *, at: datetime = THURSDAY) -> Given:
    """A step, recorded by the gateway and not yet carried out."""

    async def given(desk: MoneyDesk) -> BaseModel:
        said = ask if isinstance(ask, c.Ask) else await ask(desk)
        return await desk.order(await desk.cases.ask(desk.transfer, said, actor, at=at))

    return given


async def bank_word(desk: MoneyDesk) -> BaseModel:
    """What the workflow notes when the bank has taken the order on its way."""
    state, order = await desk.state(), await desk.bank_order()
    return (await desk.bank_word(THURSDAY)).model_copy(
        update={"reference": order.reference, "after_seq": state.revision}
    )


async def clock(_: MoneyDesk) -> BaseModel:
    return At(now=THURSDAY)


async def a_month_later(_: MoneyDesk) -> BaseModel:
    return At(now=LATER)


async def contributions(desk: MoneyDesk) -> BaseModel:
    """A feed that says one of its lines twice."""
    line = contribution(region=desk.between[0])
    return Feed(text=feed_text(line, line, contribution(contribution_id="BJ-2", region=desk.between[0])), now=LATER)


async def funds_home(_: MoneyDesk) -> BaseModel:
    """What R's finance has asked for under this command."""
    return UnmatchedFundsOrder(command_id="C")
