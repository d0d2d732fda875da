"""ISO 20022 as bytes: the classes of the published schemas, read and written, and what no message may be.

A document is bounded in size, well-formed, without a DTD and so without entities, of a kind that is known here, and keeps
to the restrictions of its schema; anything else is refused whole, with words that say what to do.
"""

from typing import Any, Final, TypeVar

from lxml import etree
from pyiso20022.camt.camt_053_001_08 import camt_053_001_08 as statement
from pyiso20022.camt.camt_054_001_08 import camt_054_001_08 as advice
from pyiso20022.pain.pain_001_001_09 import pain_001_001_09 as initiation
from pyiso20022.pain.pain_002_001_10 import pain_002_001_10 as report
from xsdata.exceptions import ConverterWarning, ParserError
from xsdata.formats.dataclass.context import XmlContext
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.config import ParserConfig
from xsdata.formats.dataclass.parsers.handlers import LxmlEventHandler
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.formats.dataclass.serializers.writers import XmlEventWriter

from activities.bank.restrictions import faults

# An advice of ten thousand entries; who sends more sends several.
MOST_BYTES: Final = 8 * 1024 * 1024
NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:"
INITIATION, REPORT, ADVICE, STATEMENT = "pain.001.001.09", "pain.002.001.10", "camt.054.001.08", "camt.053.001.08"
DOCUMENTS: Final[dict[str, type[Any]]] = {
    INITIATION: initiation.Document,
    REPORT: report.Document,
    ADVICE: advice.Document,
    STATEMENT: statement.Document,
}

Message = TypeVar("Message")


class RefusedMessageError(ValueError):
    """The document is none that is taken here, and nothing of it was. The message says what to do."""


def kind_of(document: bytes) -> str:
    """The kind of a document, as in `DOCUMENTS`. Raises `RefusedMessageError`."""
    return _kind(_tree(document))


def read(document: bytes, *kinds: str) -> Any:
    """The document as the class of its kind, which is one of `kinds`. Raises `RefusedMessageError`."""
    root = _tree(document)
    kind = _kind(root)
    if kind not in kinds:
        raise RefusedMessageError(f"a {kind} is not taken here: send {' or '.join(kinds)}")
    try:
        message = _PARSER.parse(root, DOCUMENTS[kind])
    except (ParserError, ConverterWarning, TypeError, ValueError) as error:
        raise RefusedMessageError(f"not a {kind}: {_first_line(error)}; send it as its schema has it") from None
    broken = faults(message)
    if broken:
        raise RefusedMessageError(f"not a {kind}: {'; '.join(broken)}; send it as its schema has it")
    return message


def write(message: Any, kind: str) -> bytes:
    """The message as bytes. Raises `RefusedMessageError` when it breaks a restriction of its schema."""
    broken = faults(message)
    if broken:
        raise RefusedMessageError(f"this is no {kind}: {'; '.join(broken)}")
    rendered: str = _SERIALIZER.render(message, ns_map={None: NAMESPACE + kind})
    return rendered.encode()


# Built once: what they learn of the classes is the larger part of a first document's time.
_CONTEXT: Final = XmlContext()
_PARSER: Final = XmlParser(
    context=_CONTEXT,
    config=ParserConfig(
        fail_on_unknown_properties=True, fail_on_unknown_attributes=True, fail_on_converter_warnings=True
    ),
    handler=LxmlEventHandler,
)
_SERIALIZER: Final = XmlSerializer(context=_CONTEXT, writer=XmlEventWriter)


def _tree(document: bytes) -> Any:
    """The root. xsdata's own reading would mend what is malformed, and expand entities within bounds of its own."""
    if len(document) > MOST_BYTES:
        raise RefusedMessageError(f"{len(document):,} bytes, where {MOST_BYTES:,} are allowed: send several messages")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False, remove_comments=True
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise RefusedMessageError(f"not well-formed XML ({_first_line(error)}): send the whole document") from None
    if root.getroottree().docinfo.doctype:
        raise RefusedMessageError("a document type declaration is not taken: send the document without it")
    return root


def _kind(root: Any) -> str:
    name = etree.QName(root)
    kind = (name.namespace or "").removeprefix(NAMESPACE)
    if name.localname != "Document" or kind not in DOCUMENTS:
        raise RefusedMessageError(
            f"{(name.namespace or name.localname)[:80]} is no kind of message known here: send {', '.join(DOCUMENTS)}"
        )
    return kind


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
