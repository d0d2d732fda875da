"""kill -9 of worker and of PostgreSQL between every two statements of every act of money: nothing lost, nothing twice.

The list of points is made by a run without a fault: an activity with one more statement has more points by itself.
"""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.faults.acts import ACTS, Act
from tests.faults.conftest import Tally
from tests.faults.dying_worker import Point, Victim
from tests.faults.outcome import Outcome, differences
from tests.faults.proving_ground import ProvingGround, Scene

VICTIMS: tuple[Victim, ...] = ("worker", "postgres")
# Of each of these the point in the middle of the commit, and those around it.
SAMPLE = (
    "remit_personal_account: to R",
    "send_to_bank: to R",
    "confirm_receipt: the last of the case",
    "send_due_home: it named no order",
    "sweep_late_contributions: it came after the case",
)


def points_of(acts: Sequence[str], victim: Victim) -> list[Point]:
    """Before each act, within each commit, and after all of it: what is after one act is before the next."""
    before = [Point(ordinal=each, moment="before", victim=victim) for each in range(1, len(acts) + 1)]
    within = [
        Point(ordinal=each, moment="in flight", victim=victim)
        for each, act in enumerate(acts, start=1)
        if act.startswith(("COMMIT", "bank:"))
    ]
    return [*before, *within, Point(ordinal=len(acts), moment="after", victim=victim)]


async def recorded(ground: ProvingGround, scene: Scene) -> tuple[list[str], Outcome]:
    """What the act does to the outside, in order, and what it leaves behind, when nothing goes wrong."""
    async with ground.copy_of(scene) as copy:
        run = await ground.run(scene, copy)
        assert (run.end, run.told("attempt")) == (0, 1), run
        assert not _refused(run.told("answer")), run
        report = await ground.check(scene, copy)
        assert (report.damages, report.lost_fen) == ([], 0)
        return run.told("acts"), await ground.outcome(copy)


def _refused(answer: Any) -> bool:
    """An act that is refused strikes nothing; but that a return is spent is noted."""
    outcome = (answer.get("outcome") or answer) if isinstance(answer, dict) else {}
    return outcome.get("kind", "DONE") != "DONE" and outcome.get("why") != "RETURN_AFTER_SPENT"


async def strike(
    ground: ProvingGround, scene: Scene, point: Point, acts: Sequence[str], expected: Outcome, tally: Tally
) -> None:
    """One fault: it is hit where it should be, and what is left when the act is tried again is as if it had not been."""
    tally.acts.add(scene.act.name)
    tally.points += 1
    async with ground.copy_of(scene) as copy:
        run = await ground.run(scene, copy, point)
        assert run.told("hit") == acts[point.ordinal - 1], (point, run)
        assert run.end == (-9 if point.victim == "worker" else 0), (point, run)
        tally.hit += 1
        if point.victim == "worker":
            # What a dead worker leaves is whole too: everybody else reads it meanwhile.
            report = await ground.check(scene, copy)
            tally.lost_fen += report.lost_fen
            assert (report.damages, report.lost_fen) == ([], 0), point
            again = await ground.run(scene, copy)
            assert again.end == 0, (point, again)
        report = await ground.check(scene, copy)
        tally.lost_fen += report.lost_fen
        assert (report.damages, report.lost_fen) == ([], 0), point
        assert differences(expected, await ground.outcome(copy)) == {}, point


@pytest.mark.long
@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("act", ACTS, ids=[act.name for act in ACTS])
async def test_an_act_of_money_survives_a_kill_between_every_two_statements(
    ground: ProvingGround, tally: Tally, act: Act, victim: Victim
) -> None:
    scene = await ground.scene(act)
    acts, expected = await recorded(ground, scene)
    for point in points_of(acts, victim):
        await strike(ground, scene, point, acts, expected, tally)
    await ground.drop(scene)


@pytest.mark.parametrize("victim", VICTIMS)
@pytest.mark.parametrize("act", [act for act in ACTS if act.name in SAMPLE], ids=SAMPLE)
async def test_an_act_of_money_survives_a_kill_at_its_commit(
    ground: ProvingGround, tally: Tally, act: Act, victim: Victim
) -> None:
    scene = await ground.scene(act)
    acts, expected = await recorded(ground, scene)
    points = [point for point in points_of(acts, victim) if point.ordinal == len(acts) or point.moment == "in flight"]
    for point in points[:2]:
        await strike(ground, scene, point, acts, expected, tally)
    await ground.drop(scene)
