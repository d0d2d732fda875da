"""From the text of a request to an operation that may run: found in the cache, or parsed, limited and validated."""

import hashlib
import json
import time
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
from gateway.budgets import Budgets, Caller
from gateway.document_cache import DocumentCache
from gateway.executor import PlainQuery
from gateway.faults import Refused
from gateway.limits import Measured
from gateway.short_ways import ShortWays

MAX_VALIDATION_ERRORS: Final = 10


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

    `plain_query` is the operation as one, where it is one. `cost` is the number of values that its answer can come to.
    """

    document: DocumentNode
    short_ways: ShortWays
    plain_query: PlainQuery | None
    name: str | None
    type: OperationType
    label: str
    cost: int


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

    def __init__(
        self,
        schema: GraphQLSchema,
        *,
        introspection: bool,
        trusted: Mapping[str, str] | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        self._schema = schema
        self._budgets = budgets or Budgets()
        self._trusted = trusted
        self.hide_suggestions = not introspection
        self._rules = (*specified_rules, *(() if introspection else (NoSchemaIntrospectionCustomRule,)))
        self._documents: DocumentCache[_Document] = DocumentCache()

    def find(self, request: GraphQLRequest, viewer: Viewer, address: str = "") -> Operation:
        """The operation that the request names, counted against the caller's budget; `address` is the client's.

        Raises `Refused`, `TooManyRequests`, `TooManyNewDocuments` or `InvalidDocumentError`.
        """
        caller = Caller.of(viewer, address)
        self._budgets.require_request(caller)
        cost = 0
        try:
            operation = self._find(request, caller)
            cost = operation.cost
        finally:
            self._budgets.spend_request(caller, cost)
        return operation

    def _find(self, request: GraphQLRequest, caller: Caller) -> Operation:
        text = self._text(request)
        document = self._documents.get(text, caller.key)
        if document is not None:
            known = document.known(request.operation_name)
            if known is not None:
                return known
        self._budgets.new_documents.require(caller)
        started = time.perf_counter()
        try:
            if document is None:
                node, measured = self._validated(text)
                document = _Document(self._schema, node, measured.costs)
                self._documents.put(text, document, caller.key, measured.fields)
            return document.operation(request.operation_name)
        finally:
            self._budgets.new_documents.spend(caller, time.perf_counter() - started)

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

    def _validated(self, text: str) -> tuple[DocumentNode, Measured]:
        try:
            document = parse(text, max_lexical_tokens=limits.MAX_TOKENS, max_source_length=limits.MAX_DOCUMENT_LENGTH)
        except GraphQLError as error:
            raise InvalidDocumentError([error]) from None
        measured = limits.require_within_limits(self._schema, document)
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
        return document, measured


class _Document:
    """A valid document, and what is found out about it once."""

    def __init__(self, schema: GraphQLSchema, node: DocumentNode, costs: Mapping[str | None, int]) -> None:
        self._schema = schema
        self._node = node
        self._costs = costs
        self._short_ways = ShortWays(schema, node)
        self._operations: dict[str | None, Operation] = {}

    def known(self, name: str | None) -> Operation | None:
        """The operation of that name, or the only one, if it was asked for before."""
        return self._operations.get(name)

    def operation(self, name: str | None) -> Operation:
        """The operation of that name, or the only one. Raises `Refused`."""
        if name not in self._operations:
            self._operations[name] = self._find(name)
        return self._operations[name]

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
        cost = self._costs[node.name.value if node.name else None]
        return Operation(self._node, self._short_ways, plain_query, name, node.operation, label, cost)
