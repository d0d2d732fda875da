"""A waiting period in words: the rule that decides it, and what the person may do or gets meanwhile."""

from decimal import Decimal

from workflows.continuation import WaitingPeriod
from workflows.words import Language, say


def waiting_words(wait: WaitingPeriod, language: Language = "zh-CN") -> str:
    """The rule with its figures; then whether the gap may be paid and with what effect, and the share paid meanwhile."""
    figures = {"gap_months": wait.gap_months, "months": wait.months, "missed_years": wait.missed_years}
    told = {
        f"waiting.{wait.rule}": True,
        "waiting.payable": wait.payable_gap,
        "waiting.retroactive": wait.retroactive,
        "waiting.ratio": wait.ratio is not None,
    }
    sentences = [say(language, key, percent=ratio_percent(wait), **figures) for key, applies in told.items() if applies]
    return (" " if language == "en" else "").join(sentences)


def ratio_percent(wait: WaitingPeriod) -> int:
    """The share of the benefits paid during the wait, in whole percents; 0 when there are none."""
    return int(Decimal(wait.ratio or 0) * 100)
