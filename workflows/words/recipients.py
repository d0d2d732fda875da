"""A recipient's code as people say it."""

from collections.abc import Mapping
from typing import Protocol

from workflows.words import Language, say


class PlacedRegion(Protocol):
    """What the words need of a pooling region."""

    @property
    def name(self) -> str: ...
    @property
    def agency_name(self) -> str: ...
    @property
    def province(self) -> str: ...


def recipient_words(recipient: str, regions: Mapping[str, PlacedRegion], language: Language = "zh-CN") -> str:
    """The words of `agency:110000`, `supervisor:110000`, `province:110000`, `person`; an unlisted region is its code."""
    who, _, code = recipient.partition(":")
    region = regions.get(code)
    if region is None:
        return say(language, f"told.{who}", agency=code, region=code, province=code)
    return say(language, f"told.{who}", agency=region.agency_name, region=region.name, province=region.province)
