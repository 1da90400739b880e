"""Up to two hundred records in one request, each with its own result, together or each for itself.

Source: https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_composite_sobjects_collections.htm
"""

from collections.abc import Callable
from typing import Any

from accordant.systems.salesforce.sandbox import rows
from accordant.systems.salesforce.sandbox.rows import RowError
from accordant.systems.salesforce.sandbox.schema import SCHEMA, Record, SObject
from accordant.systems.salesforce.sandbox.tables import Draft

MAX_RECORDS = 200
_ROLLED_BACK = RowError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
    fields=(),
)


def create_all(draft: Draft, body: Any) -> list[Record]:
    """POST /composite/sobjects."""

    def one(record: Record) -> Record:
        return rows.created(rows.create(draft, _sobject_of(record), sent=record))

    return _each(draft, _records(body), one=one, together=_together(body))


def update_all(draft: Draft, body: Any) -> list[Record]:
    """PATCH /composite/sobjects: every record names its id."""

    def one(record: Record) -> Record:
        sobject = _sobject_of(record)
        values = {name: value for name, value in record.items() if name.lower() != "id"}
        record_id = next((value for name, value in record.items() if name.lower() == "id"), None)
        if not isinstance(record_id, str):
            raise RowError("MISSING_ARGUMENT", "Id not specified in an update call", fields=("Id",))
        found = _existing(draft, sobject, record_id=record_id)
        rows.update(draft, sobject, record=found, sent=values)
        return rows.created(found["Id"])

    return _each(draft, _records(body), one=one, together=_together(body))


def upsert_all(draft: Draft, sobject: SObject, *, field_word: str, body: Any) -> list[Record]:
    """PATCH /composite/sobjects/{type}/{external id field}: the values stand in the records."""
    field = sobject.lookup_field(field_word)
    if field is None:
        raise rows.not_found(f"Provided external ID field does not exist or is not accessible: {field_word}")

    def one(record: Record) -> Record:
        if _sobject_of(record) is not sobject:
            raise RowError("INVALID_TYPE", f"expected records of type {sobject.name}", fields=())
        sent = {name: value for name, value in record.items() if name.lower() != field.name.lower()}
        value = next((value for name, value in record.items() if name.lower() == field.name.lower()), None)
        if value is None and field.name == "Id":
            return rows.created(rows.create(draft, sobject, sent=sent), upsert=True)
        if value is None:
            raise RowError("MISSING_ARGUMENT", f"{field.name} not specified", fields=())
        record_id, is_new = rows.upsert(draft, sobject, field=field, named=(str(value), sent))
        return {**rows.created(record_id), "created": is_new}

    return _each(draft, _records(body), one=one, together=_together(body))


def delete_all(draft: Draft, ids: list[str], *, together: bool) -> list[Record]:
    """DELETE /composite/sobjects?ids=…: the id's first three characters say which object it is of."""
    _check_size(len(ids))
    prefixes = {sobject.prefix: sobject for sobject in SCHEMA.values()}

    def one(record_id: str) -> Record:
        sobject = prefixes.get(record_id[:3])
        if sobject is None:
            raise RowError("MALFORMED_ID", f"malformed id {record_id}", fields=())
        found = _existing(draft, sobject, record_id=record_id)
        draft.delete(sobject.name, found)
        return rows.created(found["Id"])

    return _each(draft, ids, one=one, together=together)


def _each(draft: Draft, items: list[Any], *, one: Callable[[Any], Record], together: bool) -> list[Record]:
    results: list[Record] = []
    for item in items:
        try:
            results.append(one(item))
        except RowError as refused:
            results.append(refused.result)
    if together and not all(result["success"] for result in results):
        draft.undo_all()
        return [_ROLLED_BACK.result if result["success"] else result for result in results]
    return results


def _existing(draft: Draft, sobject: SObject, *, record_id: str) -> Record:
    """As in a single call, but a collection says INVALID_CROSS_REFERENCE_KEY."""
    try:
        return rows.existing(draft, sobject, record_id=record_id)
    except RowError as missing:
        raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", fields=()) from missing


def _records(body: Any) -> list[Record]:
    records = body.get("records") if isinstance(body, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    if not isinstance(records, list) or not all(isinstance(r, dict) for r in records):  # pyright: ignore[reportUnknownVariableType]
        raise RowError("JSON_PARSER_ERROR", "records must be an array of objects")
    _check_size(len(records))  # pyright: ignore[reportUnknownArgumentType]
    return records  # pyright: ignore[reportUnknownVariableType]


def _check_size(count: int) -> None:
    if count > MAX_RECORDS:
        raise RowError("INVALID_BATCH_SIZE", f"record list size {count} exceeds the maximum of {MAX_RECORDS}")


def _together(body: Any) -> bool:
    return bool(body.get("allOrNone"))


def _sobject_of(record: Record) -> SObject:
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    sobject = SCHEMA.get(str(name))  # pyright: ignore[reportUnknownArgumentType]
    if sobject is None:
        raise RowError("INVALID_TYPE", f"sObject type '{name}' is not supported.", fields=())
    return sobject
