"""Notices about mandates: written with the act, delivered once through the same port, and tried again until they are taken."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from activities.mandate_notices import MandateNotifier
from activities.notices import HttpNotices, Notifier, Tally
from stack.notice_board import notice_app
from stack.outside import outside_server
from tests.activities.desk import MONDAY, TUESDAY, Desk, open_desk, snapshot
from tests.activities.register_extracts import LI, WANG
from tests.activities.test_mandates import approve, confirm, enter, grant, revoke
from tests.cases import BEIJING
from tests.conftest import Database
from workflows.mandate_notices import MandateNotice, MandateNoticeKind

AT_ONCE_AGAIN = timedelta(0)


class Refusing:
    """A receiver that takes nothing, or breaks off."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.requests: list[list[str]] = []

    async def put(self, notices: Sequence[MandateNotice]) -> Mapping[str, str]:
        self.requests.append([each.kind for each in notices])
        if self._error is not None:
            raise self._error
        return dict.fromkeys((each.id for each in notices), "unknown mandate")


async def rows(desk: Desk) -> list[dict[str, Any]]:
    return [dict(row) for row in await desk.db.fetch("select * from mandate_notices order by created_at, kind")]


async def test_each_act_on_a_mandate_from_a_window_is_delivered_once_without_personal_data(
    database: Database, tmp_path: Path
) -> None:
    async with (
        open_desk(database) as desk,
        outside_server(notice_app(tmp_path)) as url,
        aclosing(HttpNotices(url)) as port,
    ):
        mandate_id = await enter(desk)
        notifier = MandateNotifier(desk.cases.worker_pool, port, first_wait=AT_ONCE_AGAIN)
        assert await notifier.deliver_due() == Tally(delivered=1)
        assert await notifier.deliver_due() == Tally()
        await approve(desk, mandate_id, MONDAY)
        await confirm(desk, mandate_id, MONDAY)
        await revoke(desk, mandate_id, TUESDAY)
        assert await notifier.deliver_due() == Tally(delivered=3)
        assert all(
            row["delivered_at"] and row["attempts"] == 1 and row["last_error"] is None for row in await rows(desk)
        )
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{url}/notices", params={"mandate": str(mandate_id)})
        kept = answer.raise_for_status().json()["notices"]
        starts = {each["kind"]: each["starts_at"] for each in kept}
        assert starts == {
            "mandate_entered": None,
            "mandate_approved": "2026-03-03T01:00:00Z",
            "mandate_confirmed": "2026-03-02T01:00:00Z",
            "mandate_revoked": "2026-03-02T01:00:00Z",
        }
        one = next(each for each in kept if each["kind"] == "mandate_entered")
        assert one.pop("received_at")
        assert one == {
            "mandate_id": str(mandate_id), "recipient": "person", "kind": "mandate_entered", "agency": f"agency:{BEIJING}",
            "starts_at": None, "times_received": 1,
        }  # fmt: skip
        assert not any(clear in answer.text for clear in (WANG, LI, "002X", "王", "SQ-1"))


async def test_a_mandate_that_a_person_gives_on_the_platform_is_no_news_to_them(database: Database) -> None:
    async with open_desk(database) as desk:
        await revoke(desk, await grant(desk), TUESDAY)
        assert await rows(desk) == []


async def test_an_act_carried_out_twice_or_repeated_tells_once(database: Database) -> None:
    async with open_desk(database) as desk:
        mandate_id = await enter(desk)
        order = await revoke(desk, mandate_id, MONDAY)
        after = await snapshot(desk.db)
        await desk.steps.carry_out_mandate(order)
        assert await snapshot(desk.db) == after
        await revoke(desk, mandate_id, TUESDAY)
        assert [row["kind"] for row in await rows(desk)] == ["mandate_entered", "mandate_revoked"]


@pytest.mark.parametrize(
    ("receiver", "said"),
    [(Refusing(), "unknown mandate"), (Refusing(OSError("away")), "OSError: away")],
    ids=["refuses", "is away"],
)
async def test_what_is_not_taken_is_tried_again_alone_and_stops_no_notice_about_a_transfer(
    database: Database, tmp_path: Path, receiver: Refusing, said: str
) -> None:
    async with open_desk(database) as desk:
        await desk.open()
        mandate_id = await enter(desk)
        await approve(desk, mandate_id, MONDAY)
        notifier = MandateNotifier(desk.cases.worker_pool, receiver, first_wait=AT_ONCE_AGAIN)
        assert await notifier.deliver_due() == Tally(failed=2)
        assert await notifier.deliver_due() == Tally(failed=2)
        both = ["mandate_approved", "mandate_entered"]
        assert [sorted(each) for each in receiver.requests] in ([both, both[:1], both[1:]], [both, both[1:], both[:1]])
        assert [(row["attempts"], row["last_error"], row["delivered_at"]) for row in await rows(desk)] == [(2, said, None)] * 2  # fmt: skip
        async with outside_server(notice_app(tmp_path)) as url, aclosing(HttpNotices(url)) as port:
            assert await Notifier(desk.cases.worker_pool, port).deliver_due() == Tally(delivered=3)
            assert await MandateNotifier(desk.cases.worker_pool, port).deliver_due() == Tally(delivered=2)
        assert {row["last_error"] for row in await rows(desk)} == {None}


async def test_a_failure_that_is_noted_late_takes_no_delivery_back(database: Database) -> None:
    async with open_desk(database) as desk:
        await enter(desk)
        pool = desk.cases.worker_pool

        class Taking:
            async def put(self, notices: Sequence[MandateNotice]) -> Mapping[str, str]:  # noqa: ARG002 - it takes whatever comes
                return {}

        class Overtaken(Refusing):
            async def put(self, notices: Sequence[MandateNotice]) -> Mapping[str, str]:
                # Another worker sends the same notice meanwhile, and the receiver takes it.
                assert await MandateNotifier(pool, Taking(), first_wait=AT_ONCE_AGAIN).deliver_due() == Tally(
                    delivered=1
                )
                return await super().put(notices)

        assert await MandateNotifier(pool, Overtaken(), first_wait=AT_ONCE_AGAIN).deliver_due() == Tally(failed=1)
        (row,) = await rows(desk)
        assert (row["delivered_at"] is not None, row["last_error"], row["attempts"]) == (True, None, 2)


async def test_the_next_attempt_waits(database: Database) -> None:
    async with open_desk(database) as desk:
        await enter(desk)
        notifier = MandateNotifier(desk.cases.worker_pool, Refusing())
        assert await notifier.deliver_due() == Tally(failed=1)
        assert await notifier.deliver_due() == Tally()
        wait = await desk.db.fetchval("select next_attempt_at - now() from mandate_notices")
        assert timedelta(seconds=5) < wait <= timedelta(seconds=10)


def test_a_notices_id_is_the_same_however_often_it_is_sent() -> None:
    given = {"mandate_id": UUID(int=1), "recipient": "person", "agency": f"agency:{BEIJING}"}
    notice = MandateNotice.model_validate(given | {"kind": MandateNoticeKind.ENTERED})
    assert notice.id == "00000000-0000-0000-0000-000000000001:mandate_entered:person"
