"""The independent checker: what must be true of the money in whatever state a fault has left behind, to the fen.

It reads PostgreSQL with statements of its own and the bank's file, and shares no code with the system.
"""

import hashlib
import itertools
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from tests.faults import outside_money
from tests.faults.books import Books, Damage, Opening, Openings, openings, read

# Derived totals, and the world outside: all others belong to one transfer and hold what it has there.
MAY_BE_NEGATIVE = {"PERSONAL_ACCOUNTS", "CLEARING"}
IN_BETWEEN = ("FROZEN", "IN_TRANSIT", "RECEIVED", "RETURNED")
# At O the register holds as frozen what came back, and what is missing until it is found: it is owed again.
FROZEN_AT_ORIGIN = ("RETURNED", "SUSPENSE")
HAS_LEFT = {"REMITTED", "RECEIVED", "MISMATCHED", "CREDITED"}
ENDS = {"funds_credited", "funds_paid_out", "funds_returned"}


@dataclass(frozen=True)
class Report:
    damages: list[Damage]
    # How far the money of all persons, wherever it is, is from what there was at the beginning.
    lost_fen: int

    @property
    def rules(self) -> set[str]:
        return {damage.rule for damage in self.damages}


async def check(connection: asyncpg.Connection, bank: Path, opened: Openings, *, no: str | None = None) -> Report:
    """Every rule over all persons whose registers are in `opened`, all transfers, and all that the bank keeps.

    With `no` over that transfer alone, where others are still under way.
    """
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        books = await read(connection, bank, no)
        held = await openings(connection)
    lost_fen = sum(_wherever(books, opened, held).values())
    rules = (
        _postings_are_whole(books),
        _accounts_are_not_negative(books),
        _registers_agree(books, opened, held),
        _money_is_conserved(books, opened, held),
        _each_order_moves_once(books),
        _the_bank_agrees(books),
        _nothing_is_completed_early(books),
        _events_are_chained(books),
        _commands_take_effect_once(books),
        *(rule(books) for rule in outside_money.RULES),
    )
    return Report(list(itertools.chain(*rules)), lost_fen)


# ------------------------------------------------------------------ the rules


def _postings_are_whole(books: Books) -> Iterator[Damage]:
    for number, (posting, entries) in books.postings.items():
        total = sum(entry["amount_fen"] for entry in entries)
        if total != 0 or len(entries) < 2:
            yield Damage("POSTING_NOT_ZERO", f"posting {number}: {len(entries)} entries, {total} fen")
        if posting["id"] and posting["seq"] not in {e["seq"] for e in books.events[posting["id"]]}:
            yield Damage("POSTING_WITHOUT_EVENT", f"posting {number} books event {posting['seq']}, which is not there")
    for entry in books.strays:
        yield Damage("ENTRY_WITHOUT_POSTING", f"line {entry['line']} of posting {entry['posting_id']}")


def _accounts_are_not_negative(books: Books) -> Iterator[Damage]:
    """At no time: the entries in the order in which they were posted."""
    balances: Counter[tuple[str, ...]] = Counter()
    for _, (_, entries) in sorted(books.postings.items()):
        for entry in entries:
            balances[entry["owner"], entry["account"], entry["region"], entry["scheme"]] += entry["amount_fen"]
        for account in {(each["owner"], each["account"], each["region"], each["scheme"]) for each in entries}:
            if account[1] not in MAY_BE_NEGATIVE and balances[account] < 0:
                yield Damage("NEGATIVE_ACCOUNT", f"{account[1]} of {account[0]}: {balances[account]} fen")


def _booked(books: Books) -> Counter[tuple[str, ...]]:
    """Fen by person, region, scheme and account; FROZEN is all that the register holds as frozen."""
    booked: Counter[tuple[str, ...]] = Counter()
    for _, entries in books.postings.values():
        # What came and belongs to no case belongs to no person yet.
        for entry in (each for each in entries if each["id"] is not None):
            transfer, side = books.transfers[entry["id"]], (entry["region"], entry["scheme"])
            at_origin = side == (transfer["from_region"], transfer["from_scheme"])
            account = "FROZEN" if at_origin and entry["account"] in FROZEN_AT_ORIGIN else entry["account"]
            booked[str(transfer["person_id"]), *side, account] += entry["amount_fen"]
    return booked


def _registers_agree(books: Books, opened: Openings, held: Openings) -> Iterator[Damage]:
    """What a register holds is what it held, and what the ledger has moved since: usable and frozen, to the fen."""
    booked = _booked(books)
    for side, then in opened.items():
        now = held.get(side, Opening(0, 0))
        usable, frozen = booked[*side, "PERSONAL_ACCOUNTS"], booked[*side, "FROZEN"]
        if now.usable_fen != then.usable_fen + usable:
            yield Damage("REGISTER_DISAGREES", f"{side}: {now.usable_fen} usable, {then.usable_fen} {usable:+} booked")
        if now.frozen_fen != then.frozen_fen + frozen:
            yield Damage("REGISTER_DISAGREES", f"{side}: {now.frozen_fen} frozen, {then.frozen_fen} {frozen:+} booked")


def _wherever(books: Books, opened: Openings, held: Openings) -> dict[str, int]:
    """By person: how far the money in the registers, on its way and paid out is from what there was, and came since."""
    missing: Counter[str] = Counter()
    for (person, _, _), then in opened.items():
        missing[person] += sum(then)
    for person, fen in outside_money.contributed(books):
        missing[person] += fen
    for (person, *_), now in held.items():
        if person in missing:
            missing[person] -= sum(now)
    for (person, _, _, account), fen in _booked(books).items():
        if account not in {"PERSONAL_ACCOUNTS", "FROZEN", "CLEARING"}:
            missing[person] -= fen
    return {person: abs(fen) for person, fen in missing.items()}


def _money_is_conserved(books: Books, opened: Openings, held: Openings) -> Iterator[Damage]:
    for person, fen in _wherever(books, opened, held).items():
        if fen:
            yield Damage("MONEY_NOT_CONSERVED", f"person {person}: {fen} fen too few or too many")


def _each_order_moves_once(books: Books) -> Iterator[Damage]:
    """An order that has left was debited once; one that is at its end was credited once; nothing else moved for it."""
    for order in books.remittances:
        reference, transfer = order["reference"], order["id"]
        end = "funds_paid_out" if order["kind"] == "PAYOUT" else "funds_credited"
        debits = [seq for seq, fact in books.facts(transfer, "funds_remitted") if fact["reference"] == reference]
        credits_ = [(seq, fact) for seq, fact in books.facts(transfer, end) if fact["reference"] == reference]
        # One that was returned may have left before, and have been credited.
        expected = len(debits) if order["status"] == "RETURNED" else int(order["status"] in HAS_LEFT)
        if len(debits) != expected or len(debits) > 1:
            yield Damage("DEBIT_NOT_ONCE", f"{reference} is {order['status']}, debited {len(debits)} times")
        for seq in debits:
            moved = books.moved_by(transfer, seq)
            # What was never credited at R goes home from where it lies apart.
            if (moved["FROZEN"] + moved["SUSPENSE"], moved["IN_TRANSIT"]) != (
                -order["amount_fen"],
                order["amount_fen"],
            ):
                yield Damage("DEBIT_NOT_ONCE", f"{reference} of {order['amount_fen']} fen: {dict(moved)}")
        at_an_end = min(len(credits_), 1) if order["status"] == "RETURNED" else int(order["status"] == "CREDITED")
        if len(credits_) != at_an_end:
            yield Damage("CREDIT_NOT_ONCE", f"{reference} is {order['status']}, credited {len(credits_)} times")
        for seq, fact in credits_:
            moved, freeze_fen = books.moved_by(transfer, seq), fact.get("freeze_fen", 0)
            target = "PAID_OUT" if order["kind"] == "PAYOUT" else "PERSONAL_ACCOUNTS"
            if moved[target] != fact["amount_fen"] - freeze_fen or fact["amount_fen"] > order["amount_fen"]:
                yield Damage("CREDIT_NOT_ONCE", f"{reference} of {order['amount_fen']} fen: {dict(moved)}")


def _the_bank_agrees(books: Books) -> Iterator[Damage]:
    ours = {order["reference"]: order for order in books.remittances}
    theirs = Counter(order["reference"] for order in books.bank_orders)
    by_post = {
        fact["reference"]
        for events in books.events.values()
        for each in events
        if (fact := each["fact"]).get("by_post")
    }
    home = outside_money.ordered_home(books)
    for order in books.bank_orders:
        mine, paid_fen = ours.get(order["reference"]), sum(each["amount_fen"] for each in order["payments"])
        if mine is None and order["reference"] not in home:
            yield Damage("BANK_PAYS_UNORDERED", f"{order['reference']}: {order['amount_fen']} fen")
        elif mine is not None and {mine["amount_fen"]} != {order["amount_fen"], paid_fen}:
            yield Damage("BANK_PAYS_ANOTHER_AMOUNT", f"{order['reference']}: {order['amount_fen']} fen")
    for reference, order in ours.items():
        if theirs[reference] > 1:
            yield Damage("BANK_PAYS_TWICE", f"{reference}: {theirs[reference]} times")
        if order["status"] in HAS_LEFT and reference not in by_post and not theirs[reference]:
            yield Damage("BANK_NEVER_PAID", f"{reference} is {order['status']}")


def _nothing_is_completed_early(books: Books) -> Iterator[Damage]:
    """已办结 in the order of the events: every order before it at its end, nothing of the case in between."""
    for transfer, row in books.transfers.items():
        completed = [seq for seq, _ in books.facts(transfer, "completed")]
        reopened = [seq for seq, _ in books.facts(transfer, "reopened")]
        shown = len(completed) == 1 + len(reopened)
        if (row["status"] == "COMPLETED") != shown:
            yield Damage("COMPLETED_TOO_EARLY", f"{row['no']} shows {row['status']}, completed at {completed}")
        for seq in completed:
            before = [each for each in books.events[transfer] if each["seq"] < seq]
            ordered = {each["fact"]["reference"] for each in before if each["type"] == "funds_ordered"}
            ended = {each["fact"]["reference"] for each in before if _is_an_end(each)}
            if ordered - ended:
                yield Damage("COMPLETED_TOO_EARLY", f"{row['no']}: {sorted(ordered - ended)} on the way at event {seq}")
            yield from _in_between(books, transfer, seq)


def _is_an_end(event: dict[str, Any]) -> bool:
    return event["type"] in ENDS or event["fact"].get("decision") == "SEND_HOME"


def _in_between(books: Books, transfer: str, seq: int) -> Iterator[Damage]:
    left: Counter[str] = Counter()
    for posting, entries in books.postings.values():
        if posting["id"] == transfer and posting["seq"] < seq:
            for entry in entries:
                left[entry["account"]] += entry["amount_fen"]
    for account in IN_BETWEEN:
        if left[account]:
            yield Damage("COMPLETED_TOO_EARLY", f"{left[account]} fen {account} at event {seq}")


def _events_are_chained(books: Books) -> Iterator[Damage]:
    for transfer, row in books.transfers.items():
        last = b""
        for seq, event in enumerate(books.events[transfer], start=1):
            text = json.dumps(event["document"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            last = hashlib.sha256(last + text.encode()).digest()
            if event["seq"] != seq or event["document"]["seq"] != seq:
                yield Damage("EVENT_MISSING", f"{row['no']}: event {event['seq']} where {seq} was due")
            if last != event["hash"]:
                yield Damage("CHAIN_BROKEN", f"{row['no']}: event {event['seq']}")
                break
        if row["revision"] != len(books.events[transfer]):
            yield Damage(
                "EVENT_MISSING", f"{row['no']}: revision {row['revision']}, {len(books.events[transfer])} events"
            )


def _commands_take_effect_once(books: Books) -> Iterator[Damage]:
    """A command that was carried out stands in the events once, one that was not stands there never."""
    done_by: dict[str, list[int]] = defaultdict(list)
    for events in books.events.values():
        for event in events:
            if event["command_id"] is not None:
                done_by[event["command_id"]].append(event["seq"])
    for command in books.commands:
        seqs = done_by.pop(command["command_id"], [])
        outcome = json.loads(command["outcome"]) if command["outcome"] else {}
        done = outcome.get("kind") == "DONE" and command["id"] is not None
        if done != bool(seqs) or seqs != list(range(min(seqs, default=0), max(seqs, default=-1) + 1)):
            yield Damage("COMMAND_NOT_ONCE", f"{command['kind']}: outcome {outcome}, events {seqs}")
    for command_id, seqs in done_by.items():
        yield Damage("COMMAND_NOT_ONCE", f"events {seqs} of command {command_id}, which nobody gave")
