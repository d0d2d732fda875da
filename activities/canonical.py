"""The one spelling of what is hashed: JSON with its keys sorted, in UTF-8, without white space."""

from collections.abc import Mapping
from typing import Any

import orjson


def spelled(document: Mapping[str, Any]) -> bytes:
    """The bytes of `document`: strings, whole numbers, truth values, null, lists and mappings, and nothing else."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
