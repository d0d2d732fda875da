"""How one operation tells what the database holds: in its language, for its viewer, at its instant."""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from uuid import UUID

from activities.keyring import KeyringError
from activities.people import PersonRef, open_identity, open_name
from activities.reference import RegionEntry
from gateway.access_looks import LinkHolder, Look, link_holder
from gateway.access_model import TRANSFER_FIELDS, Show, document_shown, event_shown
from gateway.case_events import public_kind, tell_event
from gateway.context import RequestContext
from gateway.document_links import signed_link
from gateway.free_text import open_texts
from gateway.loaders import EventsKey, IdentityKey, SealedIdentity
from gateway.notices import tell_notices
from gateway.paging import check_page, cursor, cut, page_info, position, read_seq
from gateway.reads import DocumentRow, document_by_id
from gateway.reference_cache import Reference, ReferenceCache
from gateway.scalars import PoolingRegionCode
from gateway.types.reference import Agency, InsuredPerson, PoolingRegion, node_id
from gateway.types.refusals import Refusal, WaitingPeriod
from gateway.types.transfer import Notice, Transfer, TransferDocument, TransferEventConnection, TransferEventEdge
from gateway.visibility import Scope, scope_of
from workflows.actors import Actor
from workflows.continuation import WaitingPeriod as Waiting
from workflows.deadlines import Deadline, shanghai_date
from workflows.findings import Finding
from workflows.identity import mask_name, mask_resident_id
from workflows.law import INSTRUMENTS
from workflows.state import TransferState
from workflows.words import Language, knows, say
from workflows.words.findings import finding_words
from workflows.words.waiting import waiting_words

REFERENCE = ReferenceCache()
NO_NUMBER = "*" * 18


async def telling_of(context: RequestContext) -> "Telling":
    """The telling of an operation. Costs a query only when the reference data has not been looked at for a while."""
    now = context.clock()
    return Telling(context, await REFERENCE.read(context.pool, now), now)


@dataclass
class Telling:
    """`now` is the operation's instant; a case whose clock has spoken of a later one is told as of that."""

    context: RequestContext
    reference: Reference
    now: datetime

    @cached_property
    def language(self) -> Language:
        return self.context.language

    @cached_property
    def actor(self) -> Actor:
        return self.context.viewer.actor

    @cached_property
    def scope(self) -> Scope:
        return scope_of(self.context.viewer, self.context.keyring, self.reference.regions, self.now)

    @property
    def today(self) -> date:
        return shanghai_date(self.now)

    def note_look(
        self,
        operation: str,
        *,
        person_id: UUID | None = None,
        document_id: UUID | None = None,
        transfer_no: str | None = None,
        person_keys: Sequence[bytes] = (),
    ) -> None:
        """Note in the access log that the caller is shown a person's data through `operation`. One of the others says whose."""
        context = self.context
        look = Look(
            self.now, context.viewer, operation, person_id, None, transfer_no, (), document_id, tuple(person_keys)
        )
        context.access_log.note(look)

    def note_case(self, state: TransferState, operation: str, acting_person: str | None = None) -> None:
        """Note in the access log that the caller is shown a transfer. `acting_person` is whom an agency's system names."""
        context = self.context
        regions = (state.from_region, state.to_region)
        whose = (state.person_id, state.transfer_id, state.no, regions)
        context.access_log.note(Look(self.now, context.viewer, operation, *whose, acting_person=acting_person))

    def say(self, key: str, **figures: object) -> str:
        return say(self.language, key, **figures)

    @cached_property
    def _agencies(self) -> dict[str, Agency]:
        return _agencies(self.reference)

    def region(self, code: str) -> PoolingRegion:
        return self.agency(code).region

    def agency(self, code: str) -> Agency:
        return self._agencies.get(code) or _unlisted(code)

    def remaining_working_days(self, deadline: Deadline, now: datetime, region: str) -> int:
        """By the calendar in force, as the agency of `region` counts."""
        return self.reference.remaining_working_days(deadline, now, region)

    def legal_basis(self, basis: str) -> str:
        """An instrument is quoted as it is called; only our own promises are translated."""
        key = f"basis.{basis}"
        return self.say(key) if knows(self.language, key) else INSTRUMENTS[basis]

    def refusal(self, finding: Finding) -> Refusal:
        words = finding_words(finding, self.reference.regions, self.language)
        return Refusal(
            code=finding.code,
            cls=finding.cls,
            side=finding.side,
            message=words.message,
            fix=words.fix,
            where=words.where,
            legal_basis=self.legal_basis(finding.basis),
            retry_on=finding.retry_on,
        )

    def waiting(self, wait: Waiting) -> WaitingPeriod:
        return WaitingPeriod(
            gap_months=wait.gap_months,
            months=wait.months,
            starts_on=wait.starts_on,
            ends_on=wait.ends_on,
            rule=waiting_words(wait, self.language),
            legal_basis=self.legal_basis(wait.basis),
            ratio=Decimal(wait.ratio) if wait.ratio is not None else None,
        )

    async def insured_person(self, state: TransferState) -> InsuredPerson:
        """The person of a case, masked."""
        key = IdentityKey(state.person_id, state.from_region, state.from_scheme)
        return self.masked(state.person_id, await self.context.loaders.identities.load(key))

    def masked(self, person_id: UUID, sealed: SealedIdentity | None) -> InsuredPerson:
        """A person masked. One whose key was shredded is nobody any more."""
        if sealed is None:
            return InsuredPerson(masked_name="*", masked_resident_id=NO_NUMBER)
        try:
            data_key = self.context.keyring.unwrap(sealed.wrapped_key)
            number = open_identity(PersonRef(person_id, data_key, sealed.resident_id_sealed))
            name = open_name(data_key, sealed.name_sealed) if sealed.name_sealed is not None else "*"
        except KeyringError:
            return InsuredPerson(masked_name="*", masked_resident_id=NO_NUMBER)
        return InsuredPerson(masked_name=mask_name(name), masked_resident_id=mask_resident_id(number))

    async def documents(self, case: Transfer) -> list[TransferDocument]:
        relations = case.view.relations
        if case.view.shows(TRANSFER_FIELDS, "documents") is Show.NOTHING:
            return []
        rows = await self.context.loaders.documents.load(case.stored.transfer_id)
        return [self.document(row) for row in rows if document_shown(row.kind, relations)]

    async def notices(self, case: Transfer) -> list[Notice]:
        shown = case.view.shows(TRANSFER_FIELDS, "notices")
        if shown is Show.NOTHING:
            return []
        return tell_notices(await self.context.loaders.notices.load(case.stored.transfer_id), shown, self)

    async def page_of_events(self, case: Transfer, first: int, after: str | None) -> TransferEventConnection:
        """A page of the case's events, oldest first. Raises `InvalidArguments`."""
        check_page(first, self.language)
        seq = position(after, read_seq, self.language) or 0
        relations, limited = case.view.relations, case.view.limited
        # An employer's page is made of what is left of all events.
        key = EventsKey(case.stored.transfer_id, seq, case.stored.revision if limited else first + 1)
        loaded = await self.context.loaders.events.load(key)
        # The case was read first: what has happened to it since is not in what the rest of this answer says.
        known = [each for each in loaded if each.seq <= case.stored.revision]
        stored, more = cut([each for each in known if event_shown(public_kind(each), relations)], first)
        # An employer is shown no text.
        readable = stored if limited else await open_texts(self.context, case.stored.transfer_id, stored)
        edges = [TransferEventEdge(cursor=cursor(each.seq), node=tell_event(each, case, self)) for each in readable]
        return TransferEventConnection(
            edges=edges, page_info=page_info([edge.cursor for edge in edges], more=more, after=after)
        )

    async def document_by_id(self, document_id: UUID) -> TransferDocument | None:
        """The document, if the caller may see it."""
        row = await document_by_id(self.context.pool, self.scope, document_id)
        if row is None:
            return None
        self.note_look("node", document_id=row.document_id)
        return self.document(row)

    @cached_property
    def _link_holder(self) -> LinkHolder:
        return link_holder(self.context.keyring, self.context.viewer)

    def _link(self, document_id: UUID) -> str:
        """The link to a document for this caller, so that the download says who it is."""
        settings = self.context.settings
        return signed_link(settings.base_url, document_id, self.now, self.context.keyring, self._link_holder)

    def document(self, row: DocumentRow) -> TransferDocument:
        return TransferDocument(
            id=node_id("TransferDocument", row.document_id),
            kind=row.kind,
            number=row.number,
            version=row.version,
            issued_at=row.issued_at,
            issued_by=self.agency(row.issued_by) if row.issued_by is not None else None,
            sha256=row.sha256,
            void=row.voided_at is not None,
            download_url=self._link(row.document_id),
        )


_AGENCIES: "weakref.WeakKeyDictionary[Reference, dict[str, Agency]]" = weakref.WeakKeyDictionary()


def _agencies(reference: Reference) -> dict[str, Agency]:
    """The directory's agencies, made once for each reading of the directory: every answer shows two or more of them."""
    made = _AGENCIES.get(reference)
    if made is None:
        made = _AGENCIES[reference] = {code: _agency(entry) for code, entry in reference.regions.items()}
    return made


def _agency(entry: RegionEntry) -> Agency:
    region = PoolingRegion(
        code=PoolingRegionCode(entry.code),
        name=entry.name,
        province=entry.province,
        connected=entry.policy.connected,
    )
    return Agency(
        id=node_id("Agency", entry.code),
        code=entry.agency_code,
        name=entry.agency_name,
        region=region,
        service_phone=entry.service_phone,
    )


def _unlisted(code: str) -> Agency:
    """A region that has left the directory since: shown by its code."""
    region = PoolingRegion(code=PoolingRegionCode(code), name=code, province="", connected=False)
    return Agency(id=node_id("Agency", code), code=code, name=code, region=region, service_phone=None)
