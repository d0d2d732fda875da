"""`yibao demo`: one transfer carried to 已办结 before the reader's eyes, and one whose agency sits still."""

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import click
import httpx

from activities.keyring import ENVIRONMENT_VARIABLE, Keyring
from activities.register_load import load_register, today_in_shanghai
from activities.temporal import connect
from stack.api import Api
from stack.data_directory import DataDirectory, StackInfo
from stack.errors import StackError
from stack.foreground import interrupts_cancel
from stack.issuer import DevelopmentIssuer
from stack.sandbox import Desk
from stack.temporal import skip_time
from stack.up import Ports, local_stack
from workflows.identity import check_digit
from workflows.messages import workflow_id
from workflows.vocabulary import Role

BEIJING, SHANGHAI = "110000", "319900"
SUBMIT = """
mutation Submit($input: SubmitTransferInput!) { submitTransfer(input: $input) {
  __typename ... on UserError { message } ... on StepPending { retryAfterSeconds }
  ... on NotEligible { findings { code message fix } }
  ... on SubmitTransferPayload { transfer { id no } } } }
"""
PROGRESS = """
subscription Progress($id: ID!) { transferProgress(transferId: $id) {
  seq kind step message occurredAt
  transfer { steps { kind state label doneAt agency { name } deadline { dueOn workingDays legalBasis provisional } } } } }
"""
READ = """
query Read($no: TransferNo!) { transfer(no: $no) {
  status progress { headline money dueOn holder { name } }
  documents { kind number downloadUrl void } } }
"""
TOLD = """
query Told($no: TransferNo!) { transfer(no: $no) { notices { kind label recipient deliveredAt } } }
"""
CLOSING = {"COMPLETED", "DECLINED", "WITHDRAWN", "TERMINATED"}
# Long enough to read a line, short enough to stay.
PACE_SECONDS = 0.7
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Person:
    """A synthetic person: nobody has this number."""

    name: str
    resident_id: str


async def run_demo(data_dir: Path, ports: Ports, *, leave: bool) -> None:
    """Show both transfers on the stack of `data_dir`, started here unless it runs; then stay, unless `leave`.

    Raises `StackError` when the first transfer does not come to its end.
    """
    with interrupts_cancel(), contextlib.suppress(asyncio.CancelledError):
        async with _running(data_dir, ports) as info:
            show = Show(data_dir, info)
            try:
                await asyncio.wait_for(show.first(), PATIENCE_SECONDS)
                await asyncio.wait_for(show.second(), PATIENCE_SECONDS)
                show.where_to_look()
            except TimeoutError:
                raise StackError(f"the transfer did not come to its end in {PATIENCE_SECONDS:.0f} s") from None
            finally:
                await show.close()
            if not leave:
                click.echo("\nCtrl-C stops it.")
                await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def _running(data_dir: Path, ports: Ports) -> AsyncIterator[StackInfo]:
    """The stack that runs on `data_dir`, or one of our own."""
    info = await _answering(data_dir)
    if info is not None:
        yield info
        return
    click.echo("启动整套系统：PostgreSQL、Temporal、工作进程、网关 ……")
    async with local_stack(data_dir, ports, click.echo) as own:
        yield own


async def _answering(data_dir: Path) -> StackInfo | None:
    """The stack of `data_dir` if one runs there and is ready."""
    try:
        info = DataDirectory(data_dir).read_stack()
        async with httpx.AsyncClient(trust_env=False) as client:
            (await client.get(f"{info.gateway}/readyz")).raise_for_status()
    except (StackError, httpx.HTTPError):
        return None
    return info


class Show:
    def __init__(self, data_dir: Path, info: StackInfo) -> None:
        self._data_dir = data_dir
        self._info = info
        self._issuer = DevelopmentIssuer.of(data_dir, make=False)
        self._keyring = Keyring.from_environment({ENVIRONMENT_VARIABLE: str(DataDirectory(data_dir).keyring)})
        self._today = today_in_shanghai()
        self._open: list[Api] = []
        self._no = ""
        self._person_token = ""

    async def first(self) -> None:
        """From application to 已办结, in front of the reader."""
        person = _synthetic_person("林晓舟")
        _title(f"一、{person.name}（虚构）从北京市（{BEIJING}）转往上海市本级（{SHANGHAI}），参保未停，申请一站式联办")
        await self._registers(person, active=True)
        caller, transfer = await self._submit(person, request_stop=True)
        self._no = transfer["no"]
        desks = [
            self._desk(Role.CLERK, BEIJING),
            self._desk(Role.FINANCE, BEIJING),
            self._desk(Role.CLERK, SHANGHAI),
            self._desk(Role.FINANCE, SHANGHAI),
        ]
        try:
            async with asyncio.TaskGroup() as together:
                # Should an agency fail at its work, the group ends the waiting too.
                agencies = together.create_task(self._work(desks))
                async for event in caller.listen(PROGRESS, id=transfer["id"]):
                    _line(event["transferProgress"])
                agencies.cancel()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        read = (await caller.ask(READ, no=self._no))["transfer"]
        if read["status"] != "COMPLETED":
            raise StackError(f"the transfer ended {read['status']}")
        click.echo(f"\n  本人看到：{read['progress']['headline']}\n            {read['progress']['money']}")
        await self._save_documents(caller, read["documents"])

    async def second(self) -> None:
        """An agency that sits still: what the clocks say, and who is told."""
        person = _synthetic_person("周砚秋")
        _title(f"二、{person.name}（虚构）同样转往上海，但北京经办机构一直没有办理：服务器时钟快进四十天")
        await self._registers(person, active=False)
        caller, transfer = await self._submit(person, request_stop=False)
        client = await connect(self._keyring, target_host=self._info.temporal)
        seen = asyncio.Event()

        async def watch() -> None:
            async for event in caller.listen(PROGRESS, id=transfer["id"]):
                _line(event["transferProgress"])
                if event["transferProgress"]["kind"] == "DEADLINE_MISSED":
                    seen.set()
                    return

        watching = asyncio.create_task(watch())
        await asyncio.sleep(PACE_SECONDS)
        await skip_time(client, workflow_id(transfer["no"]), timedelta(days=40))
        await watching
        read = (await caller.ask(READ, no=transfer["no"]))["transfer"]
        click.echo(f"\n  本人看到：{read['progress']['headline']}")
        await self._who_was_told(transfer["no"])

    async def _who_was_told(self, no: str) -> None:
        """Every notice of the case, once all of them have reached the sandbox's receiver."""
        operator = self._api(self._issuer.token(Role.OPERATOR))
        while True:
            notices = (await operator.ask(TOLD, no=no))["transfer"]["notices"]
            missed = any(each["kind"] == "DEADLINE_MISSED" for each in notices)
            if missed and all(each["deliveredAt"] for each in notices):
                break
            await asyncio.sleep(PACE_SECONDS / 2)
        click.echo(f"\n  谁被告知（接收方：{self._info.notices}?transfer={no}）")
        for each in notices:
            click.echo(f"    {each['deliveredAt'][:19].replace('T', ' ')} {each['label']} → {each['recipient']}")

    def where_to_look(self) -> None:
        """What the reader does next."""
        flag = "" if self._data_dir == Path(".yibao") else f" --data-dir {self._data_dir}"
        _title("接下来看哪里")
        click.echo(f"  Temporal UI  {self._info.temporal_ui}/namespaces/default/workflows/{workflow_id(self._no)}")
        click.echo(f"  GraphiQL     {self._info.gateway}/graphql   （Headers 里贴入下面一行）")
        click.echo(f'  {{"Authorization": "Bearer {self._person_token}"}}')
        click.echo(f"  案件一屏     .venv/bin/yibao why {self._no}{flag}")

    async def close(self) -> None:
        for api in self._open:
            await api.close()

    async def _submit(self, person: Person, *, request_stop: bool) -> tuple[Api, dict[str, Any]]:
        token = self._issuer.token(Role.INSURED_PERSON, resident_id=person.resident_id)
        self._person_token = self._person_token or token
        caller = self._api(token)
        payload = await caller.do(
            SUBMIT,
            input={
                "idempotencyKey": f"demo-{secrets.token_hex(12)}",
                "fromRegion": BEIJING,
                "toRegion": SHANGHAI,
                "fromScheme": "EMPLOYEE",
                "toScheme": "EMPLOYEE",
                "requestStop": request_stop,
            },
        )
        click.echo(f"  编号 {payload['transfer']['no']}\n")
        return caller, payload["transfer"]

    async def _work(self, desks: list[Desk]) -> None:
        while True:
            for desk in desks:
                await asyncio.sleep(PACE_SECONDS / 2)
                await desk.work(only=self._no)

    def _desk(self, role: Role, region: str) -> Desk:
        return Desk(self._api(self._issuer.token(role, region=region)), self._today)

    def _api(self, token: str) -> Api:
        api = Api(self._info.gateway, token)
        self._open.append(api)
        return api

    async def _registers(self, person: Person, *, active: bool) -> None:
        """What both agencies' core systems know of the person, as extracts of their registers."""
        with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8") as file:
            file.write(_extract(person, self._today, active=active))
            file.flush()
            report = await load_register(self._info.postgres, self._keyring, Path(file.name))
        if report.error_count:
            raise StackError(f"the demo's register extract is refused: {report.errors[0]}")

    async def _save_documents(self, caller: Api, documents: list[dict[str, Any]]) -> None:
        folder = self._data_dir / "demo"
        # They show the person's number in full.
        folder.mkdir(mode=0o700, exist_ok=True)
        for document in documents:
            path = folder / f"{document['kind'].lower()}-{document['number']}.pdf"
            path.write_bytes(await caller.download(document["downloadUrl"]))
            click.echo(f"  文件       {path}")


def _title(text: str) -> None:
    click.echo(f"\n{click.style(text, bold=True)}")


def _line(event: dict[str, Any]) -> None:
    """One event: when, what, and for a step who holds it, under which law, and by when."""
    mark = {"STEP_OPENED": "▶", "STEP_DONE": "✔", "DEADLINE_DUE_SOON": "!", "DEADLINE_MISSED": "‼"}
    step = next((each for each in reversed(event["transfer"]["steps"]) if each["kind"] == event["step"]), None)
    click.echo(f"  {event['occurredAt'][:16].replace('T', ' ')} {mark.get(event['kind'], '·')} {event['message']}")
    if event["kind"] == "STEP_OPENED" and step and step["deadline"]:
        deadline = step["deadline"]
        provisional = "（暂定）" if deadline["provisional"] else ""
        click.echo(
            f"                     {step['label']}｜{step['agency']['name']}｜{deadline['workingDays']} 个工作日"
            f"｜{deadline['legalBasis']}｜至 {deadline['dueOn']}{provisional}"
        )


def _synthetic_person(name: str) -> Person:
    born = date(1970, 1, 1) + timedelta(days=secrets.randbelow(11_000))
    first = f"110101{born:%Y%m%d}{secrets.randbelow(1000):03d}"
    return Person(name, first + check_digit(first))


def _extract(person: Person, today: date, *, active: bool) -> str:
    month = f"{today:%Y%m}"
    before = today.replace(day=1) - timedelta(days=1)
    status, stopped = ("ACTIVE", "") if active else ("STOPPED", before.isoformat())
    months = f"d201001-201406;201407-{before:%Y%m}"
    return "\n".join(
        [
            "resident_id,name,region,scheme,status,stopped_on,enrolled_on,personal_account_fen,contribution_months",
            f"{person.resident_id},{person.name},{BEIJING},EMPLOYEE,{status},{stopped},2014-07-01,864205,{months}",
            f"{person.resident_id},{person.name},{SHANGHAI},EMPLOYEE,ACTIVE,,{today.replace(day=1)},0,{month}-{month}",
            "",
        ]
    )
