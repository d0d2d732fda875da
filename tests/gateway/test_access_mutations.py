"""Each mutation by each role of each relation: taken where the model says so, refused like the absent where the case is unseen."""

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway import access_model
from gateway.access_model import EMPLOYERS, SEES, Relation
from gateway.auth import ANONYMOUS, Viewer
from gateway.types.reference import node_id
from stack.postgres import PostgresServer
from tests.activities.register_extracts import LI, WANG
from tests.gateway.access_cases import ROLES, caller, open_everything
from tests.gateway.access_rows import ACTION_OF, GRAPHQL, fields, public
from tests.gateway.window import Window
from workflows.vocabulary import CLERKS, Role

R = Relation
ABSENT = node_id("Transfer", "0192f0c1-2222-7000-8000-000000000001")
# What each input asks for beside the key and the transfer, good enough to come to the rules.
REST: dict[str, dict[str, Any]] = {
    "TransferInput": {},
    "ReasonInput": {"reason": "改期"},
    "DeclineTransferInput": {"reasons": ["DECEASED"]},
    "StopCoverageInput": {"stoppedOn": "2026-03-02"},
    "RecordMailInput": {"item": "CERTIFICATE", "carrier": "EMS", "trackingNo": "1", "sentOn": "2026-03-02"},
    "DeliverInformationFormInput": {},
    "ReturnTransferInput": {"reason": "NO_RECORD", "note": "x"},
    "RemittanceInput": {"remittanceReference": "x"},
    "PayoutAccountInput": {"bankName": "示例银行", "accountName": "王思琪", "accountNumber": "6222020200112230"},
    "RequestCorrectionInput": {"reason": "FORM_INCOMPLETE", "note": "x"},
    "ConfirmReceiptInput": {"amount": 1, "bankReference": "B-9", "receivedOn": "2026-03-04"},
    "MatchFundsInput": {"remittanceReference": "x", "decision": "ACCEPT_AMOUNT", "reason": "x"},
}
# Why a step is refused to who may never take it, as opposed to not now.
NEVER = {
    "收款账户只能由参保人本人提供。",
    "您的岗位不能办理此项。",
    "此项由另一方经办机构办理。",
    "用人单位只能撤回本单位提交的申请。请由参保人本人撤回。",
}
# Theirs where money comes back, which it does not here.
NOT_HERE = {("confirmReceipt", R.TRANSFER_OUT), ("matchFunds", R.TRANSFER_OUT)}
APPLICATIONS = ["submitTransfer", "requestCertificate"]
REGIONS = {"fromRegion": "110000", "toRegion": "319900", "fromScheme": "EMPLOYEE", "toScheme": "EMPLOYEE"}


@pytest.fixture(scope="module")
async def window(postgres_server: PostgresServer, migrated_template: str) -> AsyncIterator[Window]:
    async with open_everything(postgres_server, migrated_template) as each:
        yield each


def input_type(mutation: str) -> str:
    return str(public(f"Mutation.{mutation}").args["input"].type).removesuffix("!")


async def ask(window: Window, viewer: Viewer, mutation: str, **given: Any) -> dict[str, Any]:
    """The one answer of the mutation, or the code of the error in its place."""
    findings = "... on NotEligible { findings { code } }" if mutation in APPLICATIONS else ""
    query = f"""mutation ($input: {input_type(mutation)}!) {{ {mutation}(input: $input) {{ __typename
        ... on UserError {{ code message }} {findings} }} }}"""
    given = {"idempotencyKey": f"key-{random.randrange(10**15):018}"} | given
    body = await window.post(viewer, query, input=given)
    if "errors" in body:
        return {"__typename": body["errors"][0]["extensions"]["code"]}
    answer: dict[str, Any] = body["data"][mutation]
    return answer


async def step(window: Window, viewer: Viewer, mutation: str, transfer: str) -> dict[str, Any]:
    return await ask(window, viewer, mutation, transferId=transfer, **REST[input_type(mutation)])


async def test_each_step_is_taken_or_refused_for_each_role_of_each_relation_as_the_model_says(window: Window) -> None:
    transfer = await window.node_id()
    taken, refused = 0, 0
    for mutation in ACTION_OF:
        rule = access_model.MUTATIONS[mutation]
        assert rule.roles is not None
        assert (await step(window, ANONYMOUS, mutation, transfer))["__typename"] == "UNAUTHENTICATED"
        for relation, role in ((relation, role) for relation, roles in ROLES.items() for role in roles):
            answer = await step(window, caller(relation, role), mutation, transfer)
            where = (mutation, relation, role, answer)
            refused += 1
            if role not in rule.roles:
                assert answer == {"__typename": "FORBIDDEN"}, where
            elif relation not in SEES:
                assert answer == await step(window, caller(relation, role), mutation, ABSENT), where
                assert answer["__typename"] == "TransferNotFound", where
            elif relation not in rule.relations or relation in EMPLOYERS or (mutation, relation) in NOT_HERE:
                # What employers may withdraw they submitted: here the person did.
                assert (answer["__typename"], answer.get("message") in NEVER) == ("StepNotAllowed", True), where
            else:
                assert answer["__typename"] in {"StepPending", "StepNotAllowed", "ValidationFailed"}, where
                assert answer["message"] not in NEVER, where
                taken, refused = taken + 1, refused - 1
    assert (taken > len(ACTION_OF), refused > 3 * taken) == (True, True)


def test_every_mutation_is_either_a_step_or_held_by_a_test_below() -> None:
    others = {"submitTransfer", "requestCertificate", "grantMandate", "revokeMandate", "sendUnmatchedFundsHome"}
    others |= {"recordConsent", "revokeConsent", "approveMandate", "confirmMandate"}
    assert set(fields(GRAPHQL, "Mutation")) == set(access_model.MUTATIONS) == set(ACTION_OF) | others


async def others_are_forbidden(window: Window, mutation: str, **given: Any) -> None:
    rule = access_model.MUTATIONS[mutation]
    assert rule.roles is not None
    assert (await ask(window, ANONYMOUS, mutation, **given))["__typename"] == "UNAUTHENTICATED"
    for relation, roles in ROLES.items():
        for role in set(roles) - set(rule.roles):
            assert await ask(window, caller(relation, role), mutation, **given) == {"__typename": "FORBIDDEN"}


@pytest.mark.parametrize("mutation", APPLICATIONS)
async def test_who_may_not_act_for_the_person_is_told_so_and_that_alone(window: Window, mutation: str) -> None:
    given = REGIONS if mutation == "submitTransfer" else {"region": "110000", "scheme": "EMPLOYEE"}
    await others_are_forbidden(window, mutation, residentId=WANG, **given)
    rule = access_model.MUTATIONS[mutation]
    for relation, role in ((relation, role) for relation, roles in ROLES.items() for role in roles):
        if role not in (rule.roles or ()):
            continue
        answers = [await ask(window, caller(relation, role), mutation, residentId=each, **given) for each in (WANG, LI)]
        codes = [{each["code"] for each in answer.get("findings", [])} for answer in answers]
        allowed = relation in rule.relations
        if mutation == "requestCertificate":
            # A window asks for certificates of its own register.
            allowed = relation in {R.SELF, R.MANDATE, R.TRANSFER_OUT}
        assert ("AGENT_NOT_AUTHORISED" in codes[0]) == (not allowed), (relation, role)
        if not allowed:
            # Whom a register knows, and whom none does: the same.
            assert codes == [{"AGENT_NOT_AUTHORISED"}] * 2, (relation, role)


async def test_mandates_are_given_by_the_person_and_at_their_region_s_window(window: Window) -> None:
    given = {
        "residentId": WANG,
        "agentResidentId": "110101199003077213",
        "relation": "CHILD",
        "validUntil": "2026-03-31",
    }
    await others_are_forbidden(window, "grantMandate", **given)
    assert R.REGISTER in access_model.MUTATIONS["grantMandate"].relations
    paper = {"paperReference": "PAPER-2026-0001"}
    for relation in (R.MANDATE, R.OTHER_AGENCY, R.NONE):
        at_window = paper if caller(relation).has(*CLERKS) else {}
        answer = await ask(window, caller(relation), "grantMandate", **given, **at_window)
        assert answer["__typename"] == "MandateNotAllowed", relation
    for relation in (R.SELF, R.TRANSFER_OUT, R.TRANSFER_IN):
        at_window = paper if caller(relation).has(*CLERKS) else {}
        answer = await ask(window, caller(relation), "grantMandate", **given, **at_window)
        assert answer["__typename"] not in {"MandateNotAllowed", "FORBIDDEN", "ValidationFailed"}, relation


async def test_a_waiting_mandate_is_approved_by_its_agency_and_confirmed_by_its_giver_alone(window: Window) -> None:
    mandate = node_id("Mandate", await window.desk.db.fetchval("select mandate_id from mandates"))
    for mutation in ("approveMandate", "confirmMandate"):
        rule = access_model.MUTATIONS[mutation]
        await others_are_forbidden(window, mutation, mandateId=mandate)
        for relation, roles in ROLES.items():
            for role in set(roles) & set(rule.roles or ()) - {Role.AGENCY_SYSTEM}:
                answer = await ask(window, caller(relation, role), mutation, mandateId=mandate)
                register = relation in {R.TRANSFER_OUT, R.TRANSFER_IN} and R.REGISTER in rule.relations
                # The mandate is there for them, and is in force already; for everybody else there is none.
                seen = register or relation in rule.relations
                assert answer["__typename"] == ("MandateNotAllowed" if seen else "MandateNotFound"), (
                    mutation,
                    relation,
                )


async def test_a_mandate_is_ended_by_giver_agent_and_window_and_to_others_there_is_none(window: Window) -> None:
    mandate = node_id("Mandate", await window.desk.db.fetchval("select mandate_id from mandates"))
    absent = node_id("Mandate", "0192f0c1-2222-7000-8000-000000000001")
    await others_are_forbidden(window, "revokeMandate", mandateId=mandate)
    for relation in (R.OTHER_AGENCY, R.NONE):
        viewer = caller(relation)
        unseen = await ask(window, viewer, "revokeMandate", mandateId=mandate)
        assert unseen == await ask(window, viewer, "revokeMandate", mandateId=absent), relation
        assert unseen["__typename"] == "MandateNotFound"
    for relation in (R.SELF, R.MANDATE, R.TRANSFER_OUT, R.TRANSFER_IN):
        assert (await ask(window, caller(relation), "revokeMandate", mandateId=mandate))["__typename"] == "StepPending"


async def test_a_window_records_a_consent_whoever_the_person_is_and_the_person_alone_ends_it(window: Window) -> None:
    await others_are_forbidden(window, "recordConsent", residentId=WANG, reason="asked at the window")
    for relation in (R.TRANSFER_OUT, R.TRANSFER_IN, R.OTHER_AGENCY, R.NONE):
        for role in set(ROLES[relation]) & set(CLERKS):
            answer = await ask(window, caller(relation, role), "recordConsent", residentId=LI, reason="asked")
            assert answer["__typename"] == "RecordConsentPayload", relation
    absent = node_id("Consent", "nothing")
    await others_are_forbidden(window, "revokeConsent", consentId=absent)
    answer = await ask(window, caller(R.SELF), "revokeConsent", consentId=absent)
    assert answer["__typename"] == "ConsentNotFound"


async def test_stray_money_is_sent_back_by_finance_alone_and_unseen_like_absent(window: Window) -> None:
    absent = node_id("UnmatchedFunds", "0192f0c1-2222-7000-8000-000000000001")
    await others_are_forbidden(window, "sendUnmatchedFundsHome", entryId=absent, reason="x")
    viewer = Viewer("finance-110000", (Role.FINANCE,), region="110000")
    answer = await ask(window, viewer, "sendUnmatchedFundsHome", entryId=absent, reason="x")
    assert answer["__typename"] == "UnmatchedFundsNotFound"
