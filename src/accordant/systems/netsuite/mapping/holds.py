"""Translates a customer's credit hold between our words and NetSuite's.

What the form shows as *Hold* is two columns in the database, and one property over REST. A custom field of the customer
says that the hold is ours; whoever takes a hold of ours back by hand leaves the field as it is, and so says no to it.

SuiteTalk REST record v1 and SuiteQL, 2026.1. Sources:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_4103800262.html (the two columns)
https://www.netsuite.com/help/helpcenter/en_US/srbrowser/Browser2021_2/schema/record/customer.html (creditHoldOverride)
"""

from collections.abc import Mapping
from typing import Any, cast

import msgspec

from accordant.backbone.message import Ignored, Message, Told
from accordant.canonical.account import CreditHold, CreditHoldPlaced, CreditHoldReleased
from accordant.canonical.operation import Facts
from accordant.kernel.clock import parse_utc_ms, utc_text
from accordant.kernel.errors import Malformed
from accordant.kernel.ids import digest
from accordant.systems.netsuite.mapping.values import text_or_none

AUTO, ON, OFF = "AUTO", "ON", "OFF"
MARK = "custentity_accordant_hold"
"""A check box on customers that an administrator creates."""
COLUMNS = f"id, externalid, companyname, creditholdoverride, manualcredithold, {MARK}"
OUR_IDS = "customer-"
"""Canonical customer ids begin so."""


def hold_body(value: str, *, ours: bool) -> dict[str, Any]:
    """The two properties of a hold, and nothing beside them."""
    return {"creditHoldOverride": {"id": value}, MARK: ours}


def hold_expected(customer_id: str, value: str, /, *, ours: bool) -> Facts:
    return {"business_id": customer_id, "hold": value, "ours": "yes" if ours else "no"}


def hold_facts(row: Mapping[str, Any], **_: object) -> Facts:
    """The same, from a row of `customer`."""
    ours = "yes" if row.get(MARK) == "T" else "no"
    return {"business_id": text_or_none(row.get("externalid")), "hold": _value(row), "ours": ours}


def shown_hold(record: Mapping[str, Any]) -> CreditHold:
    """The hold that a customer shows over REST; a customer that shows none is not held."""
    said = record.get("creditHoldOverride")
    value = cast("Mapping[str, Any]", said).get("id") if isinstance(said, dict) else said
    return _hold(str(value or AUTO), is_ours=record.get(MARK) is True)


def translate_hold(message: Message) -> list[Told] | Ignored:
    """A hold that somebody placed, or released, by hand.

    Raises:
        Malformed: `netsuite.row`, the row is not what was asked for.
    """
    row = _row(message)
    customer = str(row["id"])
    if not (text_or_none(row.get("externalid")) or "").startswith(OUR_IDS):
        return Ignored(reason="not_ours")
    hold = _hold(_value(row), is_ours=row.get(MARK) == "T")
    if hold.is_on and hold.is_ours:
        return Ignored(reason="echo")
    at_ms = changed_ms(row)
    kind = CreditHoldPlaced if hold.is_on else CreditHoldReleased
    fact = kind(customer_source_id=customer, name=text_or_none(row.get("companyname")) or "", hold=hold)
    return [
        Told(
            fact=fact,
            source_record=f"{message.connection}/customer/{customer}#hold",
            subject=str(row["externalid"]),
            orderingkey=customer,
            happened_at_ms=at_ms,
            sequence=utc_text(at_ms),
            content=digest("hold", _value(row), str(hold.is_ours)),
            needs_earlier=not hold.is_on and not hold.is_waived,
        )
    ]


def changed_ms(row: Mapping[str, Any]) -> int:
    """When the customer was changed, from `YYYY-MM-DD HH:MM:SS` in UTC. Raises Malformed `netsuite.row`."""
    text = text_or_none(row.get("changed_at")) or ""
    try:
        return parse_utc_ms(text.replace(" ", "T") + "Z")
    except ValueError:
        raise _no_row(f"changed_at {text[:40]!r}") from None


def _hold(value: str, *, is_ours: bool) -> CreditHold:
    """Off is never held, whoever marked it; Auto with our mark is a hold of ours that somebody took back."""
    ours = is_ours and value != OFF
    return CreditHold(is_on=value == ON, is_ours=ours, is_waived=value == OFF or (ours and value == AUTO))


def _value(row: Mapping[str, Any]) -> str:
    if row.get("creditholdoverride") == "T":
        return OFF
    return ON if row.get("manualcredithold") == "T" else AUTO


def _row(message: Message) -> Mapping[str, Any]:
    try:
        row = msgspec.json.decode(message.body, type=dict[str, Any])
    except msgspec.DecodeError as wrong:
        raise _no_row(str(wrong)[:80]) from None
    if not str(row.get("id", "")).isdecimal():
        raise _no_row(f"id {str(row.get('id'))[:40]!r}")
    return row


def _no_row(what: str) -> Malformed:
    return Malformed(
        f"a polled customer of NetSuite has {what}; expected a row with an internal id and an instant",
        code="netsuite.row",
        hint="look the customer up in NetSuite; once its row can be read, replay the message",
        detail={"what": what},
    )
