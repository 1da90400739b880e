"""What NetSuite says of its own accord."""

from accordant.backbone.message import Ignored, Message, Told


def translate(message: Message) -> list[Told] | Ignored:
    """NetSuite tells no facts that flows act on: it is asked, never listened to."""
    return Ignored(reason="unknown_type")
