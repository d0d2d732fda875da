"""Stand-ins for the worker and the gateway, and `yibao up` with them: so that the supervisor is tested alone.

python stand_in.py worker | gateway
python stand_in.py up DATA_DIR PORT TEMPORAL_PORT TEMPORAL_UI_PORT POSTGRES_PORT
"""

import asyncio
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from starlette.applications import Starlette

from stack.errors import StackError
from stack.foreground import run_until_interrupted
from stack.up import Ports, Programs


class Gateway(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        environment = {name: value for name, value in os.environ.items() if name.startswith(("YIBAO_", "TEMPORAL_"))}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(environment).encode())

    def log_message(self, *_: object) -> None:
        return


def main() -> None:
    match sys.argv[1:]:
        case ["worker"]:
            signal.sigwait([signal.SIGTERM])
        case ["gateway"]:
            HTTPServer(("127.0.0.1", int(os.environ["YIBAO_PORT"])), Gateway).serve_forever()
        case ["up", data_dir, *ports]:
            programs = Programs(
                worker=(sys.executable, __file__, "worker"),
                gateway=(sys.executable, __file__, "gateway"),
                outside=lambda _: Starlette(),
            )
            try:
                asyncio.run(run_until_interrupted(Path(data_dir), Ports(*map(int, ports)), programs))
            except StackError as error:
                sys.exit(f"yibao: {error}")


if __name__ == "__main__":
    main()
