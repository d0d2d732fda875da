import json
import math
from pathlib import Path

import pytest

from bench import figures
from bench.__main__ import Sizes, run
from bench.figures import Figure
from bench.history import REASONS

TINY = Sizes(
    persons=300,
    warm_up=2,
    repetitions=1,
    turns_with_twins=2,
    transfers=4,
    in_flight=2,
    histories=1,
    query_seconds=0.5,
    query_connections=2,
    query_cases=5,
    attack_seconds=2.0,
    honest_callers=2,
    audit_repetitions=1,
    audit_seconds=0.5,
    audit_callers=2,
    absence_pairs=20,
    latency_transfers=2,
    half_load_transfers=2,
    few_open=3,
    some_open=4,
    many_open=6,
    whys=1,
    reconciled_thousands=(3, 6),
)


def test_a_figure_is_the_medians_of_the_repetitions_and_of_their_ratios_and_the_spread() -> None:
    figure = figures.of("complete transfers", "1/s", [9.0, 6.0, 7.0], [10.0, 12.0, 14.0], goal="ratio ≥ 0.6", steps=3)
    assert figure.row() == {
        "figure": "complete transfers",
        "value": 7.0,
        "unit": "1/s",
        "baseline": 12.0,
        "ratio": 0.5,
        "min": 6.0,
        "max": 9.0,
        "goal": "ratio ≥ 0.6",
        "baseline_min": 10.0,
        "baseline_max": 14.0,
        "ratio_min": 0.5,
        "ratio_max": 0.9,
        "steps": 3,
    }


def test_figures_are_kept_as_a_list_one_line_each(tmp_path: Path) -> None:
    made = [figures.of("a", "s", [1.0]), figures.of("b", "s", [2.0], [4.0])]
    figures.write(made, tmp_path / "latest.json")
    text = (tmp_path / "latest.json").read_text("utf-8")
    assert [(row["figure"], row["baseline"], row["ratio"]) for row in json.loads(text)] == [
        ("a", None, None),
        ("b", 4.0, 0.5),
    ]
    assert len(text.splitlines()) == 4


@pytest.mark.long
async def test_a_tiny_run_fills_every_figure_and_accounts_for_every_event(tmp_path: Path) -> None:
    made = await run(tmp_path / "stack", TINY)
    assert len({each.name for each in made}) == len(made)
    assert all(math.isfinite(each.value) and each.value >= 0 for each in made)
    assert _named(made, "complete transfers").ratio
    assert _named(made, "history of a transfer").more["above_the_twin"].keys() <= REASONS.keys()


def _named(made: list[Figure], name: str) -> Figure:
    return next(each for each in made if each.name == name)
