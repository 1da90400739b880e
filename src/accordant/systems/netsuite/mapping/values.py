"""What all records share: ids, references, currencies and amounts, which stay exact decimals.

SuiteTalk REST record v1 and SuiteQL, 2026.1. Source:
https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_156334828635.html (external ids)
"""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from accordant.canonical.operation import Facts
from accordant.kernel.errors import Malformed, Unmapped
from accordant.kernel.money import exponent

CUSTOM_PRICE = {"id": "-1"}
"""The price level that lets a line carry its own amount."""
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_INTERNAL_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_PLAIN_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,8})?", re.ASCII)


class Currencies(msgspec.Struct, frozen=True):
    """ISO 4217 codes and the account's internal ids for them, from the connection's option `currency_ids`."""

    id_by_code: Mapping[str, str]
    code_by_id: Mapping[str, str]

    @classmethod
    def read(cls, option: Mapping[str, Any]) -> "Currencies":
        by_code = {str(code): str(number) for code, number in option.items()}
        return cls(by_code, {number: code for code, number in by_code.items()})

    def reference(self, code: str) -> dict[str, str]:
        """NetSuite's reference to a currency.

        Raises:
            Unmapped: the option names no internal id for it.
        """
        if code not in self.id_by_code:
            raise Unmapped(
                f"currency {code} has no internal id of NetSuite; expected it in the option currency_ids",
                code="netsuite.currency_unmapped",
                hint="add the currency with NetSuite's number for it to currency_ids of the connection, then retry",
                detail={"table": "currency_ids", "value": code, "candidates": sorted(self.id_by_code)},
            )
        return {"id": self.id_by_code[code]}


def eid(business_id: str) -> str:
    """Our id as NetSuite takes it in an address.

    Raises:
        Malformed: external ids in addresses are letters, digits, underscores and hyphens.
    """
    if not _EXTERNAL_ID.fullmatch(business_id):
        raise Malformed(
            f"{business_id[:60]!r} cannot be an external id in NetSuite; expected letters, digits, _ and -",
            code="netsuite.external_id",
            hint="report it: ids made here have no other characters",
        )
    return f"eid:{business_id}"


def reference(code: str) -> dict[str, str]:
    """A reference as our reference tables write it: digits are an internal id, anything else an external id."""
    return {"id": code} if _INTERNAL_ID.fullmatch(code) else {"externalId": code}


def amount_minor(value: object, currency: str | None) -> int:
    """An amount of NetSuite, text or number, in the currency's smallest unit.

    Raises:
        Malformed: not a plain decimal, or finer than the currency's smallest unit.
    """
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    text = value if isinstance(value, str) else format(value, "f") if is_number else ""
    if not _PLAIN_DECIMAL.fullmatch(text):
        raise _no_amount(f"NetSuite gave {str(value)[:40]!r} where an amount belongs")
    try:
        minor = Decimal(text).scaleb(exponent(currency or ""))
    except InvalidOperation as error:
        raise _no_amount(f"NetSuite gave {text[:40]!r} where an amount belongs") from error
    if minor != minor.to_integral_value():
        raise _no_amount(f"NetSuite gave {text}, finer than {currency} can be")
    return int(minor)


def transaction_facts(row: Mapping[str, Any], *, names: Mapping[str, str], currencies: Currencies) -> Facts:
    currency = currency_code(row.get("currency"), currencies)
    return {
        "business_id": text_or_none(row.get("externalid")),
        "customer_id": names.get(text_or_none(row.get("entity")) or ""),
        "currency": currency,
        "amount_minor": amount_minor(row.get("foreigntotal"), currency),
    }


def currency_code(value: object, currencies: Currencies) -> str | None:
    return currencies.code_by_id.get(text_or_none(value) or "")


def text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _no_amount(said: str) -> Malformed:
    hint = "look the record up in NetSuite; its currency there may be another than ours"
    return Malformed(f"{said}; expected a plain decimal", code="netsuite.amount", hint=hint)
