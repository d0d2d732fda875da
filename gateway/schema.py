"""The GraphQL schema that callers see; printed, it is `gateway/schema.graphql`."""

from pathlib import Path
from typing import Final

import strawberry
from strawberry.schema.config import StrawberryConfig

from gateway.mutations import Mutation
from gateway.queries import Query
from gateway.scalars import SCALARS
from gateway.subscriptions import Subscription
from gateway.types.transfer import TransferDocument
from gateway.viewer import WorkItem

PRINTED: Final = Path(__file__).with_name("schema.graphql")

schema: Final = strawberry.Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    types=[TransferDocument, WorkItem],
    config=StrawberryConfig(scalar_map=SCALARS),
)


def printed() -> str:
    """The schema as text, ending with a line break."""
    return f"{schema.as_str()}\n"
