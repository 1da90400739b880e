"""Zendesk keeps a customer's entitlement where support agents see it."""

from accordant.connector.capabilities import Assumption, Connector, SandboxSeed
from accordant.systems.zendesk.client import API_VERSION, CAPABILITIES, connect, manners
from accordant.systems.zendesk.mapping import translate
from accordant.systems.zendesk.sandbox import API_TOKEN, EMAIL, WEBHOOK_SECRET
from accordant.systems.zendesk.webhooks import verify

__all__ = ["connector"]

connector = Connector(
    vendor="zendesk",
    role="support",
    api_version=API_VERSION,
    manners=manners,
    connect=connect,
    capabilities=CAPABILITIES,
    assumptions=(
        Assumption(
            about="organization_fields",
            assumed="custom fields that a write does not name keep their values; unknown keys are passed over silently",
        ),
        Assumption(about="organizations/show_many", assumed="it reads the database and sees a write at once"),
        Assumption(about="organizations/search, search", assumed="both read an index that may lag behind writes"),
        Assumption(about="Idempotency-Key", assumed="a ticket's key is remembered for two hours"),
        Assumption(about="offset paging", assumed="a page beyond the hundredth answers 400 InvalidPaginationDepth"),
        Assumption(about="error texts", assumed="wording of 400, 401, 409 and 429; codes of 404 and 422 are confirmed"),
        Assumption(
            about="webhook retries",
            assumed="409 and timeouts up to three times, 429 and 503 after Retry-After below 60 s; every attempt is "
            "signed anew; the delays in between, and 429 or 503 without Retry-After, are ours",
        ),
        Assumption(about="webhook circuit breaker", assumed="the sandbox has none; Zendesk pauses a failing webhook"),
        Assumption(about="event webhooks", assumed="a new organization tells `created` only, not its custom fields"),
        Assumption(about="custom_field_changed", assumed="`event` names the field by id, title and type"),
        Assumption(about="bulk jobs", assumed="they finish right after the answer; the limit of 30 jobs is not kept"),
    ),
    translate=translate,
    verify=verify,
    sandbox_seed=SandboxSeed(
        credentials={"email": EMAIL, "api_token": API_TOKEN},
        webhook_secrets=(WEBHOOK_SECRET,),
        options={},
    ),
)
