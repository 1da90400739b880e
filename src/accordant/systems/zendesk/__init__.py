"""Zendesk keeps a customer's entitlement where agents see it, and lets them ask for a credit on a ticket."""

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
        Assumption(
            about="organization.custom_field_changed", assumed="`event.field` names the field by id, title and type"
        ),
        Assumption(
            about="ticket.custom_field_changed",
            assumed="`event` holds `custom_field` with id, title and type, and `current` and `previous` with `value`: "
            "two programs that are not ours read it so; the page at hand names only what `detail` and `meta` hold",
        ),
        Assumption(
            about="ticket events",
            assumed="ids are text, an absent organization is null, empty or `0`, and status, priority and type are "
            "written large; read in any case",
        ),
        Assumption(about="ticket.created", assumed="fields filled in while creating are told one by one as changes"),
        Assumption(
            about="ticket custom_fields",
            assumed="a write keeps the fields it does not name, and its answer shows every active one; zeros at the "
            "end of a decimal may go; an empty value comes back as null or empty",
        ),
        Assumption(about="closed tickets", assumed="their refusal is 422 naming `status`, as recorded by others"),
        Assumption(
            about="API token", assumed="it signs in whichever agent's address stands before it, who then is the actor"
        ),
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
