"""Says which member of a JSON document is meant, in the one notation that programs and people both read.

Source: RFC 6901, https://www.rfc-editor.org/rfc/rfc6901
"""

import re

_PLACE = re.compile(r" - at `\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_FIELD = re.compile(r"(?:unknown|required) field `(.*)`", re.DOTALL)
POINTER_MAX = 100


def escaped(key: str) -> str:
    """A key as one step of a pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def pointer_in(complaint: str) -> str:
    """The place that a complaint of the decoder names (`… - at `$.ids[0]`` becomes `/ids/0`), with the field it
    misses or does not know; cut to 100 characters.
    """
    place = _PLACE.search(complaint)
    steps = _STEP.findall(place[1]) if place else []
    field = _FIELD.search(complaint)
    if field:
        steps.append((field[1], ""))
    return "".join(f"/{escaped(name or number)}" for name, number in steps)[:POINTER_MAX]


def without_place(complaint: str) -> str:
    """The complaint alone, without the names it took from the document."""
    bare = _PLACE.sub("", complaint)
    return _FIELD.sub(lambda found: found[0].partition("`")[0].rstrip(), bare)
