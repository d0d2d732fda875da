"""The GraphiQL page, whole on this machine: its programs are served beside it and it asks no other address for anything."""

import json
from pathlib import Path
from string import Template
from typing import Final

from starlette.staticfiles import StaticFiles

STATIC_PATH: Final = "/static/graphiql"
# To be mounted at STATIC_PATH.
STATIC_APP: Final = StaticFiles(directory=Path(__file__).with_name("static") / "graphiql")

DEFAULT_QUERY: Final = """\
# 基本医疗保险关系转移接续 · GraphQL 接口
#
# 1. 签发令牌：.venv/bin/yibao token --role CLERK --region 319900
# 2. 把令牌粘贴到下方 Headers 的 "Bearer " 之后
# 3. 点击 ▶ 运行（Ctrl+Enter）；左上角可查阅接口文档
#
query Start {
  viewer {
    roles
    agency { name region { code name } }
  }
  poolingRegions(province: "上海市") { code name connected }
}
"""

# The browser itself keeps the page offline: nothing may be loaded from anywhere but here.
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
    "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'"
)
_PAGE: Final = Template("""\
<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>医保转移接续 · GraphiQL</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="$static/graphiql.min.css">
<style>html, body, #graphiql { height: 100%; margin: 0; }</style>
</head>
<body>
<div id="graphiql"></div>
<script type="application/json" id="graphiql-settings">$settings</script>
<script src="$static/react.production.min.js"></script>
<script src="$static/react-dom.production.min.js"></script>
<script src="$static/graphiql.min.js"></script>
<script src="$static/start.js"></script>
</body>
</html>
""")


def page(*, endpoint: str, subscription_url: str, default_query: str = DEFAULT_QUERY) -> str:
    """The HTML. Both addresses may be paths on this host; the second is spoken to as `graphql-transport-ws`."""
    settings = json.dumps(
        {"endpoint": endpoint, "subscriptionUrl": subscription_url, "defaultQuery": default_query}, ensure_ascii=False
    )
    return _PAGE.substitute(
        policy=CONTENT_SECURITY_POLICY,
        static=STATIC_PATH,
        # No text may close the script element that carries it.
        settings=settings.replace("<", "\\u003c"),
    )
