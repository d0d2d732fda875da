"""The GraphiQL page is whole without a network."""

import hashlib
import json
import re
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.routing import Mount

from gateway import graphiql

ASSETS = Path(graphiql.__file__).with_name("static") / "graphiql"


def _settings(page: str) -> dict[str, str]:
    found = re.search(r'<script type="application/json" id="graphiql-settings">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    settings: dict[str, str] = json.loads(found[1])
    return settings


def test_the_page_carries_its_settings_whatever_the_query_holds() -> None:
    query = '# </script><script>alert("1")</script> $x {{y}}\nquery { viewer { roles } }'
    page = graphiql.page(endpoint="/graphql", subscription_url="/graphql", default_query=query)
    assert _settings(page) == {"endpoint": "/graphql", "subscriptionUrl": "/graphql", "defaultQuery": query}


def test_the_page_starts_with_a_query_explained_in_chinese() -> None:
    query = _settings(graphiql.page(endpoint="/graphql", subscription_url="/graphql"))["defaultQuery"]
    assert query.startswith("# 基本医疗保险关系转移接续 · GraphQL 接口\n")
    assert "query Start {" in query


async def test_everything_the_page_loads_is_served_beside_it() -> None:
    page = graphiql.page(endpoint="/graphql", subscription_url="/graphql")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert loaded == [
        "data:,",
        "/static/graphiql/graphiql.min.css",
        "/static/graphiql/react.production.min.js",
        "/static/graphiql/react-dom.production.min.js",
        "/static/graphiql/graphiql.min.js",
        "/static/graphiql/start.js",
    ]
    app = Starlette(routes=[Mount(graphiql.STATIC_PATH, app=graphiql.STATIC_APP)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1") as client:
        for path in loaded[1:]:
            answer = await client.get(path)
            assert answer.status_code == 200, path
            assert len(answer.content) > 0


def test_the_browser_is_told_to_load_nothing_from_elsewhere() -> None:
    page = graphiql.page(endpoint="/graphql", subscription_url="/graphql")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'self'; ")
    assert "http:" not in page
    assert "https:" not in page


def test_the_vendored_files_are_those_the_readme_names() -> None:
    listed = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", (ASSETS / "README.md").read_text(), re.MULTILINE))
    found = [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(ASSETS.glob("*.min.*"))]
    assert found == list(listed)
    assert list(listed.values()) == [file.name for file in sorted(ASSETS.glob("*.min.*"))]
