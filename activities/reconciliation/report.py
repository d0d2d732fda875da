"""What stands open, for people: by party and kind, with its age. Pure."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel

from activities.reconciliation.keeping import OpenDifference
from activities.reconciliation.kinds import DifferenceKind, Party, explained
from workflows.words import Language


class OpenGroup(BaseModel, frozen=True):
    """The open differences of a kind that one party must clear; ages are calendar days since their newest line."""

    party: Party
    region: str | None
    kind: DifferenceKind
    count: int
    difference_fen: int
    oldest_days: int
    newest_days: int


def grouped(differences: Sequence[OpenDifference], today: date) -> list[OpenGroup]:
    """By party, region and kind; the oldest group first."""
    groups: dict[tuple[Party, str | None, DifferenceKind], list[OpenDifference]] = {}
    for each in differences:
        groups.setdefault((each.party, each.region, each.kind), []).append(each)
    found = [_group(party, region, kind, held, today) for (party, region, kind), held in groups.items()]
    return sorted(found, key=lambda each: (-each.oldest_days, each.party, each.region or "", each.kind))


def sentence(difference: OpenDifference, language: Language) -> str:
    return explained(
        difference.kind,
        difference.reference,
        expected_fen=difference.expected_fen,
        found_fen=difference.found_fen,
        on=difference.stands_since,
        ordered_on=difference.ordered_on,
        language=language,
    )


def _group(
    party: Party, region: str | None, kind: DifferenceKind, held: Sequence[OpenDifference], today: date
) -> OpenGroup:
    ages = [(today - each.stands_since).days for each in held]
    return OpenGroup(
        party=party,
        region=region,
        kind=kind,
        count=len(held),
        difference_fen=sum(abs(each.found_fen - each.expected_fen) for each in held),
        oldest_days=max(ages),
        newest_days=min(ages),
    )
