"""Every fact travels as a CloudEvent with a known producer and an ordering key.

Source: CloudEvents 1.0.2, https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
"""

from typing import ClassVar

import msgspec


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, in canonical words. Subclasses are events, named in the past tense."""

    type: ClassVar[str]
    """CloudEvents type, such as `accordant.opportunity.won`."""
    version: ClassVar[int]
    """Version of the event's schema."""
    producer: ClassVar[str]
    """The role that alone may tell this fact: crm, billing, erp, support or accordant."""
    ordering_key: ClassVar[str]
    """JSON pointer to the id, within the fact, whose facts are handled in order."""

    def as_correction(self) -> "Fact":
        """The fact to tell when the same record says something else than before."""
        return self


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of a fact: CloudEvents attributes, and ours as extensions (lower case, letters and digits)."""

    id: str
    """Hash of tenant, source record, kind of fact and occurrence: the same fact told twice has the same id."""
    type: str
    source: str
    """Connection and record, such as `salesforce/Opportunity/006…`."""
    subject: str
    """The business id people search for, such as the opportunity id."""
    time_ms: int
    """When it happened at the source."""
    tenant: str
    producer: str
    orderingkey: str
    """Facts with the same key are handled in order: the lane."""
    sequence: str = ""
    """Position at the source, comparable as text within one source record; empty where the source has none."""
    correlationid: str
    dataschema: str
    data: msgspec.Raw

    def as_cloudevent(self) -> bytes:
        """The event in CloudEvents' structured JSON form."""
        from accordant.kernel.clock import utc_text

        body = msgspec.structs.asdict(self)
        body["time"] = utc_text(body.pop("time_ms"))
        return msgspec.json.encode({"specversion": "1.0", "datacontenttype": "application/json", **body})
