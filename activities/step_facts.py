"""What the registers and the books say that a step rests on, read under the locks that its effect will need."""

from typing import Any

from activities import registers
from activities.database import Connection
from activities.remit_policy import remit_facts, sent_on
from activities.scene import Scene
from workflows import commands as c
from workflows.eligibility import shortened_periods
from workflows.state import TransferState

# What a bank's reference has been credited for, be it that the bank took it back since, or that R sent it home. Money that is on the list
# of what is nobody's is held, so that it does not go home meanwhile.
PAID_BY_SQL = """
with listed as (
    select coalesce(end_to_end_id, entry_reference) as reference, state in ('GOING_HOME', 'SENT_HOME') as gone
      from bank_entries
     where entry_reference = $1 and kind = 'CREDIT' and state in ('UNMATCHED', 'GOING_HOME', 'SENT_HOME') for update)
select coalesce(
    (select reference from remittances where bank_reference = $1 and status = 'CREDITED'),
    (select max(reference) from remittances where bank_reference = $1 and status = 'RETURNED' and received_fen is not null),
    (select max(reference) filter (where gone) from listed))
"""


async def read_facts(scene: Scene, command: c.Command) -> c.StepFacts | None:  # noqa: PLR0911 - one arm for each kind of facts
    """What the registers say that the step rests on."""
    connection, state = scene.connection, scene.state
    match command.ask:
        case c.AcceptTransfer():
            return c.AcceptanceFacts(periods=await _shortened(scene))
        case c.StopCoverage():
            return await registers.stop_facts(connection, state, await _shortened(scene))
        case c.DeliverInformationForm() | c.CheckInformationForm():
            # The form is written from the row that it was decided on.
            scene.known_sides = await registers.lock_both(connection, state)
            return registers.form_facts(state, scene.known_sides, scene.today, await scene.regions())
        case c.RemitPersonalAccount() | c.ReleaseRemittance():
            return await remit_facts(scene)
        case c.MatchFunds():
            order = state.on_its_way
            return await receipt_facts(connection, state, order.bank_reference if order else None)
        case c.ApproveReverseRemittance():
            held = await registers.reverse_facts(connection, state)
            # What comes home is sent by R.
            return held.model_copy(update={"send_on": await sent_on(scene, state.to_region)})
        case c.ConfirmContinuation():
            regions = await scene.regions()
            return await registers.destination_facts(connection, state, scene.today, regions[state.to_region])
        case c.ConfirmReceipt(bank_reference=bank_reference):
            return await receipt_facts(connection, state, bank_reference)
        case _:
            return None


async def receipt_facts(connection: Connection, state: TransferState, bank_reference: str | None) -> c.ReceiptFacts:
    """Whether the bank's reference has credited another remittance, or its money goes home. Both sides are locked."""
    # The advice may prove that O's balance has left before the bank says so: a receipt may change both.
    await registers.lock_both(connection, state)
    return c.ReceiptFacts(paid_by_bank_reference=await connection.fetchval(PAID_BY_SQL, bank_reference))


async def _shortened(scene: Scene) -> dict[Any, int]:
    regions = await scene.regions()
    return shortened_periods(regions[scene.state.from_region].policy, regions[scene.state.to_region].policy)
