"""No field, step or case that shows a person's data is left out of the access log."""

import ast
import re
from pathlib import Path

from gateway import mutations
from gateway.schema import schema

NO_PERSONS_DATA = {
    "Query.viewer": "its fields are looks of their own",
    "Query.certificateCheck": "open to all: a number and its code say only whether the certificate is good",
    "Query.poolingRegions": "reference data",
    "Viewer.roles": "the caller's own token",
    "Viewer.agency": "the caller's own token",
    "Viewer.accessCounts": "counts of staff",
    "Mutation.recordConsent": "answers with what the window has sent, whoever the person is",
    "Mutation.revokeConsent": "the person's own consent, which the person names",
}
STEPS = {
    name
    for name, field_ in schema._schema.mutation_type.fields.items()  # type: ignore[union-attr]
    if str(field_.type).startswith("StepResult")
}
RECORDED = {
    "Query.transfer", "Query.transfers", "Query.node", "Query.eligibility",
    "Viewer.transfers", "Viewer.worklist", "Viewer.mandates", "Viewer.accessLog", "Viewer.ownAccessLog", "Viewer.unmatchedFunds",
    "Viewer.consents",
    "Mutation.submitTransfer", "Mutation.requestCertificate", "Mutation.grantMandate", "Mutation.approveMandate", "Mutation.confirmMandate", "Mutation.revokeMandate",
    "Mutation.sendUnmatchedFundsHome", "Subscription.transferProgress",
} | {f"Mutation.{name}" for name in STEPS}  # fmt: skip


def test_every_field_that_can_show_a_persons_data_is_a_look_or_says_why_not() -> None:
    types = {name: schema._schema.type_map[name] for name in ("Query", "Viewer", "Mutation", "Subscription")}
    fields = {f"{name}.{each}" for name, type_ in types.items() for each in type_.fields}  # type: ignore[attr-defined]
    assert fields == RECORDED | NO_PERSONS_DATA.keys()


def test_every_step_notes_its_look_under_its_own_name() -> None:
    taken = {}
    for method in ast.walk(ast.parse(Path(mutations.__file__).read_text())):
        if isinstance(method, ast.AsyncFunctionDef):
            name = re.sub("_(.)", lambda found: found[1].upper(), method.name)
            text = ast.unparse(method)
            taken[name] = f"take_step(info.context, '{name}', input," in text or "provide_payout_account(" in text
    assert {name for name in STEPS if not taken[name]} == set()


def test_a_case_is_made_for_an_answer_in_one_place_that_notes_the_look() -> None:
    """Elsewhere only where the look is noted once for several cases: a stream, and the answers of a step."""
    gateway = Path(mutations.__file__).parent
    makers = {
        path.stem
        for path in gateway.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Case"
    }
    assert makers == {"case", "commands", "subscriptions"}
