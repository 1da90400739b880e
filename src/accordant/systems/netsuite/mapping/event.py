"""What NetSuite's polled rows tell."""

from accordant.backbone.message import Ignored, Message, Told
from accordant.systems.netsuite.mapping.holds import translate_hold

HOLDS = "customer hold"
"""Name of the stream of customers, polled for who is held."""


def translate(message: Message) -> list[Told] | Ignored:
    """The holds that people place and release; NetSuite tells nothing else that flows act on.

    Raises:
        Malformed: `netsuite.row`.
    """
    return translate_hold(message) if message.stream == HOLDS else Ignored(reason="unknown_type")
