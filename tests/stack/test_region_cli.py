"""`yibao region` on a real database: what is set, loaded, shown and refused."""

import json
import os
import pty
import re
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.keyring import Keyring
from activities.register_load import today_in_shanghai
from stack.policy_keys import KEYS, changed, flat
from stack.policy_proposals import ACCOUNT_KEYS
from tests.conftest import Database
from tests.stack.conftest import Yibao, rows, said
from workflows.policy import RegionPolicy

TODAY = today_in_shanghai()
# An edition may not take effect on a day that is past; these stay in the future though midnight falls into a test.
SOON, LATER, LAST = (TODAY + timedelta(days=days) for days in (10, 20, 30))
STORED = "select region, effective_from, policy::text from region_policies order by edition"
TO_SHANGHAI = '[{"to_province": "上海市", "disposition": "retain"}]'


def stored(database: Database) -> list[tuple[object, object, object]]:
    """(region, first day, what differs from the defaults) of every edition, as entered."""
    return [(region, day, json.loads(str(policy))) for region, day, policy in rows(database, STORED)]


# ------------------------------------------------------------------ set


def test_a_policy_is_changed_as_a_new_edition_and_the_difference_is_shown(run: Yibao, database: Database) -> None:
    first = run("region", "set", "110000", "arrears=block", "--effective-from", str(SOON))
    second = run("region", "set", "110000", "shortened_periods.CONFIRM_CONTINUATION=3", "--from", str(LATER))
    assert first.output == f"110000, in force from {SOON}:\n  arrears: warn -> block\nstored\n"
    expected = f"110000, in force from {LATER}:\n  shortened_periods.CONFIRM_CONTINUATION: default -> 3\nstored\n"
    assert second.output == expected
    # It builds on the edition in force on its first day.
    assert stored(database) == [
        ("110000", SOON, {"arrears": "block"}),
        ("110000", LATER, {"arrears": "block", "shortened_periods": {"CONFIRM_CONTINUATION": 3}}),
    ]
    assert "  arrears: warn (default)\n" in run("region", "show", "110000", "--on", str(SOON - timedelta(1))).output
    assert f"  arrears: block (edition 1 of {SOON})\n" in run("region", "show", "110000", "--on", str(LATER)).output


@pytest.mark.parametrize(
    ("change", "kept", "line"),
    [
        ("shortened_periods.DELIVER_INFORMATION_FORM=7", {"shortened_periods": {"DELIVER_INFORMATION_FORM": 7}}, "7"),
        ("waiting.months=3", {"waiting": {"months": 3}}, "3"),
        ('waiting={"months": 4}', {"waiting": {"months": 4}}, "4"),
        ("connected=false", {"connected": False}, "no"),
        ("form_needs_checker=yes", {"form_needs_checker": True}, "yes"),
        ("certificate_months=3", {"certificate_months": 3}, "3"),
        ("disposition=retain", {"disposition": [{"disposition": "retain"}]}, "retain"),
        (f"disposition={TO_SHANGHAI}", {"disposition": json.loads(TO_SHANGHAI)}, TO_SHANGHAI),
        (
            "open_for=EMPLOYEE>EMPLOYEE, RESIDENT→RESIDENT",
            {"open_for": [{"from_scheme": each, "to_scheme": each} for each in ("EMPLOYEE", "RESIDENT")]},
            "EMPLOYEE>EMPLOYEE,RESIDENT>RESIDENT",
        ),
        (
            'open_for=[{"from_scheme": "EMPLOYEE", "to_scheme": "RESIDENT"}]',
            {"open_for": [{"from_scheme": "EMPLOYEE", "to_scheme": "RESIDENT"}]},
            "EMPLOYEE>RESIDENT",
        ),
        ("open_for=none", {"open_for": []}, "none"),
        (
            "regional_holidays=2027-04-08 三月三，2027-04-09 三月三",
            {"regional_holidays": [{"date": f"2027-04-0{day}", "name": "三月三"} for day in (8, 9)]},
            "2027-04-08 三月三,2027-04-09 三月三",
        ),
    ],
)
def test_every_kind_of_key_is_set_shown_and_taken_out_again(
    run: Yibao, database: Database, change: str, kept: dict[str, Any], line: str
) -> None:
    shown = run("region", "set", "110000", change, "--from", str(SOON)).output.splitlines()
    assert shown[1].endswith(f" -> {line}")
    assert stored(database) == [("110000", SOON, kept)]
    key, _, _ = change.partition("=")
    back = run("region", "set", "110000", f"{key}=default", "--from", str(LATER)).output.splitlines()
    assert f": {line} -> " in back[1]
    assert stored(database)[1:] == [("110000", LATER, {})]


def test_every_key_can_be_set_to_a_value_as_it_is_shown_and_be_taken_out() -> None:
    for name, key in KEYS.items():
        values = {
            KEYS["open_for"].allowed: "EMPLOYEE>RESIDENT",
            KEYS["disposition"].allowed: TO_SHANGHAI,
            KEYS["regional_holidays"].allowed: "2027-04-08 三月三",
            "yes or no": "no" if key.default == "yes" else "yes",
        }
        # The first that is allowed: `warn or block`, `from 1 to 12, or none`.
        value = values.get(key.allowed, re.split("[ ,]", key.allowed.removeprefix("from "))[0])
        policy = changed(RegionPolicy(), {name: value})
        assert flat(policy)[name] == value
        assert changed(RegionPolicy(), flat(policy)) == policy
        assert changed(policy, {name: "default"}) == RegionPolicy()


@pytest.mark.parametrize(
    ("code", "change", "line"),
    [
        ("999999", "arrears=block", f"999999 is no pooling region of the directory on {SOON}"),
        ("110000", "arrears", "arrears: a change has the form KEY=VALUE, e.g. arrears=block"),
        ("110000", "arrears=clerk", "arrears: clerk is not allowed: warn or block"),
        ("110000", "connected=maybe", "connected: maybe is not allowed: yes or no"),
        ("110000", "connected=none", "connected: none is not allowed: yes or no"),
        ("110000", "certificate_months=13", "certificate_months: 13 is not allowed: from 1 to 12, or none"),
        ("110000", "waiting.free_gap_months=2", "waiting.free_gap_months: 2 is not allowed: from 3 to 12"),
        (
            "110000",
            "shortened_periods.CONFIRM_CONTINUATION=16",
            "shortened_periods: CONFIRM_CONTINUATION may be shortened to 1 … 15 working days, not 16",
        ),
        (
            "110000",
            "shortened_periods.STOP_COVERAGE=soon",
            "shortened_periods.STOP_COVERAGE: soon is not allowed: 1 to 5 working days",
        ),
        ("110000", "open_for=EMPLOYEE", f"open_for: EMPLOYEE is not allowed: {KEYS['open_for'].allowed}"),
        (
            "110000",
            "open_for=EMPLOYEE>PENSION",
            f"open_for.0.to_scheme: PENSION is not allowed: {KEYS['open_for'].allowed}",
        ),
        (
            "110000",
            "disposition=keep",
            f"disposition.0.disposition: keep is not allowed: {KEYS['disposition'].allowed}",
        ),
        (
            "110000",
            'disposition=[{"province": "上海市", "disposition": "retain"}]',
            f"disposition.0.province: is no key of a policy; allowed: {KEYS['disposition'].allowed}",
        ),
        (
            "110000",
            "disposition=[{",
            "disposition: [{ is not JSON: Expecting property name enclosed in double quotes: line 1 column 3 (char 2)",
        ),
        (
            "110000",
            "regional_holidays=2027-04-09 三月三,2027-04-08 三月三",
            "regional_holidays: dates must rise without repeats: 2027-04-08 follows 2027-04-09",
        ),
        (
            "110000",
            "regional_holidays=三月三",
            f"regional_holidays: 三月三 is not allowed: {KEYS['regional_holidays'].allowed}",
        ),
    ],
)
def test_a_change_that_may_not_be_is_refused_by_key_and_value_and_nothing_is_stored(
    run: Yibao, database: Database, code: str, change: str, line: str
) -> None:
    assert said(run("region", "set", code, "form_needs_checker=yes", change, "--from", str(SOON))) == line
    assert rows(database, STORED) == []


def test_an_unknown_key_is_refused_with_those_that_there_are(run: Yibao, database: Database) -> None:
    line = said(run("region", "set", "110000", "colour=red"))
    assert line.startswith(
        "colour is no key of a policy; the keys are connected, open_for, register_available, arrears, "
    )
    assert line.endswith(f", waiting, {', '.join(ACCOUNT_KEYS)}")
    inner = said(run("region", "set", "110000", "shortened_periods.RUN=1"))
    assert inner.startswith(
        "shortened_periods.RUN: is no key of a policy; the keys are shortened_periods.ACCEPT_APPLICA"
    )
    assert said(run("region", "set", "110000", "connected.today=yes")).startswith(
        "connected.today: is no key of a policy"
    )
    assert rows(database, STORED) == []


def test_a_rule_for_a_province_that_there_is_not_is_refused(run: Yibao, database: Database) -> None:
    line = said(run("region", "set", "110000", 'disposition=[{"to_province": "上海", "disposition": "retain"}]'))
    assert line.startswith("disposition.0.to_province: 上海 is not allowed: 北京市, 天津市, 河北省, ")
    assert rows(database, STORED) == []


def test_an_edition_never_changes_what_has_been(run: Yibao, database: Database) -> None:
    yesterday = TODAY - timedelta(days=1)
    line = said(run("region", "set", "110000", "arrears=block", "--effective-from", str(yesterday)))
    assert line.startswith(f"{yesterday} is past: an edition takes effect today (")
    assert line.endswith(") or later, and what has been stays")
    assert rows(database, STORED) == []
    assert run("region", "set", "110000", "arrears=block").output.endswith("\nstored\n")
    ((region, day, policy),) = stored(database)
    assert (region, policy) == ("110000", {"arrears": "block"})
    assert day in (TODAY, TODAY + timedelta(days=1))


def test_a_dry_run_shows_the_difference_and_changes_nothing(run: Yibao, database: Database) -> None:
    directory = "select * from pooling_regions order by code, effective_from"
    before = rows(database, directory)
    shown = run(
        "region", "set", "110000", "arrears=block", "receiving_account=none", "--from", str(SOON), "--dry-run"
    ).output
    assert "  arrears: warn -> block\n" in shown
    assert shown.endswith("dry run: nothing is stored\n")
    assert (rows(database, directory), rows(database, STORED)) == (before, [])


def test_what_is_so_already_is_no_edition(run: Yibao, database: Database) -> None:
    assert run("region", "set", "110000", "arrears=warn", "--from", str(SOON)).output == (
        f"110000, in force from {SOON}:\n  no change\n"
    )
    assert rows(database, STORED) == []


def test_a_change_that_a_later_edition_does_not_have_says_until_when_it_holds(run: Yibao) -> None:
    run("region", "set", "110000", "arrears=block", "--from", str(LATER))
    shown = run("region", "set", "110000", "connected=no", "--from", str(SOON)).output
    assert shown == (
        f"110000, in force from {SOON}:\n"
        "  connected: yes -> no\n"
        f"  until {LATER}, when edition 1 says: connected: no -> yes\n"
        "stored\n"
    )


@pytest.mark.parametrize(
    ("answer", "options", "code", "editions"), [("n", (), 1, 0), ("y", (), 0, 1), ("", ("--yes",), 0, 1)]
)
def test_at_a_terminal_it_takes_effect_after_a_yes(
    database: Database, answer: str, options: tuple[str, ...], code: int, editions: int
) -> None:
    environment = os.environ | {"YIBAO_DATABASE_URL": database.owner_url, "YIBAO_KEYRING": Keyring.generate_text()}
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    command = (sys.executable, "-P", "-m", "stack.cli", "region", "set", "110000", "arrears=block", *options)
    ended = subprocess.run(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, check=False, timeout=60
    )
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "arrears: warn -> block" in shown
    assert ("Put this in force?" in shown) is not bool(options)
    assert (ended.returncode, len(rows(database, STORED))) == (code, editions)


ACCOUNT = ("receiving_account_name=上海示例专户", "receiving_bank=示例银行", "receiving_bank_code=102290000001")


def test_a_receiving_account_is_taken_out_of_the_directory_and_put_back_whole(run: Yibao) -> None:
    run("region", "set", "319900", "receiving_account=none", "--from", str(SOON))
    none = "".join(f"  {key}: none\n" for key in ACCOUNT_KEYS)
    assert none in run("region", "show", "319900", "--on", str(SOON)).output
    assert "receiving_account: none" not in run("region", "show", "319900", "--on", str(SOON - timedelta(1))).output
    put = run("region", "set", "319900", "receiving_account=9999000011112222", *ACCOUNT, "--from", str(SOON))
    assert put.output == (
        f"319900, in force from {SOON}:\n"
        "  receiving_account: none -> 9999000011112222\n"
        "  receiving_account_name: none -> 上海示例专户\n"
        "  receiving_bank: none -> 示例银行\n"
        "  receiving_bank_code: none -> 102290000001\n"
        "stored\n"
    )
    changed = run("region", "set", "319900", "receiving_account=9999000011113333", "--from", str(LATER))
    assert changed.output == (
        f"319900, in force from {LATER}:\n  receiving_account: 9999000011112222 -> 9999000011113333\nstored\n"
    )
    shown = run("region", "show", "319900", "--on", str(LATER)).output
    assert "  receiving_account: 9999000011113333\n  receiving_account_name: 上海示例专户\n" in shown


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (("receiving_account=9999000011112222",), "the receiving account must be whole or absent"),
        (("receiving_account=9999000011112222", *ACCOUNT[:2]), "the receiving account must be whole or absent"),
        (
            ("receiving_account=9999-0000", *ACCOUNT),
            "receiving_account: String should match pattern '^[0-9]{8,32}$'",
        ),
        (
            ("receiving_account=9999000011112222", *ACCOUNT[:2], "receiving_bank_code=5"),
            "receiving_bank_code: String should match pattern '^[0-9]{12}$'",
        ),
    ],
)
def test_half_a_receiving_account_is_refused_and_nothing_is_stored(
    run: Yibao, database: Database, changes: tuple[str, ...], line: str
) -> None:
    run("region", "set", "319900", "receiving_account=none", "--from", str(SOON))
    before = rows(database, "select * from pooling_regions where code = '319900' order by effective_from")
    assert said(run("region", "set", "319900", *changes, "arrears=block", "--from", str(LATER))) == (
        f"{line} ({', '.join(ACCOUNT_KEYS)})"
    )
    assert rows(database, "select * from pooling_regions where code = '319900' order by effective_from") == before
    assert rows(database, STORED) == []


# ------------------------------------------------------------------ load


def policies(folder: Path, *entries: object) -> str:
    """A file of these entries."""
    path = folder / "policies.json"
    path.write_text(json.dumps(entries, ensure_ascii=False), "utf-8")
    return str(path)


def entry(code: str, day: date, **policy: object) -> dict[str, object]:
    return {"code": code, "effective_from": str(day), "policy": policy}


def test_a_file_is_loaded_whole_each_difference_shown_and_a_second_time_changes_nothing(
    run: Yibao, database: Database, tmp_path: Path
) -> None:
    run("region", "set", "110000", "connected=no", "arrears=block", "--from", str(SOON))
    file = policies(
        tmp_path,
        entry("319900", LAST, disposition=json.loads(TO_SHANGHAI), waiting={"months": 3}),
        # As `set` takes them too. What an entry leaves out is the default: connected again.
        entry("110000", LATER, arrears="block", open_for="EMPLOYEE>EMPLOYEE", form_needs_checker="yes"),
        # Against the file's own entry of an earlier day.
        entry("319900", LATER, shortened_periods={"CONFIRM_CONTINUATION": 3}, waiting={"months": 3}),
    )
    differences = (
        f"110000, in force from {LATER}:\n"
        "  connected: no -> yes\n"
        "  form_needs_checker: no -> yes\n"
        "  open_for: all -> EMPLOYEE>EMPLOYEE\n"
        f"319900, in force from {LATER}:\n"
        "  shortened_periods.CONFIRM_CONTINUATION: default -> 3\n"
        "  waiting.months: 6 -> 3\n"
        f"319900, in force from {LAST}:\n"
        f"  disposition: remit -> {TO_SHANGHAI}\n"
        "  shortened_periods.CONFIRM_CONTINUATION: 3 -> default\n"
    )
    before = rows(database, STORED)
    assert run("region", "load", file, "--dry-run").output == f"{differences}dry run: nothing is stored\n"
    assert rows(database, STORED) == before
    assert run("region", "load", file).output == f"{differences}stored\n"
    direction = {"from_scheme": "EMPLOYEE", "to_scheme": "EMPLOYEE"}
    assert stored(database)[1:] == [
        ("110000", LATER, {"arrears": "block", "open_for": [direction], "form_needs_checker": True}),
        ("319900", LATER, {"shortened_periods": {"CONFIRM_CONTINUATION": 3}, "waiting": {"months": 3}}),
        ("319900", LAST, {"disposition": json.loads(TO_SHANGHAI), "waiting": {"months": 3}}),
    ]
    after = rows(database, STORED)
    assert run("region", "load", file).output == (
        f"110000, in force from {LATER}:\n  no change\n"
        f"319900, in force from {LATER}:\n  no change\n"
        f"319900, in force from {LAST}:\n  no change\n"
    )
    assert rows(database, STORED) == after


def test_bad_entries_are_listed_by_position_field_and_reason_and_nothing_is_stored(
    run: Yibao, database: Database, tmp_path: Path
) -> None:
    yesterday = TODAY - timedelta(days=1)
    file = policies(
        tmp_path,
        entry("110000", SOON, arrears="block"),
        entry("110000", LATER, arrears="clerk", colour="red", disposition="keep", waiting={"months": 7, "weeks": 1}),
        entry("999999", SOON),
        entry("110000", SOON, connected=False),
        entry("319900", SOON, disposition=[{"to_province": "沪", "disposition": "retain"}], open_for="EMPLOYEE"),
        entry("319900", LATER, disposition=[{"to_province": "沪", "disposition": "retain"}]),
        {"code": 319900, "effective_from": "tomorrow", "policy": {}},
        entry("319900", LAST, shortened_periods={"DELIVER_INFORMATION_FORM": 16, "SLEEP": 1}),
        entry("319900", LAST + timedelta(1), shortened_periods={"DELIVER_INFORMATION_FORM": 16}),
        "a word",
        entry("440300", yesterday),
    )
    result = run("region", "load", file)
    provinces = result.output.partition("沪 is not allowed: ")[2].partition("\n")[0]
    assert provinces.startswith("北京市, 天津市, ")
    *listed, past = result.output.splitlines()
    steps = ", ".join(key for key in KEYS if key.startswith("shortened_periods."))
    waiting = ", ".join(key for key in KEYS if key.startswith("waiting."))
    parents = ", ".join(dict.fromkeys(key.partition(".")[0] for key in KEYS))
    assert listed == [
        "entry 2: policy.arrears: clerk is not allowed: warn or block",
        f"entry 2: policy.disposition.0.disposition: keep is not allowed: {KEYS['disposition'].allowed}",
        "entry 2: policy.waiting.months: 7 is not allowed: from 0 to 6",
        f"entry 2: policy.waiting.weeks: is no key of a policy; the keys are {waiting}",
        f"entry 2: policy.colour: is no key of a policy; the keys are {parents}",
        f"entry 3: code: 999999 is no pooling region of the directory on {SOON}",
        "entry 4: effective_from: entry 1 is of 110000 and this day already",
        f"entry 5: policy.open_for: EMPLOYEE is not allowed: {KEYS['open_for'].allowed}",
        f"entry 6: policy.disposition.0.to_province: 沪 is not allowed: {provinces}",
        "entry 7: code: Input should be a valid string",
        "entry 7: effective_from: Input should be a valid date in the format YYYY-MM-DD, input is too short",
        f"entry 8: policy.shortened_periods.SLEEP: is no key of a policy; the keys are {steps}",
        "entry 9: policy.shortened_periods: DELIVER_INFORMATION_FORM may be shortened to 1 … 15 working days, not 16",
        "entry 10: Input should be an object",
    ]
    assert past.startswith(f"entry 11: effective_from: {yesterday} is past: an edition takes effect today (")
    assert said(result) == "nothing was loaded: 15 errors in 11 entries"
    assert rows(database, STORED) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{}", '{file} must be a list of {{"code": …, "effective_from": …, "policy": {{…}}}}'),
        ("[", "{file} is not JSON: Expecting value: line 1 column 2 (char 1)"),
    ],
)
def test_a_file_that_is_no_list_of_policies_is_refused(run: Yibao, tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "policies.json"
    path.write_text(text, "utf-8")
    assert said(run("region", "load", str(path))) == line.format(file=path)


# ------------------------------------------------------------------ show and list


def test_a_policy_is_shown_with_where_each_value_comes_from_and_what_is_to_come(run: Yibao) -> None:
    run("region", "set", "110000", "arrears=block", "--from", str(SOON))
    run("region", "set", "110000", "shortened_periods.STOP_COVERAGE=3", "--from", str(LATER))
    run("region", "set", "110000", "arrears=default", "waiting.months=0", "--from", str(LAST))
    shown = run("region", "show", "110000", "--on", str(LATER)).output
    head, policy = shown.split(f"policy on {LATER}: edition 2 of {LATER}\n")
    assert head.startswith("110000 北京市 (北京市)\n  YB110000 北京市医疗保障事务中心, 010-12393001\n")
    lines = policy.splitlines()
    assert f"  arrears: block (edition 1 of {SOON})" in lines
    assert f"  shortened_periods.STOP_COVERAGE: 3 (edition 2 of {LATER})" in lines
    assert "  connected: yes (default)" in lines
    assert lines[-3:] == [
        f"to come on {LAST}: edition 3",
        "  arrears: block -> warn",
        "  waiting.months: 6 -> 0",
    ]


def test_a_policy_is_shown_to_programs(run: Yibao) -> None:
    run("region", "set", "110000", "arrears=block", "--from", str(SOON))
    run("region", "set", "110000", "connected=no", "--from", str(LATER))
    shown = json.loads(run("region", "show", "110000", "--on", str(SOON), "--json").output)
    assert (shown["code"], shown["on"]) == ("110000", str(SOON))
    assert shown["edition"] == {"number": 1, "effective_from": str(SOON)}
    assert shown["policy"] == RegionPolicy(arrears="block").model_dump(mode="json")
    assert {key: origin for key, origin in shown["origins"].items() if origin} == {"arrears": shown["edition"]}
    coming = RegionPolicy(arrears="block", connected=False).model_dump(mode="json")
    assert shown["to_come"] == [{"number": 2, "effective_from": str(LATER), "policy": coming}]


def test_what_is_shown_to_programs_can_be_loaded(run: Yibao, database: Database, tmp_path: Path) -> None:
    run("region", "set", "110000", f"disposition={TO_SHANGHAI}", "certificate_months=3", "--from", str(SOON))
    shown = json.loads(run("region", "show", "110000", "--on", str(SOON), "--json").output)
    run("region", "load", policies(tmp_path, entry("319900", SOON, **shown["policy"])))
    (first, second) = stored(database)
    assert (second[0], second[2]) == ("319900", first[2])


def test_the_regions_are_listed_and_those_that_are_not_connected(run: Yibao) -> None:
    run("region", "set", "110000", "connected=no", "--from", str(SOON))
    run("region", "set", "319900", "arrears=block", "--from", str(SOON))
    everywhere = run("region", "list", "--on", str(SOON)).output.splitlines()
    assert everywhere[0] == f"110000 北京市 (北京市): not connected, edition 1 of {SOON}"
    assert f"319900 上海市本级 (上海市): connected, edition 1 of {SOON}" in everywhere
    assert "440300 深圳市 (广东省): connected, default" in everywhere
    count = len(everywhere) - 1
    assert everywhere[-1] == f"{count} of {count} regions"
    assert run("region", "list", "--unconnected", "--on", str(SOON)).output == (
        f"110000 北京市 (北京市): not connected, edition 1 of {SOON}\n1 of {count} regions\n"
    )
    assert run("region", "list", "--unconnected").output == f"0 of {count} regions\n"


# ------------------------------------------------------------------ what is written about it


def test_the_table_of_keys_in_the_documentation_is_that_of_the_model() -> None:
    text = Path("docs/operating.md").read_text("utf-8")
    table = text.partition("| key | meaning | default | allowed |\n")[2].partition("\n\n")[0]
    _, *lines = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    assert all(meaning for _, meaning, _, _ in lines)
    told = {name.strip("`"): (default, allowed) for name, _, default, allowed in lines}
    assert told == {name: (key.default, key.allowed) for name, key in KEYS.items()}
    assert {name.partition(".")[0] for name in told} == set(RegionPolicy.model_fields)
