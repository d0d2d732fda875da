"""What keeps `workflows/` replayable: no clock, randomness, file or environment, no order that a set invents, no persons."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import workflows
from workflows import commands, eligibility, events, messages, precheck, state

FOLDER = Path(workflows.__file__).parent
FILES = sorted(FOLDER.rglob("*.py"))
# Every other file is pure: no Temporal, database, HTTP or cryptography.
TEMPORAL_FILES = {
    "transfer.py",
    "certificate.py",
    "mandate.py",
    "unmatched_funds.py",
    "steps.py",
    "search_attributes.py",
}
EFFECTS = {
    "aiohttp",
    "asyncpg",
    "cryptography",
    "httpx",
    "requests",
    "socket",
    "sqlite3",
    "subprocess",
    "urllib",
    "activities",
    "gateway",
    "stack",
}
UNREPEATABLE = {"random", "secrets", "time", "os", "io", "pathlib", "tempfile", "threading"}
FORBIDDEN_CALLS = {
    "open",
    "input",
    "print",
    "id",
    "hash",
    "now",
    "today",
    "utcnow",
    "uuid1",
    "uuid4",
    "getenv",
    "urandom",
    "monotonic",
}
# Workflow time, which Temporal records.
ALLOWED_CALLS = {"workflow.now"}
PERSONAL = {"name", "resident_id", "phone", "address", "account_number", "account_name", "masked_name", "employer_name"}


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def imports(module: ast.Module) -> Iterator[str]:
    """The first name of every module that is imported, wherever in the file."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def is_set(node: ast.expr) -> bool:
    """A set as written: a literal, a comprehension, a call of `set` or `frozenset`, or an operation on one."""
    if isinstance(node, ast.Set | ast.SetComp):
        return True
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in {"set", "frozenset"}
    return isinstance(node, ast.BinOp) and (is_set(node.left) or is_set(node.right))


def ordered_from_sets(module: ast.Module) -> Iterator[int]:
    """Lines on which the order of a set could reach the outside: a loop over one, or a tuple, list or text made of one."""
    named = {
        target.id
        for node in ast.walk(module)
        if isinstance(node, ast.Assign) and is_set(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(module):
        taken: list[ast.expr] = []
        if isinstance(node, ast.For | ast.comprehension):
            taken = [node.iter]
        elif isinstance(node, ast.Starred):
            taken = [node.value]
        elif isinstance(node, ast.Call):
            callee = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if callee in {"tuple", "list", "join", "next", "iter", "enumerate", "zip", "map", "filter"}:
                taken = node.args
        for each in taken:
            if is_set(each) or (isinstance(each, ast.Name) and each.id in named):
                yield each.lineno


def calls(module: ast.Module) -> Iterator[tuple[str, str, int]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            whole = ast.unparse(node.func)
            yield whole.rpartition(".")[2], whole, node.lineno


def kept(module: ast.Module) -> list[int]:
    """Lines that keep a value in the module or in one of its classes."""
    bodies = [module.body, *(node.body for node in module.body if isinstance(node, ast.ClassDef))]
    return [each.lineno for body in bodies for each in body if isinstance(each, ast.Assign | ast.AnnAssign)]


@pytest.mark.parametrize("name", ["transfer.py", "certificate.py", "mandate.py", "unmatched_funds.py"])
def test_a_workflow_keeps_nothing_that_other_cases_of_its_worker_would_share(name: str) -> None:
    assert kept(tree(FOLDER / name)) == []


def test_there_are_files_to_look_at() -> None:
    assert {
        "decide.py",
        "rules.py",
        "clocks.py",
        "fold.py",
        "fold_money.py",
        "form.py",
        "money.py",
        *TEMPORAL_FILES,
    } <= {file.name for file in FILES}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(FOLDER)))
class TestEveryFile:
    def test_imports_no_effect_and_only_workflow_files_import_temporal(self, file: Path) -> None:
        forbidden = EFFECTS if file.name in TEMPORAL_FILES else EFFECTS | {"temporalio", "asyncio"}
        assert sorted(set(imports(tree(file))) & forbidden) == []

    def test_imports_no_clock_randomness_file_or_environment(self, file: Path) -> None:
        assert sorted(set(imports(tree(file))) & UNREPEATABLE) == []

    def test_calls_nothing_that_answers_otherwise_the_next_time(self, file: Path) -> None:
        wrong = [(line, whole) for name, whole, line in calls(tree(file)) if name in FORBIDDEN_CALLS]
        assert [each for each in wrong if each[1] not in ALLOWED_CALLS] == []

    def test_takes_no_order_from_a_set(self, file: Path) -> None:
        assert list(ordered_from_sets(tree(file))) == []


def models(module: object) -> list[type[BaseModel]]:
    return [each for each in vars(module).values() if isinstance(each, type) and issubclass(each, BaseModel)]


@pytest.mark.parametrize(
    "model",
    sorted(
        {each for module in (commands, eligibility, events, messages, precheck, state) for each in models(module)},
        key=repr,
    ),
    ids=lambda model: model.__qualname__,
)
def test_no_model_that_is_kept_or_sent_has_a_field_for_personal_data(model: type[BaseModel]) -> None:
    assert sorted(model.model_fields.keys() & PERSONAL) == []


class TestTheLookItself:
    """A look that finds nothing must be known to find something."""

    @pytest.mark.parametrize(
        "source",
        [
            "for each in {1, 2}: pass",
            "x = [a for a in set(b)]",
            "x = tuple({a for a in b})",
            "x = (*{1}, 2)",
            "s = {1}\nfor a in s: pass",
            "x = ','.join(set(b) | c)",
        ],
    )
    def test_an_order_taken_from_a_set_is_seen(self, source: str) -> None:
        assert list(ordered_from_sets(ast.parse(source))) != []

    @pytest.mark.parametrize(
        "source", ["x = sorted({1, 2})", "x = 1 in {1}", "x = len(set(b))", "x = any(a for a in b)"]
    )
    def test_a_set_that_is_sorted_counted_or_asked_is_fine(self, source: str) -> None:
        assert list(ordered_from_sets(ast.parse(source))) == []

    def test_a_forbidden_call_and_import_are_seen_inside_functions(self) -> None:
        module = ast.parse("def f():\n    import random\n    return datetime.now() or uuid4()")
        assert set(imports(module)) == {"random"}
        assert [name for name, _, _ in calls(module)] == ["now", "uuid4"]
