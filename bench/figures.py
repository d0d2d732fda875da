"""A figure: the medians of what was measured and of its baseline, their ratio, and how far the repetitions spread."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """`minimum` and `maximum` are those of the value's repetitions; `more` explains.

    `ratio` is value ÷ baseline, or the median of `ratios`: those of each repetition and the one of the baseline beside it.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    goal: str | None = None
    more: dict[str, Any] = field(default_factory=dict)
    ratios: tuple[float, ...] = ()

    @property
    def ratio(self) -> float | None:
        if self.ratios:
            return median(self.ratios)
        return self.value / self.baseline if self.baseline else None

    def row(self) -> dict[str, Any]:
        """The figure as `latest.json` has it."""
        numbers = {
            "value": self.value,
            "unit": self.unit,
            "baseline": self.baseline,
            "ratio": self.ratio,
            "min": self.minimum,
            "max": self.maximum,
        }
        return {"figure": self.name} | {name: _rounded(each) for name, each in numbers.items()} | self._extras()

    def _extras(self) -> dict[str, Any]:
        return ({"goal": self.goal} if self.goal else {}) | {key: _rounded(each) for key, each in self.more.items()}


def of(
    name: str,
    unit: str,
    values: Sequence[float],
    baselines: Sequence[float] = (),
    *,
    goal: str | None = None,
    **more: Any,
) -> Figure:
    """The figure of these repetitions; as many of the baseline were made in turn with them.

    The machine is faster in one minute than in the next, so that each is held against the one that came right after it.
    """
    if len(baselines) < 2 or len(baselines) != len(values):
        return Figure(
            name, median(values), unit, median(baselines) if baselines else None, min(values), max(values), goal, more
        )
    ratios = tuple(value / baseline for value, baseline in zip(values, baselines, strict=True))
    spread = {
        "baseline_min": min(baselines),
        "baseline_max": max(baselines),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }
    return Figure(name, median(values), unit, median(baselines), min(values), max(values), goal, spread | more, ratios)


def write(figures: Sequence[Figure], path: Path) -> None:
    """Keep the figures as a JSON list, one line each, so that a change shows which figure moved."""
    lines = ",\n".join(f"  {json.dumps(each.row(), ensure_ascii=False)}" for each in figures)
    path.write_text(f"[\n{lines}\n]\n", "utf-8")


def show(figures: Sequence[Figure]) -> None:
    """Print the figures as a table."""
    table = Table("figure", "unit", title="bench", title_justify="left")
    for heading in ("value", "min", "max", "baseline", "ratio"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("goal", no_wrap=True)
    for each in figures:
        row = each.row()
        numbers = [_shown(row[key]) for key in ("value", "min", "max", "baseline", "ratio")]
        table.add_row(each.name, each.unit, *numbers, each.goal or "")
    Console().print(table)


def _rounded(value: Any) -> Any:
    """Four digits say all that a measurement knows."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
