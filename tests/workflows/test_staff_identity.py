"""Four eyes are two people: one form for every spelling of a name, and who counts as the one who made it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cases import BEIJING, O_CLERK, O_FINANCE, SHANGHAI_POOL
from tests.workflows.pure_cases import at
from tests.workflows.test_detours import Detour, accepted, delivered
from workflows import commands as c
from workflows.actors import Actor
from workflows.remittance import Remittance
from workflows.rules import Invalid, NotAllowed, invalid, objection
from workflows.staff_identity import canonical_identity
from workflows.vocabulary import RemittanceStatus, Role, TransferAction

ZERO_WIDTH_JOINER = "\u200d"
# Characters that change how a name looks, or not even that, and never whose name it is.
ADDED = st.sampled_from(
    [ZERO_WIDTH_JOINER, "\u200b", "\ufeff", "\u00ad", "\u202e", "\u0301", "\u0323", "\ufe0f", "\u0000"]
)
NAMES = st.text(max_size=12)
ASCII_NAMES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=12)
OVER_THRESHOLD = c.RemitFacts(release_threshold_fen=1)
SPELLINGS = {
    "the same letters": "Lee",
    "case": "LEE",
    "a full-width letter": "\uff2cee",
    "a zero-width joiner": f"L{ZERO_WIDTH_JOINER}ee",
    "a combining mark": "Le\u0301e",
    "a precomposed mark": "L\u00e9e",
    "white space around it": " lee\t",
    "a soft hyphen": "le\u00ade",
}


def system(person: str | None, region: str = BEIJING, **more: str) -> Actor:
    return Actor(subject=f"system-{region}", roles=(Role.AGENCY_SYSTEM,), region=region, acting_person=person, **more)


def of(state: str) -> NotAllowed:
    return NotAllowed(why=state)


# ------------------------------------------------------------------ the form


@given(NAMES)
def test_the_form_of_a_form_is_itself(name: str) -> None:
    once = canonical_identity(name)
    assert canonical_identity(once) == once


@given(NAMES)
def test_case_does_not_count(name: str) -> None:
    forms = {canonical_identity(each) for each in (name, name.upper(), name.lower(), name.casefold(), name.title())}
    assert len(forms) == 1


@given(ASCII_NAMES)
def test_full_width_does_not_count(name: str) -> None:
    wide = "".join(chr(ord(each) + 0xFEE0) for each in name)
    assert canonical_identity(wide) == canonical_identity(name)


@given(NAMES, st.lists(st.tuples(st.integers(0, 12), ADDED), max_size=4))
def test_what_shows_nothing_and_marks_do_not_count(name: str, added: list[tuple[int, str]]) -> None:
    changed = name
    for place, character in added:
        changed = changed[:place] + character + changed[place:]
    assert canonical_identity(changed) == canonical_identity(name)


@given(NAMES)
def test_a_normalisation_form_does_not_count(name: str) -> None:
    forms = {canonical_identity(unicodedata.normalize(form, name)) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert forms == {canonical_identity(name)}


def test_names_of_different_letters_stay_different() -> None:
    names = ["lee", "li", "li-01", "li-02", "wang-02", "王芳", "王方", "lee a", "leea", "01", "001"]
    assert [canonical_identity(each) for each in names] == names


def test_white_space_is_trimmed_and_collapsed() -> None:
    assert canonical_identity("\u3000Lee \t\u00a0 Ann\n") == "lee ann"


@pytest.mark.parametrize("nothing", ["", " ", ZERO_WIDTH_JOINER, "\u0301", "\u3164", "\u2800"])
def test_of_a_name_that_shows_nothing_nothing_is_left(nothing: str) -> None:
    assert canonical_identity(nothing) == ""


# ------------------------------------------------------------------ who acts


def test_old_records_of_an_actor_stay_readable() -> None:
    stored = '{"subject": "clerk-1", "roles": ["CLERK"], "region": "110000", "acting_person": null}'
    actor = Actor.model_validate_json(stored)
    assert (actor.identity, set(actor.names)) == ("clerk-1", {"clerk-1"})


def test_a_system_that_names_a_person_is_that_person_and_not_itself() -> None:
    assert (system("Lee").identity, set(system("Lee").names), system("Lee").names_a_person) == ("Lee", {"lee"}, True)
    assert (system(None).names_a_person, set(system(None).names)) == (False, {"system-110000"})


def test_a_systems_own_name_is_no_person() -> None:
    assert not system("SYSTEM-110000").names_a_person


def test_who_has_a_persons_role_beside_is_also_who_their_token_says() -> None:
    both = Actor(subject="user-17", roles=(Role.FINANCE, Role.AGENCY_SYSTEM), region=BEIJING, acting_person="wang")
    assert both.names == {"user-17", "wang"}


def test_the_directorys_names_are_the_persons_too() -> None:
    known = system("Lee", staff_id="LEE-01").model_copy(update={"directory_names": ("lee-01", "user-17")})
    assert (known.identity, set(known.names)) == ("LEE-01", {"lee", "lee-01", "user-17"})


# ------------------------------------------------------------------ an order over the threshold


def prepared_by(maker: Actor) -> Detour:
    story = delivered()
    assert story.do(c.RemitPersonalAccount(), maker, OVER_THRESHOLD) == ("remittance_prepared",)
    return story


def release(story: Detour, releaser: Actor) -> object:
    """What comes of a release; a refusal has left the case as it was."""
    before, order = story.state, story.state.to_release
    assert order is not None
    answer = story.decide(c.ReleaseRemittance(remittance_reference=order.reference), releaser, OVER_THRESHOLD)
    assert story.state == before
    return answer


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_no_spelling_of_the_makers_name_releases_the_order(spelling: str) -> None:
    for maker in (system("lee"), O_FINANCE.model_copy(update={"subject": "lee"})):
        story = prepared_by(maker)
        own_token = O_FINANCE.model_copy(update={"subject": spelling})
        for releaser in (system(spelling), own_token):
            assert release(story, releaser) == of("SAME_PERSON")


def test_another_person_releases_it() -> None:
    for maker, releaser in (
        (system("li-01"), system("wang-02")),
        (system("li-01"), O_FINANCE),
        (O_FINANCE, system("wang-02")),
    ):
        assert isinstance(release(prepared_by(maker), releaser), tuple)


def test_a_release_in_nobodys_name_is_refused() -> None:
    required = invalid("actingPerson", "ACTING_PERSON_REQUIRED")
    assert release(prepared_by(system("lee")), system(None)) == required
    assert release(prepared_by(system("lee")), system("System-110000")) == required


def test_an_order_over_the_threshold_is_not_prepared_in_nobodys_name_and_below_it_nothing_changes() -> None:
    story = delivered()
    before = story.state
    refused = story.decide(c.RemitPersonalAccount(), system(None), OVER_THRESHOLD)
    assert (refused, story.state) == (invalid("actingPerson", "ACTING_PERSON_REQUIRED"), before)
    assert isinstance(story.decide(c.RemitPersonalAccount(), system(None), c.RemitFacts()), tuple)


def test_whom_the_directory_knows_by_several_names_is_one_person() -> None:
    names = ("lee", "user-17")
    by_system = system("lee").model_copy(update={"directory_names": names})
    by_token = O_FINANCE.model_copy(update={"subject": "user-17", "directory_names": names})
    assert release(prepared_by(by_system), by_token) == of("SAME_PERSON")
    assert release(prepared_by(by_token), by_system) == of("SAME_PERSON")


@pytest.mark.parametrize("loaded", ["before the order", "before the release"])
def test_a_directory_that_is_known_to_one_of_the_two_only_is_enough(loaded: str) -> None:
    by_system, by_token = system("lee"), O_FINANCE.model_copy(update={"subject": "user-17"})
    known = {"directory_names": ("lee", "user-17")}
    maker = by_system.model_copy(update=known) if loaded == "before the order" else by_system
    releaser = by_token if loaded == "before the order" else by_token.model_copy(update=known)
    assert release(prepared_by(maker), releaser) == of("SAME_PERSON")


def test_an_order_of_before_the_names_were_kept_is_compared_by_who_prepared_it() -> None:
    story = prepared_by(system("Lee"))
    order = story.state.to_release
    assert order is not None
    stored = order.model_dump(mode="json", exclude={"maker_names"})
    old = story.state.model_copy(update={"remittances": (Remittance.model_validate(stored),)})
    action = TransferAction.RELEASE_REMITTANCE
    assert objection(old, action, system("lee")) == of("SAME_PERSON")
    assert objection(old, action, system("wang")) is None
    # In nobody's name, by the system alone: the same system does not let it pass.
    unnamed = order.model_copy(update={"prepared_by": "system-110000", "maker_names": ()})
    nobodys = story.state.model_copy(update={"remittances": (unnamed,)})
    assert unnamed.status is RemittanceStatus.AWAITING_RELEASE
    assert objection(nobodys, action, system("wang")) == of("SAME_PERSON")
    assert objection(nobodys, action, O_FINANCE) is None


# ------------------------------------------------------------------ a form that another person checks


def checked(story: Detour, checker: Actor) -> object:
    before = story.state
    answer = story.decide(c.CheckInformationForm(), checker, story.register(needs_checker=True))
    assert story.state == before
    return answer


def form_made_by(maker: Actor) -> Detour:
    story = accepted()
    made = story.do(c.DeliverInformationForm(), maker, story.register(needs_checker=True), when=at("2026-03-03"))
    assert made == ("form_prepared",)
    return story


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_no_spelling_of_the_makers_name_checks_the_form(spelling: str) -> None:
    own_token = Actor(subject=spelling, roles=(Role.CHECKER,), region=BEIJING)
    for maker in (system("lee"), O_CLERK.model_copy(update={"subject": "lee"})):
        story = form_made_by(maker)
        assert checked(story, system(spelling)) == of("SAME_PERSON")
        assert checked(story, own_token) == of("SAME_PERSON")
        assert isinstance(checked(story, system("wang-02")), tuple)


@pytest.mark.parametrize("loaded", ["before the form", "before the check"])
def test_a_directory_that_the_maker_or_the_checker_is_known_by_is_enough_for_a_form(loaded: str) -> None:
    maker, checker = system("lee"), Actor(subject="user-17", roles=(Role.CHECKER,), region=BEIJING)
    known = {"directory_names": ("lee", "user-17")}
    if loaded == "before the form":
        maker = maker.model_copy(update=known)
    else:
        checker = checker.model_copy(update=known)
    assert checked(form_made_by(maker), checker) == of("SAME_PERSON")


def test_a_form_for_a_checker_is_neither_made_nor_checked_in_nobodys_name() -> None:
    required = invalid("actingPerson", "ACTING_PERSON_REQUIRED")
    assert checked(form_made_by(system("lee")), system(None)) == required
    story = accepted()
    before = story.state
    facts = story.register(needs_checker=True)
    assert story.decide(c.DeliverInformationForm(), system(None), facts) == required
    assert story.state == before
    unchecked = story.decide(c.DeliverInformationForm(), system(None), story.register())
    assert not isinstance(unchecked, Invalid | NotAllowed)


def test_the_same_person_at_two_agencies_is_one_on_the_paper_route() -> None:
    """The connected transfer-in side acts for both; the person's tokens say one region, then the other."""
    story = form_made_by(O_CLERK.model_copy(update={"subject": "lee"}))
    state = story.state.model_copy(update={"unconnected": (BEIJING,)})
    action = TransferAction.CHECK_INFORMATION_FORM
    for region in (SHANGHAI_POOL, BEIJING):
        checker = Actor(subject="Lee", roles=(Role.CHECKER,), region=region)
        assert objection(state, action, checker) == of("SAME_PERSON")
        assert objection(state, action, system("LEE", region)) == of("SAME_PERSON")
        assert objection(state, action, checker.model_copy(update={"subject": "wang"})) is None


def test_a_clerk_whose_region_changes_between_making_and_releasing_is_the_same_person() -> None:
    story = prepared_by(O_FINANCE.model_copy(update={"subject": "lee"}))
    moved = Actor(subject="Lee", roles=(Role.FINANCE,), region=SHANGHAI_POOL)
    assert release(story, moved) == of("WRONG_SIDE")
    # On the paper route the agency that they have moved to acts for both sides.
    on_paper = story.state.model_copy(update={"unconnected": (BEIJING,)})
    assert objection(on_paper, TransferAction.RELEASE_REMITTANCE, moved) == of("SAME_PERSON")
    colleague = moved.model_copy(update={"subject": "wang"})
    assert objection(on_paper, TransferAction.RELEASE_REMITTANCE, colleague) is None
