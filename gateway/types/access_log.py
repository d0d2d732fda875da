"""The read audit as the API shows it: to the person, who has looked; to the supervisor, how often each member of staff has."""

from datetime import datetime

import strawberry

from gateway.scalars import TransferNo
from gateway.types.reference import Agency, PageInfo
from workflows.vocabulary import Role


@strawberry.type(
    description="Somebody was shown the person's data. Names of staff are not shown: the agency answers for them."
)
class AccessLogEntry:
    at: datetime = strawberry.field(description="The instant of the look; of the first, when there were several.")
    agency: Agency | None = strawberry.field(
        description="The agency or bureau that looked; null for persons, employers and the platform's operators."
    )
    role: Role = strawberry.field(description="The role in which it was done.")
    purpose: str = strawberry.field(description="Why, ready to show, in the request's Accept-Language (zh-CN, en).")
    operation: str = strawberry.field(
        description="What was asked: a root field of this API (`transfer`), a field of the viewer (`viewer.worklist`), or "
        "`documents` for the download of a document."
    )
    transfer_no: TransferNo | None = strawberry.field(description="The transfer that was shown; null when it was none.")
    looks: int = strawberry.field(description="How many equal looks this entry stands for, all within about a second.")


@strawberry.type
class AccessLogEdge:
    cursor: str = strawberry.field(description="Its place in the list: `after` of the next page.")
    node: AccessLogEntry = strawberry.field(description="The look.")


@strawberry.type(description="Who has looked at the person's data, newest first.")
class AccessLogConnection:
    edges: list[AccessLogEdge] = strawberry.field(description="The entries of the page.")
    page_info: PageInfo = strawberry.field(description="Whether there is more.")


@strawberry.type(
    description="How often a member of an agency's staff, or one of its systems, looked at persons' data in a period."
)
class AccessCount:
    agency: Agency = strawberry.field(description="The agency that answers for them.")
    role: Role = strawberry.field(description="The role in which they looked; each role has a count of its own.")
    subject: str = strawberry.field(description="Who: the subject of their token.")
    acting_person: str | None = strawberry.field(
        description="Whom the agency's system named as acting, in the words that it used; null when it named nobody."
    )
    looks: int = strawberry.field(description="How many times they were shown a person's data.")
    persons: int = strawberry.field(description="Of how many different persons.")
    outlier: bool = strawberry.field(
        description="True when they looked at least 20 times, and their looks are more than 3 median absolute deviations "
        "above the median of all who looked in the same role at the same agency in the period."
    )


@strawberry.type
class AccessCountEdge:
    cursor: str = strawberry.field(description="Its place in the list: `after` of the next page.")
    node: AccessCount = strawberry.field(description="The count.")


@strawberry.type(description="Counts of the supervisor's area, the most looks first.")
class AccessCountConnection:
    edges: list[AccessCountEdge] = strawberry.field(description="The counts of the page.")
    page_info: PageInfo = strawberry.field(description="Whether there is more.")
