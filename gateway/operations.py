"""From the text of a request to an operation that may run: found in the cache, or parsed, limited and validated."""

import hashlib
import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)

from gateway import limits
from gateway.auth import Viewer
from gateway.executor import PlainQuery
from gateway.faults import Refused
from gateway.limits import ProcessorRation
from gateway.short_ways import ShortWays

MAX_CACHED_DOCUMENTS: Final = 1_000
# A syntax tree takes some fifty times its text, and its short ways as much again.
MAX_CACHED_LENGTH: Final = 1024 * 1024
MAX_VALIDATION_ERRORS: Final = 10
# Shares of one processor for documents never seen: the anonymous must not use up what the others have.
ANONYMOUS_SHARE, ANONYMOUS_BURST_SECONDS = 0.1, 2.0
KNOWN_SHARE, KNOWN_BURST_SECONDS = 0.25, 5.0


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    """The parameters of a GraphQL request, whatever it came by. `sha256` stands for a trusted document's text."""

    query: str | None
    operation_name: str | None
    variables: dict[str, Any]
    sha256: str | None = None


class InvalidDocumentError(Exception):
    """The document is no GraphQL, or not for this schema."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a valid document. `label` is its first root field, from the schema's closed list.

    `plain_query` is the operation as one, where it is one.
    """

    document: DocumentNode
    short_ways: ShortWays
    plain_query: PlainQuery | None
    name: str | None
    type: OperationType
    label: str


def read_request(payload: object) -> GraphQLRequest:
    """The request that a JSON value says. Raises `Refused` that names the parameter that is wrong."""
    if isinstance(payload, list):
        raise Refused("不支持批量请求", "Batches are not supported: send one request at a time")
    if not isinstance(payload, dict):
        raise Refused("请求体应为 JSON 对象", "The request must be a JSON object")
    query = _parameter(payload, "query", str)
    extensions = _parameter(payload, "extensions", dict) or {}
    persisted = _parameter(extensions, "persistedQuery", dict) or {}
    document_id = _parameter(payload, "documentId", str) or _parameter(persisted, "sha256Hash", str)
    if query is None and document_id is None:
        raise Refused("缺少 query", "The parameter query is missing")
    return GraphQLRequest(
        query=query,
        operation_name=_parameter(payload, "operationName", str) or None,
        variables=_parameter(payload, "variables", dict) or {},
        sha256=document_id.removeprefix("sha256:").lower() if document_id else None,
    )


def _parameter(payload: Mapping[str, Any], name: str, kind: type[str | dict[str, Any]]) -> Any:
    value = payload.get(name)
    if value is not None and not isinstance(value, kind):
        noun = "a string" if kind is str else "an object"
        raise Refused(f"参数 {name} 类型有误", f"The parameter {name} must be {noun}")
    return value


def load_trusted_documents(path: Path) -> dict[str, str]:
    """Documents by the SHA-256 of their text, from a JSON object. Raises `OSError`, or `ValueError` that names a wrong one."""
    documents = json.loads(path.read_text("utf-8"))
    if not isinstance(documents, dict) or not all(isinstance(text, str) for text in documents.values()):
        raise ValueError(f"{path} is no JSON object of sha256 to document")
    for digest, text in documents.items():
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise ValueError(f"{path}: {digest} is not the SHA-256 of its document")
    return documents


class Operations:
    """Every document that runs passes here. Shared by HTTP, SSE and WebSocket."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool, trusted: Mapping[str, str] | None = None) -> None:
        self._schema = schema
        self._trusted = trusted
        self.hide_suggestions = not introspection
        self._rules = (*specified_rules, *(() if introspection else (NoSchemaIntrospectionCustomRule,)))
        self._cache: OrderedDict[str, _Document] = OrderedDict()
        self._cached_length = 0
        self._anonymous = ProcessorRation(ANONYMOUS_SHARE, ANONYMOUS_BURST_SECONDS)
        self._known = ProcessorRation(KNOWN_SHARE, KNOWN_BURST_SECONDS)

    def find(self, request: GraphQLRequest, viewer: Viewer) -> Operation:
        """The operation that the request names. Raises `Refused`, `TooManyNewDocuments` or `InvalidDocumentError`."""
        ration = self._anonymous if viewer.anonymous else self._known
        text = self._text(request)
        document = self._cache.get(text)
        if document is None:
            document = _Document(self._schema, self._prepare(text, ration))
            self._keep(text, document)
        else:
            self._cache.move_to_end(text)
        return document.operation(request.operation_name, ration)

    def _text(self, request: GraphQLRequest) -> str:
        if self._trusted is None:
            if request.query is None:
                raise Refused(
                    "此处未登记文档，请发送完整的 query", "No documents are registered here: send the query itself"
                )
            return request.query
        digest = request.sha256 or hashlib.sha256((request.query or "").encode()).hexdigest()
        text = self._trusted.get(digest)
        if text is None:
            raise Refused("该文档未登记", "Only registered documents run here, and this is none of them")
        return text

    def _prepare(self, text: str, ration: ProcessorRation) -> DocumentNode:
        ration.require()
        started = time.perf_counter()
        try:
            try:
                document = parse(
                    text, max_lexical_tokens=limits.MAX_TOKENS, max_source_length=limits.MAX_DOCUMENT_LENGTH
                )
            except GraphQLError as error:
                raise InvalidDocumentError([error]) from None
            limits.require_within_limits(self._schema, document)
            errors = validate(
                self._schema,
                document,
                self._rules,
                max_errors=MAX_VALIDATION_ERRORS,
                hide_suggestions=self.hide_suggestions,
                allow_empty_selection_sets=False,
            )
            if errors:
                raise InvalidDocumentError(errors)
            return document
        finally:
            ration.spend(time.perf_counter() - started)

    def _keep(self, text: str, document: "_Document") -> None:
        self._cache[text] = document
        self._cached_length += len(text)
        while len(self._cache) > MAX_CACHED_DOCUMENTS or self._cached_length > MAX_CACHED_LENGTH:
            oldest, _ = self._cache.popitem(last=False)
            self._cached_length -= len(oldest)


class _Document:
    """A valid document, and what is found out about it once."""

    def __init__(self, schema: GraphQLSchema, node: DocumentNode) -> None:
        self._schema = schema
        self._node = node
        self._short_ways = ShortWays(schema, node)
        self._operations: dict[str | None, Operation] = {}

    def operation(self, name: str | None, ration: ProcessorRation) -> Operation:
        """The operation of that name, or the only one; looked at more closely for the first time on `ration`. Raises `Refused`."""
        known = self._operations.get(name)
        if known is None:
            started = time.perf_counter()
            known = self._operations[name] = self._find(name)
            ration.spend(time.perf_counter() - started)
        return known

    def _find(self, name: str | None) -> Operation:
        operations = [node for node in self._node.definitions if isinstance(node, OperationDefinitionNode)]
        matching = [node for node in operations if name is None or (node.name is not None and node.name.value == name)]
        if not matching:
            raise Refused("文档中没有该 operationName", f"The document has no operation called {str(name)[:100]}")
        if len(matching) > 1:
            raise Refused(
                "文档含多个操作，请指明 operationName",
                "The document has several operations: say which by operationName",
            )
        [node] = matching
        first = node.selection_set.selections[0]
        label = first.name.value if isinstance(first, FieldNode) else "fragment"
        plain_query = PlainQuery.of(self._schema, node, self._short_ways)
        return Operation(self._node, self._short_ways, plain_query, name, node.operation, label)
