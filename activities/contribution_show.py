"""What is held of late contributions, for `yibao contributions show`: ids, figures and states, nothing of the person."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import asyncpg

from activities.keyring import Keyring
from workflows.residuals import ContributionState


@dataclass(frozen=True)
class ShownContribution:
    """One contribution; `transfer_no` is the transfer that it follows, None where there is none. Amount in fen."""

    contribution_id: str
    region: str
    scheme: str
    month: str
    amount_fen: int
    received_on: date
    state: ContributionState
    transfer_no: str | None


SHOW_SQL = """
select c.contribution_id, c.region, c.scheme, c.month, c.amount_fen,
       (c.received_at at time zone 'Asia/Shanghai')::date as received_on, c.state, t.no as transfer_no
  from late_contributions c left join transfers t using (transfer_id)
 where c.state = any($1) and ($2::bytea[] is null or c.person_key = any($2))
 order by c.received_at, c.contribution_id limit $3
"""


async def show_contributions(
    connection: asyncpg.Connection,
    keyring: Keyring,
    states: Collection[ContributionState],
    *,
    resident_id: str | None = None,
    limit: int,
) -> tuple[ShownContribution, ...]:
    """The contributions in one of `states`, oldest first, at most `limit`; of one person where `resident_id` is given."""
    keys = keyring.person_keys(resident_id) if resident_id is not None else None
    rows = await connection.fetch(SHOW_SQL, list(states), keys, limit)
    return tuple(ShownContribution(**(dict(row) | {"state": ContributionState(row["state"])})) for row in rows)
