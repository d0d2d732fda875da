"""The editions of the regions' policies: which is in force on a day, and which are to come."""

from collections.abc import Sequence
from datetime import date

from pydantic import BaseModel

from activities.database import Connection
from workflows.policy import RegionPolicy


class PolicyEdition(BaseModel, frozen=True):
    """One edition of a region's policy, whole. `number` counts a region's editions from 1, as they were entered."""

    region: str
    number: int
    effective_from: date
    policy: RegionPolicy


EDITIONS_SQL = """
select region, effective_from, policy, row_number() over (partition by region order by edition)::int as number
  from region_policies
 where $1::text[] is null or region = any($1)
 order by region, effective_from, edition
"""


async def policy_editions(
    connection: Connection, codes: Sequence[str] | None = None
) -> dict[str, tuple[PolicyEdition, ...]]:
    """Every edition of the regions of `codes`, of all when None, each after those whose place it takes."""
    editions: dict[str, tuple[PolicyEdition, ...]] = dict.fromkeys(codes or (), ())
    for row in await connection.fetch(EDITIONS_SQL, codes):
        policy = RegionPolicy.model_validate_json(row["policy"])
        edition = PolicyEdition(**dict(row) | {"policy": policy})
        editions[edition.region] = (*editions.get(edition.region, ()), edition)
    return editions


def edition_on(editions: Sequence[PolicyEdition], day: date) -> PolicyEdition | None:
    """Of one region's editions the one in force on `day`; None: the defaults are."""
    return next((each for each in reversed(editions) if each.effective_from <= day), None)


async def keep_others_from_setting_policies(connection: Connection) -> None:
    """Until the transaction ends nobody else enters an edition: two that build on the same one would undo each other."""
    await connection.execute("lock table region_policies in share row exclusive mode")
