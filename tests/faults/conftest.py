"""One proving ground for the session, and the tally of what was struck on it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from tests.faults.proving_ground import ProvingGround, open_proving_ground


@dataclass
class Tally:
    """Fault points that the recording runs found, those that were hit, and what got lost at them."""

    acts: set[str] = field(default_factory=set)
    points: int = 0
    hit: int = 0
    lost_fen: int = 0


TALLY = pytest.StashKey[Tally]()


@pytest.fixture(scope="session")
async def ground(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProvingGround]:
    async with open_proving_ground(tmp_path_factory.mktemp("faults")) as opened:
        yield opened


@pytest.fixture(scope="session")
def tally(pytestconfig: pytest.Config) -> Tally:
    return pytestconfig.stash.setdefault(TALLY, Tally())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The line that docs/proofs.md quotes."""
    tally = config.stash.get(TALLY, None)
    if tally is not None:
        terminalreporter.write_line(
            f"fault points: {tally.hit} hit of {tally.points}, in {len(tally.acts)} acts; fen lost: {tally.lost_fen}"
        )
