"""A day of a proof in words: why it counts, or why it is skipped."""

from workflows.proof import DayReason, ProofDay
from workflows.words import Language, say


def proof_words(language: Language, day: ProofDay) -> str:
    """`工作日，第3日`, `国庆节放假，不计`."""
    why = say(language, f"pause.{day.name}") if day.reason is DayReason.PAUSED else None
    return say(language, f"proof.{day.reason}", nth=day.nth, name=day.name, why=why)
