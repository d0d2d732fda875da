"""Who may do what in a transfer, and when: a transition that is not here does not exist.

`objection` refuses; `allowed_actions`, which the API shows, is `objection` asked for every action.
"""

from collections.abc import Callable
from typing import NamedTuple

from pydantic import BaseModel

from workflows.actors import Actor, ActorKind
from workflows.staff_identity import canonical_identities
from workflows.state import TransferState
from workflows.vocabulary import (
    APPLICANTS,
    CLERKS,
    FINANCE,
    FORM_CHECKERS,
    FORM_MAKERS,
    RemittanceKind,
    RemittanceStatus,
    Role,
    Side,
    StepState,
    TransferAction,
    TransferRoute,
    TransferStepKind,
)


class NotAllowed(BaseModel, frozen=True):
    """The step is another side's, or not now. `why` is a key of the words that say so."""

    why: str


class Stale(BaseModel, frozen=True):
    """The caller's revision no longer holds: something it rests on has changed since."""


class Violation(BaseModel, frozen=True):
    """`field`: the input's name in the public contract; `code`: a key of the words that say what to do."""

    field: str
    code: str
    figures: dict[str, str | int] = {}


class Invalid(BaseModel, frozen=True):
    """What was said cannot be: every fault that was found."""

    violations: tuple[Violation, ...]


Objection = NotAllowed | Stale | Invalid


def invalid(field: str, code: str, **figures: str | int) -> Invalid:
    """One fault."""
    return Invalid(violations=(Violation(field=field, code=code, figures=figures),))


class Rule(NamedTuple):
    """Who may take an action, and when. `steps` are those whose change makes the caller's revision stale.

    `side`: the agency whose turn it is; PLATFORM for either of the two, None for those who are on no side.
    """

    side: Side | None
    roles: tuple[Role, ...]
    steps: tuple[TransferStepKind, ...]
    when: Callable[[TransferState], bool]


K = TransferStepKind
A = TransferAction


def _open(*kinds: TransferStepKind) -> Callable[[TransferState], bool]:
    return lambda state: any(state.is_open(kind) for kind in kinds)


def _untouched(state: TransferState) -> bool:
    """No agency has done a step; the certificate is the platform's own instant act."""
    by_agencies = (step for step in state.steps if step.kind is not K.ISSUE_CERTIFICATE)
    return not any(step.state is StepState.DONE for step in by_agencies)


def _can_be_returned(state: TransferState) -> bool:
    """O has the case in its hands, no money has been ordered away, and R has never continued the record."""
    in_its_hands = _open(K.STOP_COVERAGE, K.DELIVER_INFORMATION_FORM)(state)
    return in_its_hands and not (state.remittances or state.statements)


def _can_be_corrected(state: TransferState) -> bool:
    """R has a form to dispute: before it continues the record, or after, to supersede what it has confirmed.

    In a case that was completed once, only the money is under way.
    """
    if state.reopenings:
        return False
    disputable = state.is_open(K.CONFIRM_CONTINUATION) or state.continued
    return disputable and state.correction is None and not state.terminating


def _can_be_continued(state: TransferState) -> bool:
    return state.is_open(K.CONFIRM_CONTINUATION) and state.correction is None


def _can_be_remitted(state: TransferState) -> bool:
    """One order at a time, be it on its way or prepared."""
    under_way = state.on_its_way or state.to_release
    return state.is_open(K.REMIT_PERSONAL_ACCOUNT) and under_way is None and not _payout_waits(state)


def _payout_waits(state: TransferState) -> bool:
    """Money for the person needs their account, and a form that nobody disputes: no bank calls it back."""
    return state.awaits_account or (state.pays_out and state.correction is not None)


def _can_be_released(state: TransferState) -> bool:
    """An order is prepared; money for the person needs their account still, and a form that nobody disputes."""
    return state.to_release is not None and not _payout_waits(state)


def _can_be_matched(state: TransferState) -> bool:
    order = state.on_its_way
    return order is not None and order.status is RemittanceStatus.MISMATCHED


def _awaits_approval(state: TransferState) -> bool:
    order = state.on_its_way
    return order is not None and order.status is RemittanceStatus.AWAITING_RELEASE


def _can_be_terminated(state: TransferState) -> bool:
    """Before the record is continued: R's register holds its months from then on, also while a form is corrected.

    And money paid out to the person cannot be called back by a bank.
    """
    payouts = (each for each in state.remittances if each.kind is RemittanceKind.PAYOUT)
    paid_out = any(each.on_its_way or each.settled_fen for each in payouts)
    return not (state.statements or state.terminating or paid_out)


def _has_mail(state: TransferState) -> bool:
    return state.route is TransferRoute.PAPER and not state.terminating


RULES: dict[TransferAction, Rule] = {
    A.ACCEPT_TRANSFER: Rule(Side.TRANSFER_IN, CLERKS, (K.ACCEPT_APPLICATION,), _open(K.ACCEPT_APPLICATION)),
    A.DECLINE_TRANSFER: Rule(Side.TRANSFER_IN, CLERKS, (K.ACCEPT_APPLICATION,), _open(K.ACCEPT_APPLICATION)),
    A.STOP_COVERAGE: Rule(Side.TRANSFER_OUT, CLERKS, (K.STOP_COVERAGE,), _open(K.STOP_COVERAGE)),
    # 94号 art. 4: a lost certificate is replaced, at the person's wish or O's.
    A.REISSUE_CERTIFICATE: Rule(
        Side.TRANSFER_OUT,
        (*CLERKS, Role.INSURED_PERSON),
        (K.ISSUE_CERTIFICATE,),
        lambda state: state.certificate is not None and not state.terminating,
    ),
    # 94号 art. 5.
    A.ISSUE_CONTACT_LETTER: Rule(Side.TRANSFER_IN, CLERKS, (K.ISSUE_CONTACT_LETTER,), _open(K.ISSUE_CONTACT_LETTER)),
    A.RECORD_MAIL: Rule(Side.PLATFORM, CLERKS, (), _has_mail),
    A.DELIVER_INFORMATION_FORM: Rule(
        Side.TRANSFER_OUT, FORM_MAKERS, (K.DELIVER_INFORMATION_FORM,), _open(K.DELIVER_INFORMATION_FORM)
    ),
    A.CHECK_INFORMATION_FORM: Rule(
        Side.TRANSFER_OUT,
        FORM_CHECKERS,
        (K.DELIVER_INFORMATION_FORM,),
        lambda state: state.prepared is not None,
    ),
    A.RETURN_TRANSFER: Rule(
        Side.TRANSFER_OUT, FORM_MAKERS, (K.STOP_COVERAGE, K.DELIVER_INFORMATION_FORM), _can_be_returned
    ),
    A.REQUEST_CORRECTION: Rule(Side.TRANSFER_IN, FORM_MAKERS, (K.CONFIRM_CONTINUATION,), _can_be_corrected),
    A.REMIT_PERSONAL_ACCOUNT: Rule(Side.TRANSFER_OUT, FINANCE, (K.REMIT_PERSONAL_ACCOUNT,), _can_be_remitted),
    A.RELEASE_REMITTANCE: Rule(Side.TRANSFER_OUT, FINANCE, (K.REMIT_PERSONAL_ACCOUNT,), _can_be_released),
    A.PROVIDE_PAYOUT_ACCOUNT: Rule(
        None,
        (Role.INSURED_PERSON,),
        (K.REMIT_PERSONAL_ACCOUNT,),
        lambda state: state.pays_out and state.is_open(K.REMIT_PERSONAL_ACCOUNT),
    ),
    A.CONFIRM_RECEIPT: Rule(Side.TRANSFER_IN, FINANCE, (K.CONFIRM_RECEIPT,), _open(K.CONFIRM_RECEIPT)),
    A.MATCH_FUNDS: Rule(Side.TRANSFER_IN, (Role.FINANCE,), (K.CONFIRM_RECEIPT,), _can_be_matched),
    A.CONFIRM_CONTINUATION: Rule(Side.TRANSFER_IN, FORM_MAKERS, (K.CONFIRM_CONTINUATION,), _can_be_continued),
    A.APPROVE_REVERSE_REMITTANCE: Rule(None, (Role.SUPERVISOR,), (), _awaits_approval),
    A.WITHDRAW_TRANSFER: Rule(None, APPLICANTS, (), _untouched),
    A.TERMINATE_TRANSFER: Rule(None, (Role.SUPERVISOR,), (), _can_be_terminated),
}
# What another person than its maker lets pass.
OF_A_SECOND_PERSON = (A.CHECK_INFORMATION_FORM, A.RELEASE_REMITTANCE)
# What comes too late once it has been done, or once the case has gone on.
ONCE = (A.WITHDRAW_TRANSFER, A.TERMINATE_TRANSFER)


def objection(
    state: TransferState, action: TransferAction, actor: Actor, expected_revision: int | None = None
) -> NotAllowed | Stale | None:
    """Why `actor` may not take `action` now, or None. A stale revision is said before anything else."""
    if expected_revision is not None and _stale(state, RULES[action], expected_revision):
        return Stale()
    return _not_allowed(state, action, actor)


def allowed_actions(state: TransferState, actor: Actor) -> tuple[TransferAction, ...]:
    """What `actor` may do now, in the order of the contract's list."""
    return tuple(action for action in TransferAction if _not_allowed(state, action, actor) is None)


def _not_allowed(state: TransferState, action: TransferAction, actor: Actor) -> NotAllowed | None:  # noqa: PLR0911 - one for each reason
    rule, roles = RULES[action], _roles_that_count(actor)
    if not any(role in rule.roles for role in roles):
        return NotAllowed(why="WRONG_ROLE")
    # An applicant is on neither side; what they see is theirs.
    if not any(role in APPLICANTS for role in roles) and not _on_the_right_side(state, rule, actor):
        return NotAllowed(why="WRONG_SIDE")
    not_theirs = _not_theirs(state, action, roles, actor)
    if not_theirs is not None:
        return not_theirs
    if state.closed:
        return NotAllowed(why="CLOSED")
    if not rule.when(state):
        done = any(state.is_done(kind) for kind in rule.steps)
        return NotAllowed(why="ALREADY_DONE" if done or action in ONCE else "NOT_YET")
    maker = _maker(state, action)
    # A system's own subject too: an order that it once made in nobody's name is not released through it.
    if maker and not maker.isdisjoint(actor.names | canonical_identities([actor.subject])):
        return NotAllowed(why="SAME_PERSON")
    return None


def _not_theirs(
    state: TransferState, action: TransferAction, roles: tuple[Role, ...], actor: Actor
) -> NotAllowed | None:
    """What one applicant may and another may not."""
    if action is A.WITHDRAW_TRANSFER and not _may_withdraw(state, roles, actor):
        return NotAllowed(why="NOT_THE_SUBMITTER")
    if action is A.PROVIDE_PAYOUT_ACCOUNT and actor.kind is ActorKind.AGENT:
        return NotAllowed(why="PERSON_ONLY")
    return None


def _may_withdraw(state: TransferState, roles: tuple[Role, ...], actor: Actor) -> bool:
    """The person, and their agent, may always; an employer only what it submitted itself."""
    submitter = state.submitted_by
    if Role.INSURED_PERSON in roles:
        return True
    return submitter is not None and (submitter.kind, submitter.subject) == (ActorKind.EMPLOYER, actor.subject)


def person_required(actor: Actor) -> Invalid | None:
    """What is against a step that takes two people, when an agency's system names nobody for whom it acts."""
    return None if actor.names_a_person else invalid("actingPerson", "ACTING_PERSON_REQUIRED")


def _maker(state: TransferState, action: TransferAction) -> frozenset[str]:
    """The canonical names of who made what `action` lets pass: nobody passes their own."""
    match action:
        case A.CHECK_INFORMATION_FORM if state.prepared is not None:
            return canonical_identities((state.prepared.made_by, *state.prepared.maker_names))
        case A.RELEASE_REMITTANCE if state.to_release is not None:
            return canonical_identities((state.to_release.prepared_by, *state.to_release.maker_names))
        case _:
            return frozenset()


def _on_the_right_side(state: TransferState, rule: Rule, actor: Actor) -> bool:
    """Whether it is this agency's turn. What an unconnected agency does by post, the other side enters (94号).

    A step that is open says itself whose it is: money that comes home is received by O.
    """
    if rule.side is None:
        return True
    if rule.side is Side.PLATFORM:
        return actor.region in (state.from_region, state.to_region)
    own = state.from_region if rule.side is Side.TRANSFER_OUT else state.to_region
    opened = next((step.region for step in state.open_steps if step.kind in rule.steps), own)
    return actor.region in state.side_of(opened)


def _roles_that_count(actor: Actor) -> tuple[Role, ...]:
    """An official's token shows other people's cases: in it the roles of an applicant count for nothing."""
    official = tuple(role for role in actor.roles if role not in APPLICANTS)
    if not official and actor.acts_as is not None:
        # Who is insured and an employer acts here as one of the two.
        return (Role.EMPLOYER,) if actor.acts_as is ActorKind.EMPLOYER else (Role.INSURED_PERSON,)
    return official or actor.roles


def _stale(state: TransferState, rule: Rule, revision: int) -> bool:
    touched = [step.seq for step in state.steps if step.kind in rule.steps]
    return max(state.case_seq, *touched, 0) > revision or revision > state.revision
