"""Where documents are kept: the canonical content, sealed under the person's key, and the PDF once somebody asked for it."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

from activities.database import Connection
from activities.documents.content import (
    DocumentContent,
    IssuedDocument,
    canonical_bytes,
    case_shown,
    digest_of,
    from_canonical_bytes,
)
from activities.documents.render import render_pdf
from activities.documents.verification import verification_code as code_of
from activities.documents.words import TITLE
from activities.keyring import Keyring
from activities.people import PersonRef
from workflows.vocabulary import DocumentKind

_CONTENT = b"document"
_PDF = b"pdf"
# The columns of a document as it is issued, in the order of `Issued`.
_COLUMNS: Final = {
    "document_id": "uuid",
    "person_id": "uuid",
    "kind": "text",
    "number": "text",
    "version": "int",
    "issued_at": "timestamptz",
    "issued_by": "text",
    "sha256": "text",
    "content_sealed": "bytea",
    "verification_code": "text",
    "valid_until": "date",
}


class Issued(NamedTuple):
    """A document as it is kept: the row of `documents`, as `keep_documents` takes it. `digest` is its content's SHA-256."""

    document_id: UUID
    person_id: UUID
    kind: DocumentKind
    number: str
    version: int
    issued_at: datetime
    issued_by: str | None
    digest: str
    content_sealed: bytes
    verification_code: str
    valid_until: date | None


@dataclass(frozen=True)
class RenderedDocument:
    kind: DocumentKind
    number: str
    pdf: bytes


def drawn_up(
    person: PersonRef,
    content: DocumentContent,
    *,
    number: str,
    issued_at: datetime,
    version: int = 1,
    issued_by: str | None = None,
    verification_code: str | None = None,
    valid_until: date | None = None,
) -> Issued:
    """A document as it is at this moment, to be kept. `issued_by` is the agency's region, None for the platform.

    Every document can be verified by its number and code; one whose content does not show the code has it in its QR code.
    """
    text = canonical_bytes(content)
    return Issued(
        document_id=uuid4(),
        person_id=person.person_id,
        kind=content.kind,
        number=number,
        version=version,
        issued_at=issued_at,
        issued_by=issued_by,
        digest=digest_of(text),
        content_sealed=person.data_key.seal(text, _CONTENT),
        verification_code=verification_code or new_verification_code(),
        valid_until=valid_until,
    )


def keep_documents(first: int) -> str:
    """The statement that keeps documents of the transfer $1; the parameters from `$first` on are `columns_of` them."""
    columns = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(_COLUMNS.values(), first))
    return f"insert into documents (transfer_id, {', '.join(_COLUMNS)}) select $1, * from unnest({columns})"  # noqa: S608 - of constants


def columns_of(documents: Sequence[Issued]) -> list[list[Any]]:
    """The documents column by column."""
    return [[document[place] for document in documents] for place in range(len(_COLUMNS))]


_KEEP_SQL = keep_documents(2)


async def keep(connection: Connection, documents: Sequence[Issued], *, transfer_id: UUID | None) -> None:
    """Keep documents of a transfer, or of none."""
    await connection.execute(_KEEP_SQL, transfer_id, *columns_of(documents))


def new_verification_code() -> str:
    return code_of(secrets.token_bytes(8))


async def void_certificates(connection: Connection, transfer_id: UUID, at: datetime) -> None:
    """From `at` on no certificate of the transfer is good any more (94号 art. 4)."""
    await connection.execute(
        "update documents set voided_at = $2 where transfer_id = $1 and kind = $3 and voided_at is null",
        transfer_id, at, DocumentKind.ENROLMENT_CERTIFICATE,
    )  # fmt: skip


async def void_earlier_versions(
    connection: Connection, transfer_id: UUID, kind: DocumentKind, version: int, at: datetime
) -> None:
    """From `at` on the versions before `version`, which supersedes them, are not good any more: what was issued says so."""
    await connection.execute(
        """update documents set voided_at = $4
            where transfer_id = $1 and kind = $2 and version < $3 and voided_at is null""",
        transfer_id, kind, version, at,
    )  # fmt: skip


async def valid_documents(connection: Connection, transfer_id: UUID) -> tuple[IssuedDocument, ...]:
    """Titles and numbers of the transfer's documents that are in force, oldest first."""
    rows = await connection.fetch(
        """select kind, number from documents where transfer_id = $1 and voided_at is null
            order by issued_at, kind, number, version""",
        transfer_id,
    )
    return tuple(IssuedDocument(title=TITLE[DocumentKind(row["kind"])], number=row["number"]) for row in rows)


def qr_url(content: DocumentContent, *, public_url: str, number: str, verification_code: str) -> str:
    """Where the QR code of a document leads: to its verification, or to the page of its case, which offers that too."""
    asked = urlencode({"number": number, "code": verification_code})
    case = case_shown(content)
    return f"{public_url}/case/{quote(case, safe='')}?{asked}" if case else f"{public_url}/verify?{asked}"


async def rendered(
    connection: Connection, keyring: Keyring, document_id: UUID, *, public_url: str
) -> RenderedDocument | None:
    """The document as a PDF, rendered at the first call and kept; None when there is no such document.

    `public_url` is the gateway's own address, which the QR code leads to.
    """
    row = await connection.fetchrow(
        """select d.kind, d.number, d.issued_at, d.content_sealed, d.verification_code, p.wrapped_key, f.pdf_sealed
             from documents d join persons p using (person_id) left join document_files f using (document_id)
            where d.document_id = $1""",
        document_id,
    )
    if row is None:
        return None
    data_key = keyring.unwrap(row["wrapped_key"])
    kind, number = DocumentKind(row["kind"]), row["number"]
    if row["pdf_sealed"] is not None:
        return RenderedDocument(kind, number, data_key.open(row["pdf_sealed"], _PDF))
    content = from_canonical_bytes(data_key.open(row["content_sealed"], _CONTENT))
    url = qr_url(content, public_url=public_url, number=number, verification_code=row["verification_code"])
    pdf = await asyncio.to_thread(render_pdf, content, number=number, issued_at=row["issued_at"], qr_url=url)
    await connection.execute(
        "insert into document_files (document_id, pdf_sealed) values ($1, $2) on conflict do nothing",
        document_id, data_key.seal(pdf, _PDF),
    )  # fmt: skip
    return RenderedDocument(kind, number, pdf)
