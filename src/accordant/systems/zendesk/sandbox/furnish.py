"""What the support sandbox needs before business begins."""

from accordant.connector.capabilities import Record, World


def furnish(world: World) -> Record:
    """The body of the sandbox's `load`: where events are sent."""
    return {"webhooks": [{"endpoint": world.hook_url, "secret": world.webhook_secret}]}
