"""Pieces that the sheets of several documents have: the parties, the person, the two regions."""

from activities.documents import words
from activities.documents.content import AgencyBlock, DocumentContent, PersonBlock, RegionBlock, case_shown
from activities.documents.sheet import Block, Fields, Sheet, narrow, wide


def sheet_for(
    content: DocumentContent,
    title: str,
    *blocks: Block,
    captions: tuple[str, ...] = (),
    opening: str | None = None,
    copies: tuple[str, ...] = (),
) -> Sheet:
    """A sheet that its agency seals."""
    return Sheet(
        title=title,
        captions=captions,
        opening=opening,
        blocks=blocks,
        signed_by=content.agency.name,
        signed_on=words.day(content.issued_on),
        copies=copies,
        scan=words.SCAN_FOR_CASE if case_shown(content) else words.SCAN,
    )


def agency_part(agency: AgencyBlock, heading: str) -> Fields:
    return Fields(
        heading=heading,
        pairs=(
            wide("机构名称", agency.name),
            narrow("机构编码", agency.code),
            narrow("统筹区", f"{agency.region_name}（{agency.region}）"),
            narrow("联系人", agency.contact),
            narrow("联系电话", agency.phone),
            wide("地址", agency.address),
            *((wide("邮政编码", agency.post_code),) if agency.post_code else ()),
        ),
    )


def person_part(person: PersonBlock, *more: tuple[str, str, bool]) -> Fields:
    """The person, and what else the document says of them. What the registers do not know takes no line."""
    return Fields(
        heading="参保人",
        pairs=(
            wide("姓名", person.name),
            narrow("证件类型", "居民身份证"),
            narrow("证件号码", person.resident_id),
            *((narrow("性别", person.sex),) if person.sex else ()),
            *((narrow("户籍类型", person.household_type),) if person.household_type else ()),
            *((wide("个人医保编号", person.personal_insurance_number),) if person.personal_insurance_number else ()),
            *more,
        ),
    )


def route_part(origin: RegionBlock, destination: RegionBlock) -> Fields:
    return Fields(
        heading="转移接续",
        pairs=(
            narrow("转出地", f"{origin.name}（{origin.code}）"),
            narrow("转出险种", words.SCHEME[origin.scheme]),
            narrow("转入地", f"{destination.name}（{destination.code}）"),
            narrow("转入险种", words.SCHEME[destination.scheme]),
        ),
    )


def transfer_caption(transfer_no: str | None) -> tuple[str, ...]:
    return (f"业务流水号：{transfer_no}",) if transfer_no else ()


def superseding(version: int) -> str | None:
    """What a later version says of those before it."""
    if version == 1:
        return None
    earlier = "原第1版作废" if version == 2 else f"原第1版至第{version - 1}版均作废"
    return f"本文书为第{version}版，取代第{version - 1}版；{earlier}，请以本版为准。"
