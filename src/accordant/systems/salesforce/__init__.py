"""Salesforce as the CRM: deals are polled from it, and each shows where it stands with the platform."""

from accordant.connector.capabilities import Assumption, Connector, SandboxSeed
from accordant.systems.salesforce.client import API_VERSION, CAPABILITIES, STREAMS, SalesforceClient, manners
from accordant.systems.salesforce.mapping import translate
from accordant.systems.salesforce.sandbox import CLIENT_ID, CLIENT_SECRET
from accordant.systems.salesforce.webhooks import verify

__all__ = ["connector"]

ASSUMPTIONS = (
    Assumption(
        about="A call over a limit",
        assumed="403 REQUEST_LIMIT_EXCEEDED names no time to come back; its message tells the daily limit "
        "(TotalRequests) from the cap on concurrent long calls.",
    ),
    Assumption(
        about="Concurrent long calls",
        assumed="The cap of 25 calls that run for 20 seconds or longer is not modelled: no call lasts that long here.",
    ),
    Assumption(
        about="Query pages",
        assumed="The rows of a query are fixed when its first page is answered; later pages show them as they were.",
    ),
    Assumption(
        about="Same update twice",
        assumed="An update that changes nothing still moves SystemModstamp.",
    ),
    Assumption(
        about="Clock ticks",
        assumed="SystemModstamp may have whole seconds only, so several changes may share one value.",
    ),
    Assumption(
        about="Typed fields",
        assumed="The sandbox keeps any text in Amount and CloseDate; a real organization types these fields and would "
        "hold such text in custom fields only.",
    ),
    Assumption(
        about="More than 200 records in one collection",
        assumed="400 INVALID_BATCH_SIZE; the documentation names the limit and not the code.",
    ),
)

connector = Connector(
    vendor="salesforce",
    role="crm",
    api_version=API_VERSION,
    manners=manners,
    connect=SalesforceClient,
    capabilities=CAPABILITIES,
    assumptions=ASSUMPTIONS,
    translate=translate,
    verify=verify,
    streams=STREAMS,
    sandbox_seed=SandboxSeed(credentials={"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}),
)
