"""The caller's own corner: roles, agency, own transfers, and the worklist of the caller's agency."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

import strawberry

from gateway import reads
from gateway.access_log_reads import page_of_access_counts, page_of_access_log
from gateway.access_model import OWN
from gateway.authorisation import field
from gateway.caller_view import office_view
from gateway.case import show_case, step_of
from gateway.consents import own_consents
from gateway.context import RequestContext
from gateway.mandates import mandates_of
from gateway.paging import check_page, cursor, cut, page_info, position, read_seq
from gateway.scalars import ResidentId
from gateway.telling import Telling, telling_of
from gateway.transfer_lists import page_of_transfers
from gateway.types.access_log import AccessCountConnection, AccessLogConnection
from gateway.types.consents import Consent
from gateway.types.inputs import WorklistFilter
from gateway.types.mandates import Mandates
from gateway.types.reference import Agency, Node, PageInfo, node_id
from gateway.types.transfer import Transfer, TransferConnection, TransferStep
from gateway.types.unmatched_funds import UnmatchedFundsConnection
from gateway.unmatched_funds import page_of_unmatched_funds
from gateway.visibility import area_of, regions_of
from workflows.vocabulary import MANDATE_APPROVERS, Role, TransferStepKind

R = Role


@strawberry.type(description="One open step waiting for the caller's agency.")
class WorkItem(Node):
    transfer: Transfer
    step: TransferStep
    due_on: date = strawberry.field(description="Of an approval, which has no period, the day since which it waits.")


@strawberry.type
class WorkItemEdge:
    cursor: str
    node: WorkItem


@strawberry.type
class WorklistCounts:
    open: int
    due_today: int
    overdue: int


@strawberry.type
class WorkItemConnection:
    telling: strawberry.Private[Telling]
    desk: strawberry.Private[reads.Desk]
    conditions: strawberry.Private[reads.WorkConditions]

    edges: list[WorkItemEdge]
    page_info: PageInfo

    @strawberry.field
    async def counts(self) -> WorklistCounts:
        pool, today = self.telling.context.pool, self.telling.today
        counted = await reads.count_work(pool, self.desk, self.conditions, today=today)
        return WorklistCounts(open=counted.open, due_today=counted.due_today, overdue=counted.overdue)


@strawberry.type
class Viewer:
    telling: strawberry.Private[Telling]

    roles: list[Role]
    agency: Agency | None

    @field(
        "The insured person's own transfers, and those of persons whose mandate they hold, newest first.",
        requires=(R.INSURED_PERSON,),
    )
    async def transfers(self, first: int = 20, after: str | None = strawberry.UNSET) -> TransferConnection:
        own = self.telling.scope.only(OWN)
        return await page_of_transfers(
            self.telling, "viewer.transfers", own, reads.TransferConditions(), first, after or None
        )

    @field(
        "Mandates that the person has given, and those that the caller holds. At a window: `residentId` of a person of its region.",
        requires=(R.INSURED_PERSON, *MANDATE_APPROVERS),
    )
    async def mandates(self, resident_id: ResidentId | None = strawberry.UNSET) -> Mandates:
        return await mandates_of(self.telling, resident_id or None)

    @field(
        "Consents of the insured person that agencies have recorded at their windows, newest first, ended ones too; 50 at most.",
        requires=(R.INSURED_PERSON,),
    )
    async def consents(self) -> list[Consent]:
        return await own_consents(self.telling)

    @field(
        "Who has looked at the person's data: the agency, its role, the purpose, the operation, newest first. Names of staff "
        "are not shown; the agency answers for them. The person's own looks are in `ownAccessLog`. A look appears about a "
        "second after it at the latest.",
        requires=(R.INSURED_PERSON,),
    )
    async def access_log(self, first: int = 20, after: str | None = strawberry.UNSET) -> AccessLogConnection:
        return await page_of_access_log(self.telling, first, after or None, own=False)

    @field(
        "When the person's own data was looked at with the person's own token, newest first: what the person does not "
        "remember may be a stolen token.",
        requires=(R.INSURED_PERSON,),
    )
    async def own_access_log(self, first: int = 20, after: str | None = strawberry.UNSET) -> AccessLogConnection:
        return await page_of_access_log(self.telling, first, after or None, own=True)

    @field(
        "How often each member of staff and each system of the agencies in the supervisor's area looked at persons' data, from "
        "`firstDay` to `lastDay` in Asia/Shanghai, both included, 92 days at most; the most looks first, outliers marked.",
        requires=(R.SUPERVISOR,),
    )
    async def access_counts(
        self, first_day: date, last_day: date, first: int = 20, after: str | None = strawberry.UNSET
    ) -> AccessCountConnection:
        return await page_of_access_counts(self.telling, first_day, last_day, first, after or None)

    @field(
        "Money on the agency's account that belongs to nobody yet, oldest first. The agency is never an argument.",
        requires=(R.FINANCE, R.AGENCY_SYSTEM, R.SUPERVISOR),
    )
    async def unmatched_funds(self, first: int = 20, after: str | None = strawberry.UNSET) -> UnmatchedFundsConnection:
        return await page_of_unmatched_funds(self.telling, first, after or None)

    @field(
        "Open steps of the caller's agency, due soonest first. The agency is never an argument. Keyset "
        "cursors: pages stay stable while work is done.",
        requires=(
            R.CLERK,
            R.CHECKER,
            R.FINANCE,
            R.AGENCY_SYSTEM,
            R.SUPERVISOR,
        ),
    )
    async def worklist(
        self,
        first: int = 20,
        after: str | None = strawberry.UNSET,
        filter: WorklistFilter | None = strawberry.UNSET,  # noqa: A002 - the contract's name
    ) -> WorkItemConnection:
        telling = self.telling
        check_page(first, telling.language)
        conditions = _conditions(filter or WorklistFilter())
        desk = desk_of(telling)
        place = position(after or None, _work_key, telling.language)
        rows = await reads.list_work(
            telling.context.pool, desk, conditions, today=telling.today, limit=first + 1, after=place
        )
        page, more = cut(rows, first)
        edges = [WorkItemEdge(cursor=cursor(*row.key), node=work_item(row, telling, "viewer.worklist")) for row in page]
        return WorkItemConnection(
            telling=telling,
            desk=desk,
            conditions=conditions,
            edges=edges,
            page_info=page_info([edge.cursor for edge in edges], more=more, after=after or None),
        )


async def viewer_of(context: RequestContext) -> Viewer:
    """The caller of an operation."""
    telling = await telling_of(context)
    region = context.viewer.region
    return Viewer(
        telling=telling,
        roles=list(context.viewer.roles),
        agency=telling.agency(region) if region is not None else None,
    )


def desk_of(telling: Telling) -> reads.Desk:
    """The caller's worklist."""
    viewer, directory = telling.context.viewer, telling.reference.regions
    return reads.Desk(regions_of(viewer, directory), sorted(area_of(viewer, directory)))


def work_item(row: reads.WorkRow, telling: Telling, operation: str) -> WorkItem:
    """A work item with its case, which is shown through `operation`."""
    key, case = row.key, show_case(office_view(telling.scope, row.state), telling, operation)
    steps = (*case.stored.steps, *case.stored.approvals)
    step = next(each for each in steps if (each.kind, each.round) == (key.step, key.round))
    return WorkItem(
        id=node_id("WorkItem", f"{key.transfer_id}:{key.step}:{key.round}"),
        transfer=case,
        step=step_of(step, case),
        due_on=step.deadline.due_on if step.deadline is not None else key.due_on,
    )


def _conditions(wanted: WorklistFilter) -> reads.WorkConditions:
    return reads.WorkConditions(
        steps=_list(wanted.steps),
        due_on_or_before=wanted.due_on_or_before or None,
        counterpart_region=wanted.counterpart_region if isinstance(wanted.counterpart_region, str) else None,
        overdue_only=bool(wanted.overdue_only),
    )


def _list(kinds: Sequence[TransferStepKind] | None) -> Sequence[TransferStepKind] | None:
    # An empty list asks for nothing; what was left out asks for everything.
    return kinds if isinstance(kinds, list) else None


def _work_key(due_on: str, transfer_id: str, step: str, round_: str) -> reads.WorkKey:
    return reads.WorkKey(date.fromisoformat(due_on), UUID(transfer_id), TransferStepKind(step), read_seq(round_))
