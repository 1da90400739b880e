"""The operators' door: how the platform is, and the commands that change something, for whoever holds the token."""

from hmac import compare_digest
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from litestar import Litestar, get, post, put
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from sqlalchemy import Connection, select

from accordant.backbone.rows import exception_table
from accordant.experience.api import problems
from accordant.experience.api.approvals import decide
from accordant.experience.api.entitlements import entitlement
from accordant.experience.api.reading import BODY_MAX, AnyRequest, actor_of, read_body, refuse_hostile, shown
from accordant.experience.api.tie_out import tie_out_now
from accordant.governance.versions import RowTerms
from accordant.kernel.database.connection import durability
from accordant.kernel.dates import require_likely_ms
from accordant.kernel.errors import AccordantError, Malformed, Misconfigured, Refused, Unverified
from accordant.operations.progress import progress
from accordant.operations.replay import Planned, ReplayParts, Replays, Selection, preview

if TYPE_CHECKING:
    from accordant.wiring import Platform

_TOKEN_MIN = 16
AnyConnection = ASGIConnection[Any, Any, Any, Any]
Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """How the platform is at this moment."""

    status: str
    """ok, or failing: the process is about to end."""
    engine: str
    durability: str
    backlog: int
    driving: int
    estate_version: int


class ProgressNow(msgspec.Struct, frozen=True, kw_only=True):
    """How far everything has come."""

    inbox: dict[str, int]
    transactions: dict[str, int]
    open_exceptions: int
    effects_confirmed: int
    effects_unverified: int
    effects_in_flight: int
    driving: int


class Released(msgspec.Struct, frozen=True, kw_only=True):
    """How many open items were let go on."""

    released: int


class SettleRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person found in the system: the record, or nothing."""

    found: bool
    native_id: Text | None = None


class ReferenceRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Give a value the meaning of a target."""

    value: Text
    target: Text
    owner: Text | None = None
    reason: Annotated[str, msgspec.Meta(max_length=500)] = ""


class ReferenceSet(msgspec.Struct, frozen=True, kw_only=True):
    """The version of the estate in which it holds."""

    estate_version: int


class ReplayRequest(Selection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to replay, and whether only to show it."""

    ids: tuple[Text, ...] = ()
    preview: bool = False


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What was, or would be, done with each."""

    preview: bool
    items: tuple[Planned, ...]


@get("/v1/health")
async def health(state: State) -> Health:
    platform: Platform = state["platform"]
    found = await platform.database.read(progress)
    sentence = await platform.database.read(lambda _: durability(platform.database))
    return Health(
        status="failing" if platform.failed.is_set() else "ok",
        engine=platform.settings.engine,
        durability=sentence,
        backlog=found.backlog,
        driving=platform.engine.driving,
        estate_version=platform.estates.current().version,
    )


@get("/v1/progress")
async def how_far(state: State) -> ProgressNow:
    platform: Platform = state["platform"]
    found = await platform.database.read(progress)
    return ProgressNow(
        inbox=found.inbox,
        transactions=found.transactions,
        open_exceptions=found.open_exceptions,
        effects_confirmed=found.effects_confirmed,
        effects_unverified=found.effects_unverified,
        effects_in_flight=platform.ledger.in_flight,
        driving=platform.engine.driving,
    )


@post("/v1/exceptions/{exception_id:str}/retry", status_code=200)
async def retry(state: State, request: AnyRequest, *, exception_id: FromPath[str]) -> Released:
    platform: Platform = state["platform"]
    actor = actor_of(request)
    await _require_item(platform, exception_id)
    return Released(released=await platform.desk.retry(exception_id, actor=actor))


@post("/v1/exceptions/{exception_id:str}/settle", status_code=200)
async def settle(state: State, request: AnyRequest, *, exception_id: FromPath[str]) -> Released:
    platform: Platform = state["platform"]
    data = await read_body(request, SettleRequest)
    if data.found != bool(data.native_id):
        raise Malformed(
            "native_id does not fit found; expected found: true with the native_id, or found: false without one",
            code="settle.native_id",
            hint="send the id under which the system holds the record that was found",
            detail={"pointer": "/native_id"},
        )
    await _require_item(platform, exception_id)
    return Released(
        released=await platform.desk.settle(exception_id, native_id=data.native_id or "", actor=actor_of(request))
    )


@post("/v1/causes/{group:str}/release", status_code=200)
async def release(state: State, request: AnyRequest, *, group: FromPath[str]) -> Released:
    platform: Platform = state["platform"]
    actor = actor_of(request)
    if not await platform.database.read(lambda connection: _knows_cause(connection, group)):
        raise Refused(
            f"no exception ever had the cause {shown(group)}",
            code="cause.unknown",
            hint="list the causes with `accordant exception list`",
        )
    return Released(released=await platform.desk.release(group, actor=actor))


@put("/v1/reference/{table:str}")
async def set_reference(state: State, request: AnyRequest, *, table: FromPath[str]) -> ReferenceSet:
    platform: Platform = state["platform"]
    data = await read_body(request, ReferenceRequest)
    version = await platform.estates.set_reference(
        table,
        data.value,
        target=data.target,
        actor=actor_of(request),
        terms=RowTerms(owner=data.owner, reason=data.reason),
    )
    return ReferenceSet(estate_version=version)


@post("/v1/replay", status_code=200)
async def replay(state: State, request: AnyRequest) -> Replayed:
    platform: Platform = state["platform"]
    data = await read_body(request, ReplayRequest)
    for instant_ms in (data.since_ms, data.until_ms):
        if instant_ms is not None:
            require_likely_ms(instant_ms)
    actor, tenant = actor_of(request), platform.settings.tenant
    if data.preview:
        planned = await platform.database.read(lambda connection: preview(connection, data, tenant=tenant))
    else:
        parts = ReplayParts(
            database=platform.database,
            writer=platform.writer,
            clock=platform.clock,
            engine=platform.engine,
            reread=platform.pump.nudge,
        )
        planned = await Replays(parts).run(data, tenant=tenant, actor=actor)
    return Replayed(preview=data.preview, items=tuple(planned))


def create_app(platform: "Platform", token: str) -> Litestar:
    """The ASGI application. Raises Misconfigured for a token that is none: without one nobody may command."""
    if len(token) < _TOKEN_MIN or not token.isascii():
        raise Misconfigured(
            f"the command API has no usable token; expected at least {_TOKEN_MIN} ASCII characters",
            code="security.no_token",
        )

    def require_token(connection: AnyConnection, _: BaseRouteHandler) -> None:
        given = connection.headers.get("authorization", "")
        if not compare_digest(given.encode("utf-8", "replace"), f"Bearer {token}".encode()):
            raise Unverified(
                "the request does not carry the platform's token; expected `Authorization: Bearer <token>`",
                code="security.token",
                hint="the token stands in api.json of the state folder, readable by its owner",
            )

    return Litestar(
        route_handlers=[
            health,
            how_far,
            retry,
            settle,
            release,
            decide,
            entitlement,
            set_reference,
            replay,
            tie_out_now,
        ],
        guards=[require_token],
        before_request=refuse_hostile,
        exception_handlers={
            AccordantError: problems.of_error,
            HTTPException: problems.of_http,
            Exception: problems.of_defect,
        },
        state=State({"platform": platform}),
        openapi_config=None,
        logging_config=None,
        request_max_body_size=BODY_MAX,
    )


async def _require_item(platform: "Platform", exception_id: str) -> None:
    if not await platform.database.read(lambda connection: _knows_item(connection, exception_id)):
        raise Refused(
            f"there is no exception {shown(exception_id)}",
            code="exception.unknown",
            hint="list the open ones with `accordant exception list`",
        )


def _knows_item(connection: Connection, exception_id: str) -> bool:
    column = exception_table.c.exception_id
    return connection.execute(select(column).where(column == exception_id)).first() is not None


def _knows_cause(connection: Connection, group: str) -> bool:
    column = exception_table.c.cause_group
    return connection.execute(select(column).where(column == group).limit(1)).first() is not None
