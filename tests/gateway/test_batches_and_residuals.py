"""What the person reads of an order that waits for its batch, and of what follows a completed case, in both languages."""

import json
from collections.abc import AsyncIterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.contribution_load import load_contributions
from activities.people import person_by_id
from activities.reference import set_policy
from activities.residuals import ResidualSweep
from stack.why import read_case, screen
from tests.activities.contribution_feeds import contribution, feed
from tests.activities.desk import THURSDAY
from tests.cases import BEIJING
from tests.conftest import Database
from tests.gateway.test_commands import DELIVER, REMIT
from tests.gateway.test_stopped_clocks import morning, take
from tests.gateway.window import O_CLERK, O_FINANCE, Window, open_window
from workflows.policy import RegionPolicy
from workflows.words import Language

TOLD = """query ($no: TransferNo!) { transfer(no: $no) { progress { headline money }
  events(first: 50) { edges { node { kind message } } } } }"""


class NoTemporal:
    async def start_workflow(self, *_: object, **__: object) -> None:
        raise OSError("away")


@pytest.fixture
async def window(database: Database) -> AsyncIterator[Window]:
    async with open_window(database) as each:
        yield each


async def told(window: Window, language: Language) -> dict[str, Any]:
    transfer: dict[str, Any] = (await window.data(O_CLERK, TOLD, language=language, no=window.no))["transfer"]
    return transfer


async def swept(window: Window, folder: Path, at: datetime) -> None:
    desk = window.desk
    path = feed(folder, contribution(month="202512"))
    report = await load_contributions(desk.cases.database.owner_url, desk.cases.keyring, path, at=at)
    assert report.error_count == 0
    await ResidualSweep(desk.cases.worker_pool, NoTemporal(), desk.cases.keyring).sweep(at)  # type: ignore[arg-type]


async def _on_the_order(window: Window, reference: str) -> tuple[str | None, str | None]:
    """The batch and the releasing person on the paper of the order."""
    desk = window.desk
    state = await desk.state()
    row = await desk.row("select * from documents where kind = 'REMITTANCE_ORDER' and number = $1", reference)
    person = await person_by_id(desk.db, desk.cases.keyring, state.person_id)
    assert person is not None
    content = json.loads(person.data_key.open(row["content_sealed"], b"document"))
    return content.get("batch"), content.get("released_by")


async def test_an_order_of_a_monthly_region_says_on_which_day_it_goes(window: Window) -> None:
    await set_policy(window.desk.db, BEIJING, RegionPolicy(remittance_cycle="monthly:10"), date(2026, 1, 1))
    await window.desk.accepted()
    await take(window, "03-03", O_CLERK, DELIVER)
    await take(window, "03-04", O_FINANCE, REMIT)
    zh, en = await told(window, "zh-CN"), await told(window, "en")
    assert zh["progress"]["money"] == (
        "北京市已于2026年3月4日下达4,200.00元的划转指令，按当地划转周期将于2026年3月10日由银行划出。"
    )
    assert en["progress"]["money"] == (
        "北京市 ordered 4,200.00 yuan on 4 March 2026; by its cycle the bank sends them on 10 March 2026."
    )
    ordered = next(edge["node"]["message"] for edge in zh["events"]["edges"] if edge["node"]["kind"] == "FUNDS_ORDERED")
    assert ordered.endswith("按划转周期，2026年3月10日送达银行。")
    order = (await window.desk.state()).on_its_way
    assert order is not None
    assert await _on_the_order(window, order.reference) == ("2026-03-10", None)
    lines = screen(await read_case(window.desk.db, window.no, morning("03-04")), morning("03-04"))
    assert "  资金：已下达划转指令，冻结余额 4,200.00 元，按划转周期 2026-03-10 送达银行" in lines


async def test_a_late_contribution_of_a_monthly_region_says_its_amount_and_its_day(
    window: Window, tmp_path: Path
) -> None:
    await window.desk.completed()
    await set_policy(window.desk.db, BEIJING, RegionPolicy(remittance_cycle="monthly:10"), date(2026, 1, 1))
    window.now[0] = THURSDAY
    await swept(window, tmp_path, THURSDAY)
    zh, en = await told(window, "zh-CN"), await told(window, "en")
    assert zh["progress"]["money"] == (
        "原参保地北京市又到账一笔缴费12.50元，按当地划转周期将于2026年3月10日划转至上海市本级，无需您办理。"
    )
    assert en["progress"]["money"].startswith("北京市 received a late contribution of 12.50 yuan; by its cycle")
    late = next(
        edge["node"]["message"] for edge in en["events"]["edges"] if edge["node"]["kind"] == "LATE_CONTRIBUTION"
    )
    assert late == (
        "北京市 received your contribution for December 2025 late; its 12.50 yuan are being remitted to 上海市本级. "
        "The month counts in 上海市本级 already; you need do nothing."
    )


async def test_over_the_threshold_the_person_reads_that_the_agency_has_yet_to_remit_it(
    window: Window, tmp_path: Path
) -> None:
    await window.desk.completed()
    await set_policy(window.desk.db, BEIJING, RegionPolicy(release_threshold_fen=1_000), date(2026, 1, 1))
    window.now[0] = THURSDAY
    await swept(window, tmp_path, THURSDAY)
    assert (await told(window, "zh-CN"))["progress"]["money"] == (
        "原参保地北京市又到账一笔缴费12.50元，待北京市划转，无需您办理。"
    )
