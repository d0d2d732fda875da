"""The progress query answered by hand: one statement, the gateway's token library and its server, and the JSON put together here.

What GraphQL costs is the difference. It knows the states that a transfer without trouble goes through, and no others.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import jwt
import orjson
import uvicorn
import uvloop

from activities.keyring import ENVIRONMENT_VARIABLE, Keyring
from activities.reference import RegionEntry, calendar_in_force, regions_on
from gateway.app import CONNECT_WITHIN_SECONDS, POOL_SIZE, STATEMENT_SECONDS
from stack.data_directory import DataDirectory
from stack.issuer import AUDIENCE, ISSUER
from workflows.deadlines import SHANGHAI
from workflows.law import INSTRUMENTS
from workflows.words import day, yuan
from workflows.words.zh import WORDS
from workflows.workdays import WorkingCalendar

QUERY: Final = """
query Progress($no: TransferNo!) { transfer(no: $no) {
  status
  steps { kind state label doneAt agency { name }
          deadline { dueOn workingDays remainingWorkingDays state legalBasis provisional } }
  progress { headline holder { name servicePhone } heldSince dueOn provisional money actions } } }
"""
SQL: Final = """
select t.state from transfers t
 where t.no = $1 and (t.person_id in (select person_id from persons where person_key = any($2::bytea[])))
"""
NOT_FOUND: Final = b'{"data":{"transfer":null}}'
Json = dict[str, Any]


class Endpoint:
    """One ASGI application. Its reference data are those of its start."""

    def __init__(self, pool: asyncpg.Pool, keyring: Keyring, key: jwt.PyJWK) -> None:
        self._pool = pool
        self._keyring = keyring
        self._key = key
        self._callers: dict[bytes, tuple[float, list[bytes]]] = {}
        self._regions: dict[str, RegionEntry] = {}
        self._calendar: WorkingCalendar | None = None

    async def start(self) -> None:
        async with self._pool.acquire() as connection:
            today = datetime.now(SHANGHAI).date()
            self._regions = await regions_on(connection, today)
            self._calendar = await calendar_in_force(connection, today)

    async def __call__(self, scope: Json, receive: Callable[[], Awaitable[Json]], send: Callable[[Json], Any]) -> None:
        authorization = next(value for name, value in scope["headers"] if name == b"authorization")
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        person_keys = self._person_keys(authorization)
        document = await self._pool.fetchval(SQL, orjson.loads(body)["variables"]["no"], person_keys)
        answer = self._answer(orjson.loads(document)) if document is not None else NOT_FOUND
        headers = [
            (b"content-type", b"application/json; charset=utf-8"),
            (b"content-length", str(len(answer)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    def _person_keys(self, authorization: bytes) -> list[bytes]:
        now = datetime.now(UTC).timestamp()
        known = self._callers.get(authorization)
        if known is None or known[0] <= now:
            token = authorization.partition(b" ")[2]
            claims = jwt.decode(token, self._key, algorithms=["EdDSA"], issuer=ISSUER, audience=AUDIENCE)
            known = self._callers[authorization] = claims["exp"], self._keyring.person_keys(claims["resident_id"])
        return known[1]

    def _answer(self, state: Json) -> bytes:
        now = datetime.now(SHANGHAI)
        steps = [self._step(step, now) for step in state["steps"]]
        open_steps = [step for step in state["steps"] if step["state"] == "OPEN"]
        current = min(open_steps, key=lambda step: (step["deadline"]["due_on"], step["kind"]), default=None)
        deadline = current["deadline"] if current else None
        status = state["status"]
        region = self._regions[state["to_region" if status == "TRANSFERRING_IN" else "from_region"]]
        holder = self._regions[current["region"]] if current else None
        progress = {
            "headline": WORDS[f"headline.{status}"].format(agency=region.agency_name),
            "holder": {"name": holder.agency_name, "servicePhone": holder.service_phone} if holder else None,
            "heldSince": _instant(current["opened_at"] if current else state["closed_at"]),
            "dueOn": deadline["due_on"] if deadline else None,
            "provisional": bool(deadline and deadline["provisional"]),
            "money": self._money(state),
            "actions": _actions(state),
        }
        return orjson.dumps({"data": {"transfer": {"status": status, "steps": steps, "progress": progress}}})

    def _step(self, step: Json, now: datetime) -> Json:
        return {
            "kind": step["kind"],
            "state": step["state"],
            "label": WORDS[f"step.{step['kind']}"],
            "doneAt": _instant(step["done_at"]) if step["done_at"] else None,
            "agency": {"name": self._regions[step["region"]].agency_name},
            "deadline": self._deadline(step, now) if step["deadline"] and step["state"] != "SKIPPED" else None,
        }

    def _deadline(self, step: Json, now: datetime) -> Json:
        assert self._calendar is not None
        deadline, done_at, remaining = step["deadline"], step["done_at"], None
        due_on = date.fromisoformat(deadline["due_on"])
        due_at = datetime(due_on.year, due_on.month, due_on.day, tzinfo=SHANGHAI) + timedelta(days=1)
        if done_at:
            state = "MET" if datetime.fromisoformat(done_at) < due_at else "MET_LATE"
        else:
            remaining = self._calendar.working_days_between(now.date(), due_on)
            today = now.date().isoformat()
            state = "OVERDUE" if now >= due_at else "DUE_SOON" if today >= deadline["due_soon_on"] else "ON_TRACK"
        basis = deadline["basis"]
        return {
            "dueOn": deadline["due_on"],
            "workingDays": deadline["working_days"],
            "remainingWorkingDays": remaining,
            "state": state,
            "legalBasis": WORDS.get(f"basis.{basis}") or INSTRUMENTS[basis],
            "provisional": deadline["provisional"],
        }

    def _money(self, state: Json) -> str:
        key = f"money.{state['funds_status']}"
        figures = {
            "transfer_out": self._regions[state["from_region"]].name,
            "transfer_in": self._regions[state["to_region"]].name,
        }
        done = {step["kind"]: step["done_at"] for step in state["steps"]}
        if state["remittances"]:
            order = state["remittances"][-1]
            figures["amount"] = yuan(order["amount_fen"])
            figures["ordered_on"] = _day(order["ordered_at"])
            if done["CONFIRM_RECEIPT"]:
                figures["credited_on"] = _day(done["CONFIRM_RECEIPT"])
        elif state["form"]:
            key = "money.PENDING.FROZEN"
            figures["amount"] = yuan(state["form"]["balance_fen"])
            figures["frozen_on"] = _day(done["DELIVER_INFORMATION_FORM"])
        return WORDS[key].format(**figures)


def _actions(state: Json) -> list[str]:
    """Until an agency has done a step the person may withdraw; the certificate is there in every state known here."""
    untouched = state["status"] == "TRANSFERRING_OUT"
    return ["WITHDRAW", "DOWNLOAD_DOCUMENTS"] if untouched else ["DOWNLOAD_DOCUMENTS"]


def _instant(text: str) -> str:
    return datetime.fromisoformat(text).astimezone(SHANGHAI).isoformat(timespec="seconds")


def _day(text: str) -> str:
    return day("zh-CN", datetime.fromisoformat(text).astimezone(SHANGHAI).date())


async def _keep_as_it_is(_connection: object) -> None:
    """As the gateway's pool: the round trip that would reset a connection is left out."""


async def _serve(data_dir: Path, port: int) -> None:
    directory = DataDirectory(data_dir)
    key = jwt.PyJWKSet.from_json((data_dir / "jwks.json").read_text("utf-8")).keys[0]
    address = urlsplit(directory.read_stack().postgres)
    pool = await asyncpg.create_pool(
        host=address.hostname,
        port=address.port,
        database=address.path.strip("/"),
        user="yibao_gateway",
        password=(data_dir / "yibao_gateway.password").read_text("utf-8").strip(),
        min_size=0,
        max_size=POOL_SIZE,
        timeout=CONNECT_WITHIN_SECONDS,
        command_timeout=STATEMENT_SECONDS,
        reset=_keep_as_it_is,
    )
    endpoint = Endpoint(pool, Keyring.from_environment({ENVIRONMENT_VARIABLE: str(directory.keyring)}), key)
    await endpoint.start()
    config = uvicorn.Config(
        endpoint, port=port, http="httptools", lifespan="off", access_log=False, log_config=None, server_header=False
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
    os._exit(0)
