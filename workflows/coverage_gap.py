"""The person's three-month coverage gap."""

from datetime import date

from pydantic import BaseModel


class CoverageGap(BaseModel, frozen=True):
    stopped_on: date
    closes_on: date
    warned: tuple[int, ...] = ()


def due_warnings(gap, now):
    return ()


def next_warning(gap):
    return None
