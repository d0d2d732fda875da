"""What does not agree is found, with its cause and nothing beside it; what is in order gives nothing."""

import random
from collections import Counter
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activities.reconciliation.compare import OutOfOrderError, by_reference, differences
from activities.reconciliation.kinds import DifferenceKind as Kind
from activities.reconciliation.kinds import Party, explained
from activities.reconciliation.lines import BankDirection
from activities.reconciliation.readings import Age, Books, Dates, Reading, Readings, Stage
from activities.reconciliation.rules import RULES, causes, wrong
from tests.activities.reconciliation.lives import (
    AGE_OF,
    CLEAN,
    FAULTS,
    LAST_WEEK,
    LONG_AGO,
    Order,
    Population,
    found,
)
from workflows.words import knows

ORDER = Order("ZY-319900-20260106-000001-01", "110000", "319900", 420_000)


def test_every_kind_has_its_fault_its_row_and_its_words() -> None:
    assert FAULTS.keys() == set(Kind) - {Kind.COMBINATION_UNKNOWN}
    assert {each.kind for each in RULES} == FAULTS.keys()
    keys = [*(f"difference.{each}" for each in Kind), *(f"party.{each}" for each in Party)]
    assert [key for key in keys if not (knows("zh-CN", key) and knows("en", key))] == []


@pytest.mark.parametrize("life", list(CLEAN))
def test_an_order_that_is_in_order_gives_nothing(life: str) -> None:
    order = CLEAN[life](ORDER)
    assert list(differences(order.ledger, order.bank, order.registers, AGE_OF)) == []


@pytest.mark.parametrize("kind", list(FAULTS))
def test_one_fault_is_one_difference_of_its_kind(kind: Kind) -> None:
    order = FAULTS[kind](ORDER)
    assert [each.kind for each in differences(order.ledger, order.bank, order.registers, AGE_OF)] == [kind]


def _all_found(seed: int, clean: int, each_fault: int) -> None:
    population = Population(random.Random(seed))
    lives = list(CLEAN.values())
    for _ in range(clean):
        population.add(population.random.choice(lives))
    for kind in FAULTS:
        for _ in range(each_fault):
            population.inject(kind)
    streams = population.streams()
    reported = list(found(differences(*streams, AGE_OF)))
    assert Counter(reported) == Counter(population.injected)
    assert len(reported) == each_fault * len(FAULTS)


def test_twenty_of_each_fault_among_two_thousand_orders_are_all_found_and_none_is_invented() -> None:
    _all_found(seed=1, clean=2_000, each_fault=20)


@pytest.mark.long
def test_a_thousand_of_each_fault_among_a_hundred_thousand_orders_are_all_found_and_none_is_invented() -> None:
    _all_found(seed=2, clean=100_000, each_fault=1_000)


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.sampled_from(sorted(CLEAN)), max_size=20), st.integers(0, 2**32))
def test_orders_in_order_give_nothing_however_their_lines_lie(lives: list[str], seed: int) -> None:
    population = Population(random.Random(seed))
    for life in lives:
        population.add(CLEAN[life])
    assert list(differences(*population.streams(), AGE_OF)) == []


@settings(max_examples=100, deadline=None, database=None)
@given(st.lists(st.sampled_from(list(FAULTS)), max_size=10), st.integers(0, 2**32), st.integers(0, 2**32))
def test_the_order_of_an_orders_own_lines_changes_nothing(kinds: list[Kind], first: int, second: int) -> None:
    population = Population(random.Random(first))
    for kind in kinds:
        population.inject(kind)
    reported = [(each.cause, each.party) for each in differences(*population.streams(), AGE_OF)]
    population.random = random.Random(second)
    again = [(each.cause, each.party) for each in differences(*population.streams(), AGE_OF)]
    assert sorted(again) == sorted(reported)


def test_a_stream_that_is_not_sorted_is_refused() -> None:
    first, second = CLEAN["credited"](ORDER), CLEAN["credited"](replace(ORDER, reference="ZY-1-01"))
    with pytest.raises(OutOfOrderError, match="ZY-1-01 comes after ZY-319900"):
        list(by_reference((*first.ledger, *second.ledger), (), ()))


def test_a_difference_says_whose_it_is_its_figures_and_what_it_rests_on() -> None:
    order = CLEAN["credited"](ORDER).pay(BankDirection.CREDIT, LAST_WEEK, 1)
    (one,) = differences(order.ledger, order.bank, order.registers, AGE_OF)
    assert one._replace(basis=()) == (
        Kind.BANK_CREDITED_TWICE, ORDER.reference, "ZY-319900-20260106-000001", Party.BANK, "319900",
        420_000, 420_001, LAST_WEEK, LONG_AGO, "", (),
    )  # fmt: skip
    assert one.basis_texts[-3:] == [
        "bank 319900 CREDIT 1 2026-03-04 E-ZY-319900-20260106-000001-01-2",
        "register 110000 OUT 420000 2026-01-06",
        "register 319900 IN 420000 2026-03-04",
    ]
    figures = {"expected_fen": 420_000, "found_fen": 420_001, "on": LAST_WEEK, "ordered_on": LONG_AGO}
    said = explained(one.kind, one.reference, **figures, language="en")  # type: ignore[arg-type] # fen and days
    assert said == "The bank credited ZY-319900-20260106-000001-01 twice: 4,200.01 yuan for 4,200.00."


def test_what_comes_home_is_paid_by_r_and_received_by_o() -> None:
    order = FAULTS[Kind.REGISTER_NOT_DEBITED](replace(ORDER, comes_home=True))
    (one,) = differences(order.ledger, order.bank, order.registers, AGE_OF)
    assert (one.party, one.region) == (Party.R_FINANCE, "110000")


def test_two_faults_that_have_nothing_to_do_with_each_other_are_two_differences() -> None:
    order = FAULTS[Kind.REGISTER_NOT_CREDITED](ORDER)
    order = replace(order, bank=order.bank[:1])
    kinds = {each.kind for each in differences(order.ledger, order.bank, order.registers, AGE_OF)}
    assert kinds == {Kind.CREDITED_WITHOUT_BANK, Kind.REGISTER_NOT_CREDITED}


def test_no_combination_of_readings_that_is_wrong_is_passed_over_and_none_is_explained_twice() -> None:
    """Every combination of the bank's sides with each of a register's; the registers have no row in common with them."""
    looked_at = 0
    for stage, age, debit, credit, returned, out in product(Stage, Age, Reading, Reading, Reading, Reading):
        readings = Readings(
            stage, age, debit, credit, returned, out, Reading.AGREES, Reading.NONE, Dates.IN_ORDER, Books.WHOLE
        )
        rows = causes(readings)
        explained_first = [row.explains[0] for row in rows if row.when]
        assert len(explained_first) == len(set(explained_first))
        assert bool(rows) or not any(wrong(readings, name) for name in Readings._fields)
        looked_at += 1
    assert looked_at == 8 * 3 * 9**4
    causes.cache_clear()


def test_a_combination_that_the_table_lacks_is_a_difference_too() -> None:
    readings = Readings(
        Stage.CREDITED,
        Age.FRESH,
        Reading.STRAY,
        Reading.AGREES,
        Reading.NONE,
        Reading.AGREES,
        Reading.AGREES,
        Reading.NONE,
        Dates.IN_ORDER,
        Books.WHOLE,
    )
    assert [row.kind for row in causes(readings)] == [Kind.COMBINATION_UNKNOWN]
