"""Top-level errors of queries and subscriptions, which have no union to answer with."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.errors import FieldViolation
from gateway.faults import Fault, Refused


class NotFound(Fault):
    """There is nothing of that id that the caller may see."""

    code = "NOT_FOUND"
    http_status = 404

    def __init__(self) -> None:
        super().__init__("没有找到这笔转移接续业务。", "There is no such transfer.")


class InvalidArguments(Refused):
    """Arguments of a query that cannot be answered; `violations` are already in the request's language."""

    def __init__(self, violations: Sequence[FieldViolation]) -> None:
        said = "; ".join(f"{'.'.join(each.path)}: {each.message}" for each in violations)
        super().__init__(said, said)
        self.violations = tuple(violations)

    def extensions(self) -> Mapping[str, Any]:
        listed = [{"path": each.path, "code": each.code, "message": each.message} for each in self.violations]
        return {"code": self.code, "violations": listed}
