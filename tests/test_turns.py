"""The list of what is tested in one process names what there is: a file under another name would begin last, unseen."""

from itertools import chain
from pathlib import Path

from tests.turns import TOGETHER


def test_everything_that_is_tested_together_is_there() -> None:
    root = Path(__file__).parent.parent
    named = [*chain.from_iterable(TOGETHER.values())]
    assert len(named) == 6
    assert [each for each in named if not (root / each).exists()] == []
