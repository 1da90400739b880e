"""What the books' sandbox needs before business begins."""

from accordant.connector.capabilities import Record, World


def furnish(world: World) -> Record:
    """The body of the sandbox's `load`: our legal entities as subsidiaries, the catalogue as items."""
    return {
        "subsidiaries": [
            {"external_id": entity.code, "name": entity.code, "id": entity.erp_id} for entity in world.legal_entities
        ],
        "items": [{"external_id": one.product_id, "name": one.name} for one in (*world.products, *world.credit_items)],
    }
