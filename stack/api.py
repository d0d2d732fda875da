"""A caller of the public API: GraphQL over HTTP with a bearer token, and progress over server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx

from stack.errors import StackError


class ApiError(StackError):
    """The gateway answered with a top-level error, or not with GraphQL at all."""


class Api:
    """One caller. `token` is a bearer token; answers are in `language`."""

    def __init__(self, gateway: str, token: str, *, language: str = "zh-CN") -> None:
        headers = {"authorization": f"Bearer {token}", "accept-language": language}
        # The gateway of a local stack is on this machine: no proxy stands between.
        self._client = httpx.AsyncClient(base_url=gateway, headers=headers, timeout=20.0, trust_env=False)

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of one operation. Raises `ApiError`."""
        try:
            answer = await self._client.post("/graphql", json={"query": document, "variables": variables})
        except httpx.HTTPError as error:
            raise ApiError(f"the gateway does not answer: {error}") from error
        body = answer.json()
        if body.get("errors"):
            raise ApiError("; ".join(error["message"] for error in body["errors"]))
        data: dict[str, Any] = body["data"]
        return data

    async def do(self, mutation: str, **variables: Any) -> dict[str, Any]:
        """The payload of one mutation; while it is recorded but pending, the same is asked again.

        Raises `ApiError` with the message when the answer is another error member of the union.
        """
        while True:
            (payload,) = (await self.ask(mutation, **variables)).values()
            if payload["__typename"] == "StepPending":
                await asyncio.sleep(payload["retryAfterSeconds"])
                continue
            if not payload["__typename"].endswith("Payload"):
                faults = [f"{each['path'][-1]}: {each['message']}" for each in payload.get("violations", ())]
                raise ApiError(f"{payload['__typename']}: {'; '.join(faults) or payload['message']}")
            result: dict[str, Any] = payload
            return result

    async def listen(self, subscription: str, **variables: Any) -> AsyncIterator[dict[str, Any]]:
        """The data of each event of a subscription, until it completes. Raises `ApiError`."""
        request = {"query": subscription, "variables": variables}
        headers = {"accept": "text/event-stream"}
        async with self._client.stream("POST", "/graphql", json=request, headers=headers, timeout=None) as answer:
            kind = ""
            async for line in answer.aiter_lines():
                if line.startswith("event:"):
                    kind = line.removeprefix("event:").strip()
                elif line.startswith("data:") and kind == "next":
                    body = json.loads(line.removeprefix("data:"))
                    if body.get("errors"):
                        raise ApiError("; ".join(error["message"] for error in body["errors"]))
                    yield body["data"]
                if kind == "complete":
                    return

    async def download(self, url: str) -> bytes:
        """What a signed link leads to. Raises `httpx.HTTPStatusError`."""
        answer = await self._client.get(url)
        answer.raise_for_status()
        return answer.content

    async def close(self) -> None:
        await self._client.aclose()
