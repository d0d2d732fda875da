"""What both HTTP clients of the worker have in common: how a session is opened, and which answers are a yes."""

from http import HTTPStatus
from typing import Final

import aiohttp

# A redirection is none: nobody has agreed to where it leads.
SUCCESS: Final = range(HTTPStatus.OK, HTTPStatus.MULTIPLE_CHOICES)


def open_session(seconds: float) -> aiohttp.ClientSession:
    """A session whose requests take `seconds` at most, the whole of each. To be called where a loop runs; keeps no cookies."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=seconds), cookie_jar=aiohttp.DummyCookieJar())
