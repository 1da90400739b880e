"""What the billing sandbox needs before business begins."""

from accordant.connector.capabilities import Record, World


def furnish(world: World) -> Record:
    """The body of the sandbox's `load`: the catalogue, and where events are sent."""
    return {
        "products": [{"id": product.product_id, "name": product.name} for product in world.products],
        "webhook_endpoints": [{"url": world.hook_url, "secret": world.webhook_secret}],
    }
