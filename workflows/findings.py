"""A finding: one reason of the closed refusal list, as data. The gateway puts it into words."""

from datetime import date

from pydantic import BaseModel

from workflows.law import REFUSALS
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


def finding(
    code: RefusalCode,
    *,
    side: Side | None = None,
    cls: RefusalClass = RefusalClass.BLOCKS,
    region: str | None = None,
    retry_on: date | None = None,
    **figures: str | int,
) -> Finding:
    """A finding on the ground that the law gives it. `side` is named where the law leaves it open; another is a ValueError."""
    ground = REFUSALS[code]
    (side,) = ground.sides if side is None else (side,)
    if side not in ground.sides:
        raise ValueError(f"{code} is not found on the side of {side}")
    return Finding(code=code, cls=cls, side=side, region=region, basis=ground.basis, figures=figures, retry_on=retry_on)
