"""The dates of the agencies' worklists by the calendar in force, ahead of the cases, which note it one by one."""

import logging
from datetime import date
from uuid import UUID

from pydantic import ValidationError

from activities.database import Connection
from activities.reference import calendar_in_force
from workflows.recounting import Recounting
from workflows.state import Step

log = logging.getLogger(__name__)

# Open cases read at a time.
PAGE = 500
OPEN_SQL = """
select transfer_id from transfers where closed_at is null and transfer_id > $1 order by transfer_id limit $2
"""
ITEMS_SQL = """
select w.transfer_id, w.step, w.round, w.due_on, step.value as document
  from transfers t
 cross join lateral jsonb_array_elements(t.state->'steps') step
  join work_items w on w.transfer_id = t.transfer_id and w.step = step.value->>'kind' and w.round = (step.value->>'round')::int
 where t.transfer_id = any($1) and step.value->>'state' = 'OPEN'
"""
# In the steps' order, the case before its items: two that wait for each other would both be lost.
LOCK_SQL = "select from transfers where transfer_id = any($1) order by transfer_id for no key update"
REDATE_SQL = """
update work_items w set due_on = moved.due_on
  from unnest($1::uuid[], $2::text[], $3::int[], $4::date[], $5::date[]) as moved (transfer_id, step, round, was, due_on)
 where w.transfer_id = moved.transfer_id and w.step = moved.step and w.round = moved.round and w.due_on = moved.was
"""


async def redate_worklist(connection: Connection, day: date) -> int:
    """Give every open step the due date that the calendar in force on `day` gives it; how many had another.

    The cases themselves are left to their workflows: until one has noted its new date, readers recount it by the same rule.
    """
    recounting = Recounting(await calendar_in_force(connection, day))
    moved: list[tuple[UUID, str, int, date, date]] = []
    last = UUID(int=0)
    while page := [row["transfer_id"] for row in await connection.fetch(OPEN_SQL, last, PAGE)]:
        last = page[-1]
        for row in await connection.fetch(ITEMS_SQL, page):
            try:
                deadline = recounting.step(Step.model_validate_json(row["document"])).deadline
            except ValidationError:
                # Nobody can show this case either; its date is no reason to hold back everybody else's.
                log.exception("a step of case %s cannot be read", row["transfer_id"])
                continue
            if deadline is not None and deadline.due_on != row["due_on"]:
                moved.append((row["transfer_id"], row["step"], row["round"], row["due_on"], deadline.due_on))
    if moved:
        columns = [list(column) for column in zip(*moved, strict=True)]
        await connection.execute(LOCK_SQL, columns[0])
        await connection.execute(REDATE_SQL, *columns)
    return len(moved)
