"""A finding in words: what is the matter, how it is mended, and where."""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from workflows.findings import Finding
from workflows.words import Language, day, month, placeholders, say, yuan


class NamedRegion(Protocol):
    """What the words need of a pooling region and its agency."""

    @property
    def name(self) -> str: ...
    @property
    def agency_name(self) -> str: ...
    @property
    def service_phone(self) -> str | None: ...


class FindingWords(NamedTuple):
    message: str
    fix: str
    where: str


def finding_words(finding: Finding, regions: Mapping[str, NamedRegion], language: Language = "zh-CN") -> FindingWords:
    """The words of `finding` with its figures; an agency's own reason, which has none, is said plainly.

    `regions` holds at least the region of the finding and the candidates that it names; a code that it lacks is shown
    as the code.
    """
    figures = _figures(finding, regions, language)
    key = f"refusal.{finding.code}"
    if "needs" in figures:
        key = f"{key}.{figures['needs']}"
    variants = (f"{key}.candidates", key) if "candidates" in figures else (key,)
    message = next((each for each in variants if placeholders(language, each) <= figures.keys()), f"{key}.plain")
    where = f"{key}.where"
    if not placeholders(language, where) <= figures.keys():
        where = "where.platform"
    return FindingWords(
        say(language, message, **figures), say(language, f"{key}.fix", **figures), say(language, where, **figures)
    )


def _figures(finding: Finding, regions: Mapping[str, NamedRegion], language: Language) -> dict[str, object]:
    given = finding.figures
    figures: dict[str, object] = {name: value for name, value in given.items() if name not in _WRITERS}
    for name, write in _WRITERS.items():
        if given.get(name):
            figures[_RENAMED.get(name, name)] = write(language, given[name])
    if given.get("candidates"):
        codes = str(given["candidates"]).split(",")
        separator = ", " if language == "en" else "、"
        figures["candidates"] = separator.join(regions[code].name if code in regions else code for code in codes)
    else:
        figures.pop("candidates", None)
    if finding.retry_on is not None:
        figures["retry_on"] = day(language, finding.retry_on)
    region = regions.get(finding.region) if finding.region is not None else None
    if region is not None:
        figures["region"] = region.name
        figures["agency"] = region.agency_name
        figures["phone"] = region.service_phone or say(language, "phone.unknown")
    return figures


def _month(language: Language, value: str | int) -> str:
    return month(language, str(value))


# Figures that are written as people write them, and the name under which the words ask for them.
_WRITERS: dict[str, Callable[[Language, str | int], str]] = {
    "arrears_fen": lambda _, value: yuan(int(value)),
    "first_month": _month,
    "last_month": _month,
    "month": _month,
    "held": lambda language, value: say(language, f"scheme.{value}"),
    "fault": lambda language, value: say(language, f"fault.{value}"),
    "certificate_fault": lambda language, value: say(language, f"certificate_fault.{value}"),
}
_RENAMED = {"arrears_fen": "amount"}
