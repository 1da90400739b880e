"""Several requests in one, where later ones may use what earlier ones answered.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_composite.htm
"""

import re
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from accordant.connector.sandbox import Reply
from accordant.systems.salesforce.sandbox.resources import Ask, Resource
from accordant.systems.salesforce.sandbox.rows import Ambiguous, RowError, not_found
from accordant.systems.salesforce.sandbox.schema import Record
from accordant.systems.salesforce.sandbox.tables import Draft

MAX_REQUESTS = 25
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_ADDRESS = re.compile(r"/services/data/v(\d+\.\d)(/.*)")
_HALTED = RowError(
    "PROCESSING_HALTED",
    "The transaction was rolled back since another operation in the same transaction failed.",
)


class Composite:
    """Runs the subrequests of one composite request against one draft."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self._resources = [(resource, resource.pattern) for resource in resources]

    def answer(self, draft: Draft, body: Any) -> Reply:
        """The composite's own answer is 200 whatever its parts say."""
        asked = cast("dict[str, Any]", body if isinstance(body, dict) else {})
        parts = cast("list[dict[str, Any]]", asked.get("compositeRequest"))
        if not isinstance(parts, list) or not 0 < len(parts) <= MAX_REQUESTS:  # pyright: ignore[reportUnnecessaryIsInstance]
            message = f"compositeRequest must hold 1 to {MAX_REQUESTS} subrequests"
            raise RowError("INVALID_INPUT", message)
        answers: dict[str, Any] = {}
        replies = [self._part(draft, part, answers=answers) for part in parts]
        if asked.get("allOrNone") and any(reply.status >= 300 for reply in replies):
            draft.undo_all()
            replies = [reply if reply.status >= 300 else Reply(400, _HALTED.body) for reply in replies]
        return Reply(200, {"compositeResponse": [_shown(p, r) for p, r in zip(parts, replies, strict=True)]})

    def _part(self, draft: Draft, part: dict[str, Any], *, answers: dict[str, Any]) -> Reply:
        before = len(draft.changes)
        try:
            reply = self._dispatch(draft, _filled(part, answers))
        except Ambiguous as several:
            return several.reply("67.0")
        except RowError as refused:
            assert len(draft.changes) == before, "a refused subrequest staged something"  # noqa: S101
            return Reply(refused.status, refused.body)
        answers[str(part.get("referenceId"))] = reply.body
        return reply

    def _dispatch(self, draft: Draft, part: dict[str, Any]) -> Reply:
        url = urlsplit(str(part.get("url", "")))
        address = _ADDRESS.fullmatch(url.path)
        if address is None:
            raise not_found()
        for resource, pattern in self._resources:
            found = pattern.fullmatch(address[2]) if resource.method == part.get("method") else None
            if found is not None:
                ask = Ask(
                    draft=draft,
                    version=address[1],
                    params={name: unquote(value) for name, value in found.groupdict().items()},
                    query=dict(parse_qsl(url.query)),
                    body=part.get("body"),
                )
                return resource.answer(ask)
        raise not_found()


def _shown(part: dict[str, Any], reply: Reply) -> Record:
    return {
        "body": reply.body,
        "httpHeaders": dict(reply.headers),
        "httpStatusCode": reply.status,
        "referenceId": part.get("referenceId"),
    }


def _filled(value: Any, answers: dict[str, Any]) -> Any:
    """Every `@{reference.path}` replaced by what that subrequest answered."""
    if isinstance(value, dict):
        return {k: _filled(v, answers) for k, v in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_filled(item, answers) for item in cast("list[Any]", value)]
    if not isinstance(value, str) or "@{" not in value:
        return value
    whole = _REFERENCE.fullmatch(value)
    if whole is not None:
        return _looked_up(whole, answers)
    return _REFERENCE.sub(lambda found: str(_looked_up(found, answers)), value)


def _looked_up(found: "re.Match[str]", answers: dict[str, Any]) -> Any:
    here: Any = answers.get(found[1])
    for step in re.findall(r"\w+", found[2]):
        if isinstance(here, list):
            items = cast("list[Any]", here)
            here = items[int(step)] if step.isdigit() and int(step) < len(items) else None
        else:
            here = cast("dict[str, Any]", here).get(step) if isinstance(here, dict) else None
    if here is None:
        message = f"Invalid reference specified. No value for {found[1]}{found[2]} found in {found[1]}"
        raise RowError("PROCESSING_HALTED", message)
    return here
