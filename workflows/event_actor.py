"""Whose act an event is. What follows from an act by the rules alone is the platform's, whoever set it off."""

from typing import Final

from workflows import events as e
from workflows.actors import ActorKind

APPLICANT_KINDS: Final = frozenset({ActorKind.PERSON, ActorKind.AGENT, ActorKind.EMPLOYER})
# The acts of applicants. All else that an application sets off, its refusal included, is decided by rule.
ACTS_OF_APPLICANTS: Final = (e.Submitted, e.Withdrawn, e.CertificateReissued, e.PayoutAccountProvided)
BY_RULE: Final = (
    e.Accepted,
    e.StepOpened,
    e.CertificateIssued,
    e.ArrearsNotified,
    e.RegisterChecked,
    e.GapWarned,
    e.ClockStarted,
    e.DeadlineDueSoon,
    e.DeadlineMissed,
    e.DeadlineRevised,
    e.Escalated,
    e.FundsNotRequired,
    e.FundsRetained,
    e.FundsReleased,
    e.FundsCredited,
    e.ReverseProposed,
    e.LateContribution,
    e.CompletedUnsaid,
    e.Completed,
    e.Reopened,
)


def event_actor(event: e.TransferEvent) -> ActorKind:
    """Who did what `event` says."""
    kind = event.actor.kind
    if isinstance(event.fact, BY_RULE):
        return ActorKind.PLATFORM
    if kind in APPLICANT_KINDS and not isinstance(event.fact, ACTS_OF_APPLICANTS):
        return ActorKind.PLATFORM
    if isinstance(event.fact, e.Terminated) and kind is not ActorKind.SUPERVISOR:
        # The last of the money has come back: nobody ends the case but the rule.
        return ActorKind.PLATFORM
    return kind
