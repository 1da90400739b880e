"""What Salesforce does with one record: creates, changes, upserts, deletes or refuses it."""

from typing import Any

from accordant.connector.sandbox import Reply
from accordant.kernel.clock import utc_text
from accordant.systems.salesforce.sandbox.native_ids import normalized
from accordant.systems.salesforce.sandbox.schema import SCHEMA, Field, Record, SObject
from accordant.systems.salesforce.sandbox.tables import Draft

RESOURCE_MISSING = "The requested resource does not exist"


class RowError(Exception):
    """The vendor's refusal of one record or query: its code, its sentence, the fields at fault."""

    def __init__(self, code: str, message: str, *, fields: tuple[str, ...] | None = None, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields
        self.status = status

    @property
    def body(self) -> list[Record]:
        """The error array of a single-record call."""
        said: Record = {"message": self.message, "errorCode": self.code}
        return [said if self.fields is None else {**said, "fields": list(self.fields)}]

    @property
    def result(self) -> Record:
        """The row of a collection call."""
        error = {"statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}
        return {"success": False, "errors": [error]}


def not_found(message: str = RESOURCE_MISSING) -> RowError:
    return RowError("NOT_FOUND", message, status=404)


def sobject_named(word: str) -> SObject:
    sobject = SCHEMA.get(word)
    if sobject is None:
        raise not_found()
    return sobject


def moment(stamp_ms: int) -> str:
    """A date-time as the REST API writes it: `2026-11-21T12:00:00.000+0000`."""
    return utc_text(stamp_ms).replace("Z", "+0000")


def reference_to(version: str, type_name: str, *, record_id: str) -> Record:
    return {"type": type_name, "url": f"/services/data/v{version}/sobjects/{type_name}/{record_id}"}


def shown(sobject: SObject, record: Record, *, version: str, names: list[str] | None = None) -> Record:
    """A record as GET answers it: every field, absent ones null."""
    answer: Record = {"attributes": reference_to(version, sobject.name, record_id=record["Id"])}
    for name in names if names is not None else sobject.fields:
        value = record.get(name)
        answer[name] = moment(value) if value is not None and sobject.fields[name].type == "datetime" else value
    return answer


def created(record_id: str, *, upsert: bool = False) -> Record:
    answer: Record = {"id": record_id, "success": True, "errors": []}
    return {**answer, "created": True} if upsert else answer


def existing(draft: Draft, sobject: SObject, *, record_id: str) -> Record:
    """The record of that id.

    Raises:
        RowError: NOT_FOUND.
    """
    proper = normalized(record_id)
    record = None if proper is None else draft.get(sobject.name, proper)
    if record is None:
        raise not_found()
    return record


def create(draft: Draft, sobject: SObject, *, sent: Record) -> str:
    """Stage a new record and return its id."""
    values = _accepted(draft, sobject, sent=sent, creating=True)
    missing = tuple(f.name for f in sobject.fields.values() if f.required and values.get(f.name) in (None, ""))
    if missing:
        raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", fields=missing)
    record_id = draft.database.new_id(sobject.name)
    kept = {name: value for name, value in values.items() if value is not None}
    draft.put(sobject.name, {"Id": record_id, **kept}, created=True)
    return record_id


def update(draft: Draft, sobject: SObject, *, record: Record, sent: Record) -> None:
    """Stage the record with what was sent; null empties a field."""
    values = _accepted(draft, sobject, sent=sent, creating=False)
    merged = {name: value for name, value in {**record, **values}.items() if value is not None}
    emptied = tuple(f.name for f in sobject.fields.values() if f.required and f.name in values and not values[f.name])
    if emptied:
        raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(emptied)}]", fields=emptied)
    draft.put(sobject.name, merged, created=False)


def upsert(draft: Draft, sobject: SObject, *, field: Field, named: tuple[str, Record]) -> tuple[str, bool]:
    """Create or update by a lookup field; `named` is its value and the other fields. Returns id and "was created".

    Raises:
        Ambiguous: several records carry the value.
    """
    value, sent = named
    if field.name == "Id":
        record = existing(draft, sobject, record_id=value)
        update(draft, sobject, record=record, sent=sent)
        return record["Id"], False
    matches = draft.find(sobject.name, field.name, value=value)
    if len(matches) > 1:
        raise Ambiguous(sobject, [record["Id"] for record in matches])
    if matches:
        update(draft, sobject, record=matches[0], sent=sent)
        return matches[0]["Id"], False
    return create(draft, sobject, sent={**sent, field.name: value}), True


class Ambiguous(RowError):
    """More than one record carries the external id: status 300 and their addresses."""

    def __init__(self, sobject: SObject, ids: list[str]) -> None:
        super().__init__("DUPLICATE_EXTERNAL_ID", f"duplicate external id field specified: {ids}", status=300)
        self.ids = ids
        self.sobject = sobject

    def reply(self, version: str) -> Reply:
        base = f"/services/data/v{version}/sobjects/{self.sobject.name}/"
        return Reply(300, [base + record_id for record_id in self.ids])


def _accepted(draft: Draft, sobject: SObject, *, sent: Record, creating: bool) -> Record:
    """The sent values under their proper names. Text is stored as it came: bad amounts and dates included."""
    values: Record = {}
    for word, value in sent.items():
        if word == "attributes":
            continue
        field = sobject.field(word)
        if field is None:
            raise RowError("INVALID_FIELD", f"No such column '{word}' on sobject of type {sobject.name}")
        if field.read_only or (field.create_only and not creating):
            raise RowError(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {field.name}. Please check the security settings of this field "
                "and verify that it is read/write for your profile or permission set.",
                fields=(field.name,),
            )
        values[field.name] = _checked(draft, field, value=value)
    return values


def _checked(draft: Draft, field: Field, *, value: Any) -> Any:
    if value is None or value == "":
        return None
    if field.to is not None:
        proper = normalized(value) if isinstance(value, str) else None
        if proper is None:
            message = f"{field.name}: id value of incorrect type: {value}"
            raise RowError("MALFORMED_ID", message, fields=(field.name,))
        if draft.get(field.to, proper) is None:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields=(field.name,))
        return proper
    if field.length and isinstance(value, str) and len(value) > field.length:
        shortened = value[:20]
        message = f"{field.name}: data value too large: {shortened} (max length={field.length})"
        raise RowError("STRING_TOO_LONG", message, fields=(field.name,))
    return value
