"""The kit for offline doubles of vendor APIs: a vendor writes its manners, the kit brings faults, limits and a ledger.

A vendor sandbox subclasses `Sandbox`, names its routes and renders its own errors. A handler reads, decides and
returns either a `Reply` or a `Write`; it stores nothing itself, so that the kit can lose the answer after the write
or the write after the answer:

    class Acme(Sandbox):
        system = "billing"

        def __init__(self, kit: Kit) -> None:
            super().__init__(kit)
            self.customers = kit.store("customer", indexes={"ref": lambda record: record["ref"]})

        def routes(self) -> Iterable[Route]:
            yield Route("POST", "/v1/customers", "customer.create", self.create)
            yield Route("GET", "/v1/customers/{id}", "customer.get", self.get)

        def authenticate(self, call: Call) -> Problem | None:
            return None if call.headers.get("Authorization") == "Bearer k" else Problem("unauthenticated", 401)

        def render(self, problem: Problem) -> Reply:
            return Reply(problem.status, {"error": problem.kind}, retry_after(problem))

        async def create(self, call: Call) -> Write:
            record = {**call.json(), "id": f"cus_{self.kit.rng.getrandbits(64):x}"}
            change = Change(kind="customer", change="create", native_id=record["id"], body=record)
            return Write(Reply(201, record), (change,), apply=lambda: self.customers.put(record["id"], record))

        async def get(self, call: Call) -> Reply:
            record = self.customers.get(call.params["id"])
            return Reply(200, record) if record else self.render(Problem("not_found", 404))

        def load(self, data: Mapping[str, Any]) -> int:
            for record in data["customers"]:
                self.customers.put(record["id"], record)
            return len(data["customers"])

    if __name__ == "__main__":
        run(Acme, SandboxOptions.from_argv("billing"))

Rules for handlers: no `await` between reading a store and returning the `Write` (the commit follows at once, so nothing
slips in between); a stored record is never mutated, a new dict replaces it; ids and tokens come from `kit.rng`, time
from `kit.clock`.
"""

from accordant.connector.sandbox.clock import SandboxClock
from accordant.connector.sandbox.exchange import (
    Call,
    Change,
    Problem,
    Record,
    Refused,
    Reply,
    Route,
    Write,
    retry_after,
)
from accordant.connector.sandbox.faults import Fault, FaultPlan, month_end
from accordant.connector.sandbox.ledger import EffectLedger
from accordant.connector.sandbox.limits import Limit
from accordant.connector.sandbox.memo import KeyConflict, ReplyMemo
from accordant.connector.sandbox.pages import Page
from accordant.connector.sandbox.process import SandboxOptions, Serving, run, serve
from accordant.connector.sandbox.store import LaggedStore
from accordant.connector.sandbox.vendor import Kit, Sandbox
from accordant.connector.sandbox.webhooks import Delivery, RetryPolicy, WebhookSender

__all__ = [
    "Call",
    "Change",
    "Delivery",
    "EffectLedger",
    "Fault",
    "FaultPlan",
    "KeyConflict",
    "Kit",
    "LaggedStore",
    "Limit",
    "Page",
    "Problem",
    "Record",
    "Refused",
    "Reply",
    "ReplyMemo",
    "RetryPolicy",
    "Route",
    "Sandbox",
    "SandboxClock",
    "SandboxOptions",
    "Serving",
    "WebhookSender",
    "Write",
    "month_end",
    "retry_after",
    "run",
    "serve",
]
