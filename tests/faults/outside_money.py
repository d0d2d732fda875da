"""The checker's rules over money that came from outside: late contributions, and what the bank says came and is nobody's.

They share no code with the system either.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from tests.faults.books import Books, Damage

TAKEN_IN = {"SWEPT_ALONG", "RETAINED"}
ON_THE_LIST = {"UNMATCHED", "GOING_HOME"}
COUNTED = {"MATCHED", "CONFIRMED"}
# How often the bank has paid money home, by the state of what came.
PAID_HOME = {"SENT_HOME": {1}, "GOING_HOME": {0, 1}}
CAME_TO_NOTHING = {"DECLINED", "WITHDRAWN", "TERMINATED"}


def contributed(books: Books) -> Iterator[tuple[str, int]]:
    """Of whom, and how many fen: what came after the registers were opened."""
    for each in books.contributions:
        if each["state"] in TAKEN_IN:
            yield str(books.transfers[each["id"]]["person_id"]), each["amount_fen"]


def ordered_home(books: Books) -> dict[str, str]:
    """The bank's orders that take money home which was nobody's, each with the id of what came."""
    ids = [entry["entry_id"] for entry in books.bank_entries]
    named = {f"TH-{each.hex[:26]}": str(each) for each in ids}
    cut = {order["reference"]: order["reference"][:29] for order in books.bank_orders}
    return {reference: named[begin] for reference, begin in cut.items() if begin in named}


def _contributions_come_in_once(books: Books) -> Iterator[Damage]:
    """What was taken in stands in one event of its case, which booked it from the world outside; nothing else does."""
    brought: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for transfer in books.events:
        for seq, fact in books.facts(transfer, "late_contribution"):
            brought[fact["contribution_id"]].append((transfer, seq, fact["amount_fen"]))
    for each in books.contributions:
        found = brought.pop(each["contribution_id"], [])
        due = [(each["id"], each["seq"], each["amount_fen"])] if each["state"] in TAKEN_IN else []
        moved = books.moved_by(*due[0][:2]) if due else Counter[str]()
        came_fen, has_fen = -moved["CLEARING"], moved["PERSONAL_ACCOUNTS"] + moved["FROZEN"]
        if found != due or {came_fen, has_fen} != {sum(fen for *_, fen in due)}:
            what = f"{each['contribution_id']} is {each['state']}: events {found}, {dict(moved)}"
            yield Damage("CONTRIBUTION_NOT_ONCE", what)
    for contribution_id, found in brought.items():
        yield Damage("CONTRIBUTION_NOT_ONCE", f"{contribution_id}, which never arrived: events {found}")


def _what_is_nobodys_is_set_aside(books: Books) -> Iterator[Damage]:
    """SUSPENSE holds exactly what is on the list, at the agency that has it: nothing else, and nothing any more."""
    aside: Counter[tuple[str, str]] = Counter()
    for entry in (each for _, entries in books.postings.values() for each in entries if each["unmatched"] is not None):
        if entry["account"] == "SUSPENSE":
            aside[entry["unmatched"], entry["region"]] += entry["amount_fen"]
    for entry in books.bank_entries:
        if entry["region"] is not None and entry["state"] in ON_THE_LIST:
            aside[str(entry["entry_id"]), entry["region"]] -= entry["amount_fen"]
    for (name, region), fen in aside.items():
        if fen:
            yield Damage("UNMATCHED_NOT_SET_ASIDE", f"{name} at {region}: {fen:+} fen")


def _money_goes_home_once(books: Books) -> Iterator[Damage]:
    paid: dict[str, list[int]] = defaultdict(list)
    home = ordered_home(books)
    for order in books.bank_orders:
        entry_id = home.get(order["reference"])
        if entry_id is not None and order["reference"] not in books.bank_refused:
            paid[entry_id].append(order["amount_fen"])
    for entry in books.bank_entries:
        found = paid[str(entry["entry_id"])]
        if len(found) not in PAID_HOME.get(entry["state"], {0}) or set(found) - {entry["amount_fen"]}:
            what = f"{entry['entry_reference']} of {entry['amount_fen']} fen is {entry['state']}, the bank paid {found}"
            yield Damage("SENT_HOME_NOT_ONCE", what)


def _each_order_is_paid_by_one_credit(books: Books) -> Iterator[Damage]:
    """Of each of its payments; what finance has confirmed was entered for an order, and is that order's."""
    counted: Counter[str] = Counter()
    entered = {(order["reference"], order["bank_reference"]) for order in books.remittances}
    for entry in books.bank_entries:
        if entry["kind"] == "CREDIT" and entry["state"] in COUNTED and entry["reference"] is not None:
            counted[entry["reference"]] += 1
        if entry["state"] == "CONFIRMED" and (entry["reference"], entry["entry_reference"]) not in entered:
            yield Damage("CONFIRMED_FOR_NOBODY", f"{entry['entry_reference']} for {entry['reference']}")
    for reference, times in counted.items():
        if times > (books.payments[reference] or 1):
            yield Damage("CREDIT_COUNTED_TWICE", f"{reference}: by {times} credits")


def _words_are_told_whole(books: Books) -> Iterator[Damage]:
    """No more is told or heard than was said; of what came back, no more is heard than a case or the list knows of."""
    known: Counter[str] = Counter()
    for transfer in books.events:
        for _, fact in books.facts(transfer, "funds_returned"):
            known[fact["reference"]] += fact["amount_fen"]
    for entry in books.bank_entries:
        if entry["why"] == "RETURN_AFTER_SPENT":
            known[entry["reference"]] += entry["amount_fen"]
    for word in books.bank_words:
        said_fen, told_fen, heard_fen = word["amount_fen"], word["told_fen"], word["heard_fen"]
        told_in_part = word["told_at"] is not None and told_fen != said_fen
        unknown = word["said"] == "RETURNED" and heard_fen > known[word["reference"]] and not _over(books, word)
        if told_in_part or unknown or max(told_fen, heard_fen) > said_fen:
            what = f"{word['said']} of {word['reference']}: {said_fen} said, {told_fen} told, {heard_fen} heard"
            yield Damage("WORD_NOT_TOLD_ONCE", what)


def _over(books: Books, word: Any) -> bool:
    """Whether its case came to nothing, so that there is nothing to be noted in it."""
    whose = {order["reference"]: books.transfers[order["id"]]["status"] for order in books.remittances}
    return whose.get(word["reference"]) in CAME_TO_NOTHING


RULES: tuple[Callable[[Books], Iterator[Damage]], ...] = (
    _contributions_come_in_once,
    _what_is_nobodys_is_set_aside,
    _money_goes_home_once,
    _each_order_is_paid_by_one_credit,
    _words_are_told_whole,
)
