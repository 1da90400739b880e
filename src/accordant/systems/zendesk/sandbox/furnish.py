"""What the support sandbox needs before business begins."""

from accordant.connector.capabilities import Record, World
from accordant.systems.zendesk.sandbox.ticket_fields import AGENTS_FIELDS


def furnish(world: World) -> Record:
    """The body of the sandbox's `load`: where events are sent, and the ticket fields in which agents ask and see."""
    webhook = {"endpoint": world.hook_url, "secret": world.webhook_secret}
    return {"webhooks": [webhook], "ticket_fields": list(AGENTS_FIELDS)}
