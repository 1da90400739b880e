"""Giving an answer to what waits for somebody's word."""

from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar import post
from litestar.datastructures import State
from litestar.params import FromPath

from accordant.experience.api.reading import AnyRequest, actor_of, read_body
from accordant.operations.approvals import Verdict

if TYPE_CHECKING:
    from accordant.wiring import Platform


class DecideRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Yes or no, and why."""

    approve: bool
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The answer as it is kept."""

    approval_id: str
    verdict: str
    actor: str


@post("/v1/approvals/{approval_id:str}/decide", status_code=200)
async def decide(state: State, request: AnyRequest, *, approval_id: FromPath[str]) -> Decided:
    platform: Platform = state["platform"]
    data = await read_body(request, DecideRequest)
    verdict = Verdict(approve=data.approve, actor=actor_of(request), note=data.note)
    kept = await platform.approvals.decide(approval_id, verdict)
    return Decided(approval_id=kept.approval_id, verdict=kept.verdict, actor=kept.actor)
