"""The list of acts is whole: whatever in the code can move money, or notes what the bank says, is struck by one of them."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import pytest

from activities.effects_money import MONEY_EFFECTS
from activities.effects_residuals import RESIDUAL_EFFECTS
from activities.worker import activities
from tests.faults.acts import ACTS
from tests.faults.dying_worker import name_of
from tests.faults.proving_ground import ProvingGround
from tests.workflows.pure_cases import Story
from tests.workflows.test_random_walks import Walk
from workflows import commands as c
from workflows import events as e
from workflows.actors import Actor
from workflows.fold import Facts
from workflows.rules import RULES, Objection
from workflows.vocabulary import TransferAction

STRUCK = {act.activity for act in ACTS}
# What a case notes of its money. A form sets the balance aside.
MONEY: set[type[e.Fact]] = {
    *MONEY_EFFECTS,
    *RESIDUAL_EFFECTS,
    e.FormDelivered,
    e.FundsRetained,
    e.Completed,
    e.Reopened,
}
NO_MONEY = {
    # A case begins, waits and ends before there is money, or says what others have done.
    *("open_transfer", "recheck_registers", "accept_transfer", "decline_transfer", "withdraw_transfer"),
    *("stop_coverage", "request_correction", "issue_contact_letter", "record_mail", "note_deadlines"),
    # Papers, and who may act for whom.
    *("issue_certificate", "reissue_certificate", "issue_certificate_alone", "carry_out_mandate"),
}
# Every function in `activities/` that begins a transaction, or writes without one, with the act by which it is struck.
WRITES = {
    "steps.Steps.carry_out": "confirm_receipt",
    "steps.Steps._by_itself": "note_bank_took_order",
    "bank_words.note_bank_word": "note_bank_word",
    "reopening.open_again": "reopen_case",
    "residuals.ResidualSweep.sweep": "sweep_late_contributions",
    "residuals.ResidualSweep._sweep_case": "sweep_late_contributions",
    # A register's extract too: an agency's own word of what it holds, and whatever a transfer has moved since is kept.
    "csv_batches.load_whole": "load_contributions",
    "funds._payment_order": "send_to_bank",
    "bank.inbox.take_in": "read_outbox",
    "bank.judging.leave_confirmed": "leave_confirmed",
    "bank.sending_home.carry_out": "send_funds_home",
    "bank.sending_home.send_due_home": "send_due_home",
    "bank.sending_home._send": "send_due_home",
    "bank.sending_home._payment": "send_due_home",
    "bank.telling.Words.tell_due": "tell_due",
    "bank.telling.Words._tell": "tell_due",
    "bank.telling.Words._confirming_by_advice": "tell_due",
}
WRITES_NO_MONEY = {
    "database.transaction": "every one of those",
    "migrate.migrate": "the tables",
    "steps.Steps.open_transfer": "an application",
    "steps.Steps.recheck_registers": "the registers are read",
    "steps.Steps.issue_certificate_alone": "a certificate",
    "steps.Steps.carry_out_mandate": "a mandate",
    "sweeper.Sweeper.recount_deadlines": "dates",
    "notices.Notifier.deliver_due": "notices",
    "notices.Notifier._send": "notices",
    "notices.Notifier._note_failed": "notices",
    "mandate_notices.MandateNotifier._note": "notices",
    "ledger.auditor.open_auditor": "the books are read",
    "ledger.auditor.Auditor.verify": "the books are read",
    "reconciliation.daily.reconcile_daily": "differences, of books that are read",
    "reconciliation.keeping.reconcile": "differences, of books that are read",
}
ROOT = Path(__file__).parents[2] / "activities"
COMMANDS = 60


def test_every_activity_is_struck_or_moves_no_money() -> None:
    nothing: Any = None
    bound = {name_of(each) for each in activities(nothing, nothing, nothing)}
    assert bound - NO_MONEY == STRUCK & bound
    assert bound >= NO_MONEY


class _Overheard(Story):
    """A story that keeps which facts each command has come to."""

    def __init__(self, walk: Walk, recorded: dict[TransferAction, set[type[e.Fact]]]) -> None:
        super().__init__()
        self._recorded = recorded
        self.take_over(walk.story.events, walk.state, when=walk.story.now)

    def decide(self, ask: Any, actor: Actor, facts: c.StepFacts | None = None) -> Facts | Objection:
        decided = super().decide(ask, actor, facts)
        if isinstance(decided, tuple):
            self._recorded[ask.action] |= {type(fact) for fact in decided}
        return decided


def _noted(walks: int) -> dict[TransferAction, set[type[e.Fact]]]:
    """What each command came to, on so many walks of any commands in any order."""
    recorded: dict[TransferAction, set[type[e.Fact]]] = {action: set() for action in RULES}
    for seed in range(walks):
        walk = Walk(Random(seed))
        walk.story = _Overheard(walk, recorded)
        for _ in range(COMMANDS):
            walk.step()
    return recorded


def test_no_other_command_notes_anything_of_money() -> None:
    assert {action.lower() for action, facts in _noted(10).items() if facts & MONEY} <= STRUCK


@pytest.mark.long
def test_no_other_command_ever_notes_anything_of_money() -> None:
    noted = _noted(250)
    assert all(noted.values())
    assert {action.lower() for action, facts in noted.items() if facts & MONEY} <= STRUCK


def test_whatever_writes_is_struck_or_moves_no_money() -> None:
    found = {name for file in ROOT.rglob("*.py") for name in _writing(file)}
    assert found == WRITES.keys() | WRITES_NO_MONEY.keys()
    assert set(WRITES.values()) <= STRUCK


def _writing(file: Path) -> Iterator[str]:
    module = ".".join(file.relative_to(ROOT).with_suffix("").parts)

    def within(node: ast.AST, names: tuple[str, ...]) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and _writes(child.func):
                yield ".".join((module, *names))
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                yield from within(child, (*names, child.name))
            else:
                yield from within(child, names)

    return within(ast.parse(file.read_text("utf-8")), ())


def _writes(called: ast.expr) -> bool:
    match called:
        case ast.Name(id="transaction") | ast.Attribute(attr="transaction"):
            return True
        case ast.Attribute(value=ast.Name(id="asyncpg"), attr="connect"):
            return True
        case ast.Attribute(value=on, attr="execute" | "executemany" | "acquire"):
            return ast.unparse(on).endswith("pool")
        case _:
            return False


@pytest.mark.long
async def test_every_fact_of_money_is_recorded_by_an_act(ground: ProvingGround) -> None:
    recorded: set[str] = set()
    for act in ACTS:
        scene = await ground.scene(act)
        async with ground.copy_of(scene) as copy:
            assert (await ground.run(scene, copy)).end == 0, act.name
            async with ground.owner(copy) as after, ground.owner(scene.template) as before:
                recorded |= (await _kinds(after) - await _kinds(before)).keys()
        await ground.drop(scene)
    assert recorded >= {kind.model_fields["type"].default for kind in MONEY}


async def _kinds(connection: asyncpg.Connection) -> Counter[str]:
    rows = await connection.fetch("select type, count(*) as events from transfer_events group by type")
    return Counter({row["type"]: row["events"] for row in rows})
