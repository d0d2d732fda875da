"""Which of the counts of an agency's staff stand out: a pure rule."""

from collections.abc import Sequence
from statistics import median
from typing import Final

# Fewer looks are a slow day, whatever the others did.
AT_LEAST: Final = 20
DEVIATIONS: Final = 3


def outliers(looks: Sequence[int]) -> list[bool]:
    """For each count of one agency and role: is it at least 20, and more than 3 median absolute deviations above the median?

    The median and its deviation are not moved by the few that stand out, as a mean would be. One who is alone does not stand
    out, for there is nobody to compare with.
    """
    if not looks:
        return []
    middle = median(looks)
    deviation = median(abs(each - middle) for each in looks)
    return [each >= AT_LEAST and each > middle + DEVIATIONS * deviation for each in looks]
