"""The state machine as a table for people: what may be done in each stage of a case, as committed in `state_machine.txt`.

Write it anew after a change of the rules, and read the difference: `python -m tests.workflows.state_machine`.
"""

from collections import defaultdict
from pathlib import Path

from tests.workflows.state_space import ALL_WORLDS, MONEY_WORLDS, Space, explore
from workflows.rules import RULES
from workflows.state import TransferState

FILE = Path(__file__).with_name("state_machine.txt")
COMMAND = "python -m tests.workflows.state_machine"


def stage(state: TransferState) -> str:
    """Where a case stands: route, status, and the steps that are open."""
    opened = sorted(step.kind for step in state.open_steps)
    return f"{state.route} {state.status} {' + '.join(opened) or '-'}"


def allowed(state: TransferState) -> str:
    """What may be done by somebody, in the contract's order."""
    return " ".join(action for action, rule in RULES.items() if not state.closed and rule.when(state)) or "-"


def table(space: Space) -> set[tuple[str, str]]:
    """Each stage of `space` with each set of actions that are possible in it. Of closed cases only that nothing is."""
    return {(stage(node.state), allowed(node.state)) for node in space.values() if not node.state.closed}


def read() -> set[tuple[str, str]]:
    rows: set[tuple[str, str]] = set()
    where = ""
    for line in FILE.read_text("utf-8").splitlines():
        if line.startswith("    "):
            rows.add((where, line.strip()))
        elif line:
            where = line
    return rows


def text(rows: set[tuple[str, str]]) -> str:
    stages: defaultdict[str, list[str]] = defaultdict(list)
    for where, actions in sorted(rows):
        stages[where].append(actions)
    return "\n".join(line for where, sets in stages.items() for line in (where, *(f"    {each}" for each in sets), ""))


if __name__ == "__main__":
    FILE.write_text(text(table(explore(ALL_WORLDS + MONEY_WORLDS))), "utf-8")
