"""The worker: every workflow and every activity of the system, on one task queue."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import uvloop
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, Worker

from activities.bank import Bank, HttpBank
from activities.database import open_pool
from activities.funds import send_to_bank
from activities.keyring import Keyring
from activities.steps import Steps
from activities.sweeper import Sweeper
from activities.temporal import connect
from activities.workflow_runner import ContextFreeRunner
from workflows import steps
from workflows.certificate import CertificateWorkflow
from workflows.messages import TASK_QUEUE, BankOrder
from workflows.transfer import TransferWorkflow

log = logging.getLogger(__name__)

WORKFLOWS = [TransferWorkflow, CertificateWorkflow]
AWAY_SECONDS = 1.0
# A case rests for days between two steps: only those in a burst of steps are worth their 150 kB each. The others are read
# again from their history, which is short.
CASES_KEPT_IN_MEMORY = 300


def activities(pool: asyncpg.Pool, keyring: Keyring, bank: Bank) -> list[Callable[..., Any]]:
    """Every activity of `workflows.steps`, bound to its database, keyring and bank."""
    taken = Steps(pool, keyring)

    async def through_the_bank(order: BankOrder) -> str:
        return await send_to_bank(pool, bank, order)

    bound: dict[steps.ActivityStep[Any, Any], Callable[[Any], Awaitable[Any]]] = {
        steps.OPEN_TRANSFER: taken.open_transfer,
        steps.ISSUE_CERTIFICATE: taken.issue_certificate,
        steps.NOTE_DEADLINES: taken.note_deadlines,
        steps.NOTE_BANK_TOOK_ORDER: taken.note_bank_took_order,
        steps.ISSUE_CERTIFICATE_ALONE: taken.issue_certificate_alone,
        steps.SEND_TO_BANK: through_the_bank,
    }
    bound |= dict.fromkeys(steps.ACTIONS.values(), taken.carry_out)
    return [_named(step, carry_out) for step, carry_out in bound.items()]


def _named(step: steps.ActivityStep[Any, Any], carry_out: Callable[[Any], Awaitable[Any]]) -> Callable[..., Any]:
    async def run(given: Any) -> Any:
        return await carry_out(given)

    # The converter reads the types of messages from here.
    run.__annotations__ = {"given": step.given, "return": step.answer}
    return activity.defn(name=step.name)(run)


def make_worker(
    client: Client, pool: asyncpg.Pool, keyring: Keyring, bank: Bank, *, task_queue: str = TASK_QUEUE, **options: Any
) -> Worker:
    """A worker of this system on `client`; `options` are those of `temporalio.worker.Worker`."""
    autoscaling = PollerBehaviorAutoscaling()
    tuning: dict[str, Any] = {
        "max_cached_workflows": CASES_KEPT_IN_MEMORY,
        "workflow_task_poller_behavior": autoscaling,
        "activity_task_poller_behavior": autoscaling,
    }
    return Worker(
        client,
        task_queue=task_queue,
        workflows=WORKFLOWS,
        workflow_runner=ContextFreeRunner(),
        activities=activities(pool, keyring, bank),
        **(tuning | options),
    )


async def run(environment: dict[str, str]) -> None:
    """Work until SIGTERM or SIGINT, then finish what is in hand. Waits for PostgreSQL and Temporal to be there."""
    keyring = Keyring.from_environment(environment)
    pool = await _patiently(lambda: open_pool(environment["YIBAO_DATABASE_URL"]), "PostgreSQL")
    client = await _patiently(lambda: connect(keyring), "Temporal")
    bank = HttpBank.from_environment(environment)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with make_worker(client, pool, keyring, bank):
        log.info("working on task queue %s", TASK_QUEUE)
        sweeping = asyncio.create_task(Sweeper(pool, client, Steps(pool, keyring)).run())
        await stopping.wait()
        sweeping.cancel()
    await bank.close()
    await pool.close()


async def _patiently(attempt: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Try until it is there: parts of the system start in any order, and one that is away comes back."""
    while True:
        try:
            return await attempt()
        except (OSError, RuntimeError, asyncpg.PostgresError) as error:
            log.warning("%s is not there yet: %s", what, error)
            await asyncio.sleep(AWAY_SECONDS)


def main() -> None:
    """`yibao worker`: configured by the environment. Exits by `os._exit`, which a Temporal client makes necessary."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    code = 1
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(dict(os.environ)))
        code = 0
    except KeyError as missing:
        log.error("%s is not set", missing.args[0])  # noqa: TRY400 - the line says all of it
    except Exception:
        log.exception("the worker failed")
    finally:
        logging.shutdown()
        os._exit(code)
