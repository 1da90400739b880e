"""What Salesforce's records mean to us, and our words for what we show on them: one module a noun, one row a stream.

API version 67.0; each noun's module names its source.
"""

from collections.abc import Callable, Mapping

from accordant.backbone.message import Ignored, Message, Told
from accordant.systems.salesforce.mapping import customer, opportunity

__all__ = ["STREAM", "translate"]

STREAM = opportunity.STREAM
_MEANING: Mapping[str, Callable[[Message], list[Told] | Ignored]] = {
    STREAM: opportunity.told,
    customer.STREAM: customer.told,
}
"""How the rows of each polled stream are read."""


def translate(message: Message) -> list[Told] | Ignored:
    """The facts that one polled row tells.

    Raises:
        Malformed: with `detail` naming the record, the field, its value and what was expected. Codes: those of the
            stream's noun.
    """
    read = _MEANING.get(message.stream)
    return Ignored(reason="unknown_type") if read is None else read(message)
