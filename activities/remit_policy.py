"""What the payer's region says of an order of today: whether another person releases it, and when it is sent."""

from datetime import date

from activities.scene import Scene
from workflows.commands import RemitFacts
from workflows.cycle import send_on


async def remit_facts(scene: Scene) -> RemitFacts:
    """O's policy of the day. A region that the directory lacks has the defaults."""
    entry = (await scene.regions()).get(scene.state.from_region)
    return RemitFacts(
        release_threshold_fen=entry.policy.release_threshold_fen if entry else None,
        send_on=await sent_on(scene, scene.state.from_region),
    )


async def sent_on(scene: Scene, payer: str) -> date | None:
    """The day on which the cycle of region `payer` sends what is ordered now, None at once."""
    entry = (await scene.regions()).get(payer)
    cycle = entry.policy.remittance_cycle if entry else "immediate"
    return send_on(cycle, scene.today, scene.calendar.of_region(payer))
