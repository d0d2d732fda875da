"""Whose act an event is: people's own acts are theirs, and what follows from them by rule is the platform's."""

import pytest

from tests.workflows.pure_cases import (
    ACCEPTANCE,
    AGENT,
    BALANCE_FEN,
    EMPLOYER,
    NOT_PAID,
    O_CLERK,
    O_FINANCE,
    PERSON,
    R_CLERK,
    R_FINANCE,
    SUPERVISOR,
    Story,
    form_facts,
    receipt,
    submission,
)
from workflows import commands as c
from workflows import events as e
from workflows.actors import BANK, PLATFORM, Actor, ActorKind
from workflows.event_actor import BY_RULE, event_actor
from workflows.vocabulary import Role

K = ActorKind


def acts(story: Story) -> list[tuple[str, ActorKind]]:
    return [(each.fact.type.partition(".")[0], event_actor(each)) for each in story.events]


@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        (PERSON, K.PERSON),
        (AGENT, K.AGENT),
        (EMPLOYER, K.EMPLOYER),
        (O_CLERK, K.AGENCY),
        (Actor(subject="system", roles=(Role.AGENCY_SYSTEM,), region="110000"), K.AGENCY),
        (SUPERVISOR, K.SUPERVISOR),
        (Actor(subject="operator", roles=(Role.OPERATOR,)), K.PLATFORM),
        (PLATFORM, K.PLATFORM),
        (BANK, K.BANK),
        # An office counts before what its holder may apply for at home.
        (Actor(subject="x", roles=(Role.INSURED_PERSON, Role.CLERK), region="110000"), K.AGENCY),
    ],
    ids=lambda each: str(each) if isinstance(each, ActorKind) else each.subject,
)
def test_an_actor_is_of_one_kind(actor: Actor, kind: ActorKind) -> None:
    assert actor.kind is kind


def test_an_actor_that_was_stored_before_there_were_kinds_is_still_read() -> None:
    old = '{"subject": "person-1", "roles": ["INSURED_PERSON"], "region": null, "acting_person": null}'
    assert Actor.model_validate_json(old) == PERSON
    assert Actor.model_validate_json(AGENT.model_dump_json()) == AGENT


@pytest.mark.parametrize("submitter", [PERSON, AGENT, EMPLOYER, R_CLERK], ids=lambda each: each.kind)
def test_what_an_application_sets_off_is_the_platform_s(submitter: Actor) -> None:
    assert acts(Story(submitter=submitter)) == [
        ("submitted", submitter.kind),
        ("accepted", K.PLATFORM),
        ("step_opened", K.PLATFORM),
    ]


def test_an_agency_s_step_is_the_agency_s_and_what_follows_is_not() -> None:
    story = Story(submission(manual=True))
    story.do(c.AcceptTransfer(), R_CLERK, ACCEPTANCE)
    story.do(c.DeliverInformationForm(), O_CLERK, form_facts())
    story.do(c.RemitPersonalAccount(), O_FINANCE)
    story.do(receipt(received_on=story.now.date()), R_FINANCE, NOT_PAID)
    found = acts(story)
    assert {name for name, kind in found if kind is K.AGENCY} == {
        *("application_accepted", "form_delivered", "remittance_ordered", "funds_ordered", "receipt_confirmed"),
        *("funds_remitted", "funds_received"),
    }
    assert ("accepted", K.PLATFORM) in found
    assert ("funds_credited", K.PLATFORM) in found
    assert {kind for _, kind in found} == {K.PERSON, K.AGENCY, K.PLATFORM}
    assert story.state.form is not None
    assert story.state.form.balance_fen == BALANCE_FEN


def test_a_supervisor_s_decision_is_the_supervisor_s_and_the_end_that_follows_the_money_is_the_platform_s() -> None:
    story = Story()
    story.do(c.TerminateTransfer(reason="double"), SUPERVISOR)
    assert acts(story)[-1] == ("terminated", K.SUPERVISOR)
    by_bank = story.events[-1].model_copy(update={"actor": BANK})
    assert event_actor(by_bank) is K.PLATFORM


def test_the_bank_s_word_is_the_bank_s() -> None:
    remitted = e.FundsRemitted(reference="x", amount_fen=1)
    event = e.TransferEvent(seq=1, occurred_at=Story().now, actor=BANK, fact=remitted)
    assert event_actor(event) is K.BANK


def test_every_fact_is_either_somebody_s_act_or_by_rule() -> None:
    union = e.AnyFact.__origin__.__args__  # type: ignore[attr-defined] # the union behind the annotation
    assert {fact.__name__ for fact in union if fact not in BY_RULE} == {
        *(
            "Submitted",
            "Declined",
            "ApplicationAccepted",
            "CoverageStopped",
            "CertificateReissued",
            "ContactLetterIssued",
        ),
        *("MailRecorded", "FormPrepared", "FormDelivered", "CorrectionRequested", "CorrectionAnswered"),
        *(
            "RemittancePrepared",
            "RemittanceOrdered",
            "FundsOrdered",
            "FundsRemitted",
            "ReceiptConfirmed",
            "FundsReceived",
        ),
        *("FundsMismatched", "FundsReturned", "FundsMatched", "FundsPaidOut", "PayoutAccountProvided"),
        *("ContinuationConfirmed", "TerminationOrdered", "Terminated", "Withdrawn"),
    }
