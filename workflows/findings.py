"""A finding: one reason of the closed refusal list, as data. The gateway puts it into words."""

from datetime import date

from pydantic import BaseModel

from workflows.vocabulary import RefusalClass, RefusalCode, Side


class Finding(BaseModel, frozen=True):
    """`figures` holds what the words need: regions, months, fen, numbers of other transfers. Never personal data."""

    code: RefusalCode
    cls: RefusalClass
    side: Side
    # Region whose agency can mend it; None when it is mended on the platform.
    region: str | None
    basis: str
    figures: dict[str, str | int] = {}
    retry_on: date | None = None
