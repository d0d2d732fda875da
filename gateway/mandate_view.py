"""A mandate as its caller may see it, and which mandates those are."""

from uuid import UUID

import asyncpg

from activities.database import Connection
from activities.keyring import KeyringError
from activities.people import open_agent
from gateway import mandate_reads
from gateway.mandate_reads import MandateRow
from gateway.telling import NO_NUMBER, Telling
from gateway.types.mandates import Mandate
from gateway.types.reference import node_id
from workflows.mandate_terms import mandate_state
from workflows.vocabulary import CLERKS, MANDATE_APPROVERS, Role


def own_keys(telling: Telling) -> list[bytes]:
    """The keyed hashes of the caller's own number; none for who is not an insured person."""
    viewer = telling.context.viewer
    own = viewer.resident_id if viewer.has(Role.INSURED_PERSON) else None
    return telling.context.keyring.person_keys(own) if own is not None else []


def window(telling: Telling) -> str | None:
    """The region for which the caller enters what persons have signed on paper."""
    viewer = telling.context.viewer
    return viewer.region if viewer.has(*CLERKS) else None


def approving_region(telling: Telling) -> str | None:
    """The region whose mandates the caller may look at and approve."""
    viewer = telling.context.viewer
    return viewer.region if viewer.has(*MANDATE_APPROVERS) else None


async def seen(telling: Telling, connection: Connection | asyncpg.Pool, mandate_id: UUID) -> MandateRow | None:
    """The mandate, if the caller may see it."""
    region = approving_region(telling)
    return await mandate_reads.mandate_seen(connection, mandate_id, own_keys(telling), region, telling.now)


def shown(telling: Telling, row: MandateRow, operation: str) -> Mandate:
    """The mandate, as of the operation's instant; the look through `operation` is noted in the access log."""
    telling.note_look(operation, person_id=row.person_id)
    ended = row.revoked_at is not None and row.revoked_at <= telling.now
    return Mandate(
        id=node_id("Mandate", row.mandate_id),
        person=telling.masked(row.person_id, row.giver),
        agent_masked_resident_id=_agent_number(telling, row),
        relation=row.relation,
        granted_at=row.granted_at,
        valid_until=row.valid_until,
        # A later mandate that has not started yet may still be revoked, and end this one at no time.
        revoked_at=row.revoked_at if ended else None,
        state=mandate_state(row.valid_until, row.revoked_at, telling.now, starts_at=row.starts_at),
        entered_by=telling.agency(row.entered_in) if row.entered_in is not None else None,
        starts_at=row.starts_at,
        paper_reference=row.paper_reference if _may_see_paper(telling, row) else None,
    )


def _may_see_paper(telling: Telling, row: MandateRow) -> bool:
    """The giver, and the agency whose window entered it."""
    is_entering_agency = row.entered_in is not None and row.entered_in == approving_region(telling)
    return is_entering_agency or row.person_key in own_keys(telling)


def _agent_number(telling: Telling, row: MandateRow) -> str:
    """The agent's number, masked; nothing of it once the giver's key is shredded."""
    try:
        return open_agent(telling.context.keyring.unwrap(row.giver.wrapped_key), row.agent_sealed)
    except KeyringError:
        return NO_NUMBER
