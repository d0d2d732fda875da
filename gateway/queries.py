"""The root of every query."""

from uuid import UUID

import strawberry

from gateway import reads
from gateway.authorisation import check_signed_in, field
from gateway.case import show_case
from gateway.context import RequestContext
from gateway.mandates import mandate_node
from gateway.paging import read_seq
from gateway.precheck import tell_eligibility
from gateway.scalars import TransferNo
from gateway.telling import telling_of
from gateway.transfer_lists import conditions_of, page_of_transfers
from gateway.types.inputs import EligibilityInput, TransferFilter
from gateway.types.reference import Node, PoolingRegion, node_key
from gateway.types.refusals import CertificateCheck, Eligibility
from gateway.types.transfer import Transfer, TransferConnection
from gateway.viewer import Viewer, desk_of, viewer_of, work_item
from workflows.deadlines import shanghai_date
from workflows.vocabulary import Role

R = Role
Info = strawberry.Info[RequestContext, None]


@strawberry.type
class Query:
    @strawberry.field
    async def viewer(self, info: Info) -> Viewer:
        check_signed_in(info.context)
        return await viewer_of(info.context)

    @strawberry.field
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 - the contract's name
        check_signed_in(info.context)
        named = node_key(id)
        return await _node(info.context, *named) if named is not None else None

    @field("Null when it does not exist or the caller may not see it: the two are not told apart.")
    async def transfer(self, info: Info, no: TransferNo) -> Transfer | None:
        context = info.context
        check_signed_in(context)
        telling = await telling_of(context)
        view = await reads.transfer_by_no(context.pool, telling.scope, no)
        return show_case(view, telling, "transfer") if view is not None else None

    @field(
        "For the window, the hotline, the employer, the supervisor: those of the caller's agency, staff or "
        "area, newest first.",
        requires=(
            R.EMPLOYER,
            R.CLERK,
            R.CHECKER,
            R.FINANCE,
            R.AGENCY_SYSTEM,
            R.SUPERVISOR,
            R.OPERATOR,
        ),
    )
    async def transfers(
        self,
        info: Info,
        filter: TransferFilter | None = strawberry.UNSET,  # noqa: A002 - the contract's name
        first: int = 20,
        after: str | None = strawberry.UNSET,
    ) -> TransferConnection:
        telling = await telling_of(info.context)
        conditions = conditions_of(filter or TransferFilter(), telling)
        return await page_of_transfers(telling, "transfers", telling.scope, conditions, first, after or None)

    @field(
        "Dry run of the pre-check on both sides. Changes nothing.",
        requires=(
            R.INSURED_PERSON,
            R.EMPLOYER,
            R.CLERK,
            R.AGENCY_SYSTEM,
        ),
    )
    async def eligibility(self, info: Info, input: EligibilityInput) -> Eligibility:  # noqa: A002 - the contract's name
        return await tell_eligibility(await telling_of(info.context), input)

    @field(
        "Open to all: is this enrolment certificate genuine and not voided? Past its last day it is not valid either."
    )
    async def certificate_check(self, info: Info, number: str, code: str) -> CertificateCheck:
        budget, key = info.context.budgets.certificate_checks, info.context.caller.key
        budget.require(key)
        budget.spend(key, 1)
        telling = await telling_of(info.context)
        row = await reads.genuine_certificate(info.context.pool, number, code)
        if row is None:
            return CertificateCheck(valid=False)
        return CertificateCheck(
            valid=row.voided_at is None and (row.valid_until is None or telling.today <= row.valid_until),
            issued_on=shanghai_date(row.issued_at),
            voided_on=shanghai_date(row.voided_at) if row.voided_at is not None else None,
            agency=telling.agency(row.issued_by) if row.issued_by is not None else None,
        )

    @strawberry.field
    async def pooling_regions(
        self,
        info: Info,
        province: str | None = strawberry.UNSET,
        connected: bool | None = strawberry.UNSET,
    ) -> list[PoolingRegion]:
        check_signed_in(info.context)
        telling = await telling_of(info.context)
        regions = (telling.region(code) for code in telling.reference.regions)
        return [
            each
            for each in regions
            if (not isinstance(province, str) or each.province == province)
            and (not isinstance(connected, bool) or each.connected is connected)
        ]


async def _node(context: RequestContext, type_name: str, key: str) -> Node | None:  # noqa: PLR0911 - one for each type
    """What an id stands for, if the caller may see it."""
    telling = await telling_of(context)
    try:
        match type_name:
            case "Transfer":
                view = await reads.transfer_by_id(context.pool, telling.scope, UUID(key))
                return show_case(view, telling, "node") if view is not None else None
            case "Agency":
                return telling.agency(key) if key in telling.reference.regions else None
            case "TransferDocument":
                return await telling.document_by_id(UUID(key))
            case "Mandate":
                return await mandate_node(telling, UUID(key))
            case "WorkItem":
                transfer_id, step, round_ = key.split(":")
                row = await reads.work_item(context.pool, desk_of(telling), UUID(transfer_id), step, read_seq(round_))
                return work_item(row, telling, "node") if row is not None else None
            case _:
                return None
    except ValueError:
        # Well made by us, but of no kind of key: an id of nothing.
        return None
