"""Where the effect of a fact takes place: one transaction, one case, one actor; and how a document of the case is kept in it."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeVar

import asyncpg

from activities import registers
from activities.database import Connection
from activities.documents import compose, store
from activities.documents.content import DocumentContent, PersonBlock
from activities.documents.store import Issued
from activities.free_text import read_texts
from activities.keyring import Keyring
from activities.people import PersonRef, person_by_id
from activities.reference import RegionEntry, regions_on
from workflows.actors import Actor
from workflows.deadlines import shanghai_date
from workflows.events import Fact
from workflows.free_text import references_in, replace_texts
from workflows.state import TransferState
from workflows.workdays import WorkingCalendar

AnyFreeText = TypeVar("AnyFreeText", bound=Fact)


@dataclass
class Scene:
    """Where an effect takes place: the transaction, the case before the fact in hand, who acts and when.

    What is known of the person and the regions is read once in a step, or was read before it.
    """

    connection: Connection
    keyring: Keyring
    state: TransferState
    actor: Actor
    at: datetime
    calendar: WorkingCalendar
    known_person: PersonRef | None = None
    known_regions: dict[str, RegionEntry] = field(default_factory=dict)
    known_block: PersonBlock | None = None
    # As they were locked in this transaction, before its effects: their amounts and months may be others by now.
    known_sides: registers.BothSides | None = None
    # The row of `registers.NAMED_PERSON_SQL`, where another statement brought it along.
    named: asyncpg.Record | None = None
    # Documents of this step that are kept when it is recorded.
    issued: list[Issued] = field(default_factory=list)

    @property
    def seq(self) -> int:
        """The number that the event of the fact in hand will have."""
        return self.state.revision + 1

    @property
    def today(self) -> date:
        return shanghai_date(self.at)

    async def person(self) -> PersonRef:
        if self.known_person is None and self.named is not None:
            self.known_person, _ = registers.as_named_person(self.keyring, self.named)
        if self.known_person is None:
            self.known_person = await person_by_id(self.connection, self.keyring, self.state.person_id)
        if self.known_person is None:
            raise LookupError(f"person {self.state.person_id} is not in the registers any more")
        return self.known_person

    async def origin_row(self) -> Any:
        """O's enrolment, locked; who it is and since when. Raises LookupError when the register no longer has it."""
        if self.known_sides is None:
            return await registers.origin_row(self.connection, self.state)
        return registers.held(self.known_sides.origin, self.state.from_region)

    async def person_block(self) -> PersonBlock:
        """The person in full, named as O's register spells it."""
        if self.known_block is None:
            if self.named is not None:
                self.known_person, name_sealed = registers.as_named_person(self.keyring, self.named)
            else:
                self.known_person, name_sealed = await registers.named_person(self.connection, self.keyring, self.state)
            self.known_block = compose.person_block(self.known_person, name_sealed)
        return self.known_block

    async def readable(self, fact: AnyFreeText) -> AnyFreeText:
        """The fact with its texts in clear, for a document. A text that was shredded is left empty."""
        texts = await read_texts(self.connection, self.keyring, self.state.transfer_id, references_in(fact))
        return replace_texts(fact, {reference: text or "" for reference, text in texts.items()})

    async def regions(self, *more: str) -> dict[str, RegionEntry]:
        """The two regions and `more`, by code; a region that the directory lacks is not among them."""
        unread = {self.state.from_region, self.state.to_region, *more} - self.known_regions.keys()
        if unread:
            self.known_regions = self.known_regions | await regions_on(self.connection, self.today, sorted(unread))
        return self.known_regions

    async def keep_documents(self) -> None:
        """Keep what was issued so far: for a statement that reads the case's documents before the step is recorded."""
        if self.issued:
            await store.keep(self.connection, self.issued, transfer_id=self.state.transfer_id)
            self.issued.clear()


async def issue(
    scene: Scene,
    content: DocumentContent,
    *,
    number: str | None = None,
    version: int = 1,
    verification_code: str | None = None,
) -> Issued:
    """Issue a document of the case, by the agency that it names; its number is the transfer's unless it has its own."""
    document = store.drawn_up(
        await scene.person(),
        content,
        number=number or scene.state.no,
        version=version,
        issued_at=scene.at,
        issued_by=content.agency.region,
        verification_code=verification_code,
    )
    scene.issued.append(document)
    return document
