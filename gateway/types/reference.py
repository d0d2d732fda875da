"""Types that stand by themselves: nodes, pages, money, regions, agencies, persons."""

import base64
import binascii
from decimal import Decimal

import strawberry

from gateway.scalars import Fen, PoolingRegionCode, code_in


@strawberry.interface
class Node:
    id: strawberry.ID


def node_id(type_name: str, key: object) -> strawberry.ID:
    """The opaque, stable id of a node."""
    return strawberry.ID(base64.urlsafe_b64encode(f"{type_name}:{key}".encode()).decode().rstrip("="))


def node_key(identifier: str) -> tuple[str, str] | None:
    """Type name and key of an id that `node_id` made; None for anything else."""
    try:
        text = base64.b64decode(identifier + "=" * (-len(identifier) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    type_name, colon, key = text.partition(":")
    made_by_us = colon and node_id(type_name, key) == identifier and code_in(key)
    return (type_name, key) if made_by_us else None


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Money:
    fen: Fen
    yuan: Decimal = strawberry.field(description="fen / 100 with two decimals.")

    @classmethod
    def of(cls, amount_fen: int) -> "Money":
        return cls(fen=Fen(amount_fen), yuan=Decimal(amount_fen).scaleb(-2).quantize(Decimal("0.01")))


@strawberry.type
class PoolingRegion:
    code: PoolingRegionCode
    name: str
    province: str
    connected: bool = strawberry.field(description="False: forms travel by post.")


@strawberry.type
class Agency(Node):
    code: str
    name: str
    region: PoolingRegion
    service_phone: str | None


@strawberry.type(description="What a caller may see of the insured person. The full number never leaves the gateway.")
class InsuredPerson:
    masked_name: str = strawberry.field(description="`王*琪`")
    masked_resident_id: str = strawberry.field(description="`110101********1234`")
