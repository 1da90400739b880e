"""May this customer ask for support now?"""

from typing import TYPE_CHECKING

from litestar import get
from litestar.datastructures import State
from litestar.params import FromPath

from accordant.operations.entitlements import Eligibility

if TYPE_CHECKING:
    from accordant.wiring import Platform


@get("/v1/entitlements/{customer:str}")
async def entitlement(state: State, customer: FromPath[str]) -> Eligibility:
    platform: Platform = state["platform"]
    return await platform.entitlements.check(customer)
