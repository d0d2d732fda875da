"""A document as a PDF: PDF/A-2a, A4, its typeface embedded. The same arguments give the same bytes on every machine."""

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import segno
import typst

from activities.documents.content import DocumentContent, digest
from activities.documents.fonts import FAMILY, code_point_name, missing_characters, printable, typefaces
from activities.documents.sheet import Notes, Sheet, texts
from activities.documents.sheets import sheet_of

_TEMPLATE: Final = Path(__file__).with_name("sheet.typ")


def render_pdf(content: DocumentContent, *, number: str, issued_at: datetime, qr_url: str) -> bytes:
    """The PDF. `number` is the document's own, `qr_url` goes into the QR code, `issued_at` becomes the file's date.

    Holds a core for tens of milliseconds: from asynchronous code, call it in a thread. ValueError for a naive
    `issued_at`.
    """
    if issued_at.tzinfo is None:
        raise ValueError("issued_at must carry its offset")
    sheet = _with_remark(sheet_of(content), number)
    words = {
        **sheet.model_dump(mode="json"),
        "number": number,
        "digest": digest(content),
        "family": FAMILY,
        "qr": _qr_code(qr_url),
    }
    compiler = typst.Compiler(_TEMPLATE, root=_TEMPLATE.parent, font_paths=typefaces(), ignore_system_fonts=True)
    # An archival profile also makes a character without a glyph an error instead of an empty box.
    pdf = compiler.compile(
        format="pdf",
        sys_inputs={"sheet": json.dumps(_printable(words), ensure_ascii=False)},
        # The typesetter counts in seconds.
        timestamp=issued_at.replace(microsecond=0),
        pdf_standards=["a-2a"],
    )
    if not isinstance(pdf, bytes):
        raise TypeError("the typesetter answered with something other than one PDF")
    return pdf


def _with_remark(sheet: Sheet, number: str) -> Sheet:
    """Adds which characters are printed as code points, so that nobody takes the brackets for a part of the name."""
    missing = sorted(missing_characters("".join((number, *texts(sheet)))))
    if not missing:
        return sheet
    listed = "、".join(code_point_name(character) for character in missing)
    remark = f"字库暂缺下列字符，以其 Unicode 码位代替显示：{listed}。"
    return sheet.model_copy(update={"blocks": (*sheet.blocks, Notes(heading="字符说明", lines=(remark,)))})


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {key: _printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_printable(item) for item in value]
    return value


def _qr_code(url: str) -> str:
    """The URL as a QR code in SVG, without the quiet zone that the template gives it."""
    svg = io.BytesIO()
    segno.make(url, error="m", micro=False).save(svg, kind="svg", border=0, omitsize=True, xmldecl=False, nl=False)
    return svg.getvalue().decode()
