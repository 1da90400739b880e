"""The two entries that a credit may have in a customer's balance, as Stripe writes them and as we read them.

Source: https://docs.stripe.com/api/customer_balance_transactions/create (a negative amount is a credit; descriptions of
350 characters), API version 2026-10-28.endive.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from accordant.canonical.credit import ServiceCredit
from accordant.canonical.operation import Facts
from accordant.kernel.errors import Malformed
from accordant.systems.stripe.mapping import Fields, from_stripe, owner_of, to_stripe

DESCRIPTION_MAX = 350


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two entries that a credit may have in a customer's balance."""

    kind: str
    named: str
    """Metadata that carries the credit's id; the two differ, so that neither is taken for the other."""
    sign: int
    """Of Stripe's amount: a negative one lowers what the customer pays next."""
    words: str


GRANT = Entry(kind="credit", named="credit_id", sign=-1, words="Service credit")
COUNTER = Entry(kind="credit_counter", named="countered_credit_id", sign=1, words="Service credit taken back")
ENTRIES = {entry.kind: entry for entry in (GRANT, COUNTER)}


def credit_form(credit: ServiceCredit, entry: Entry, /) -> Fields:
    """Parameters of `POST /v1/customers/{id}/balance_transactions`.

    Raises:
        Malformed: the amount is not positive (credit.not_positive), or has decimals that Stripe does not take.
    """
    amount, currency = to_stripe(credit.amount)
    if amount <= 0:
        message = f"a credit of {credit.amount} gives nothing; expected an amount above zero"
        raise Malformed(message, code="credit.not_positive", hint="what a customer shall pay is billed, not credited")
    description = f"{entry.words}, case {credit.case_id}: {credit.reason}"
    return [
        ("amount", str(entry.sign * amount)),
        ("currency", currency),
        ("description", description[:DESCRIPTION_MAX]),
        (f"metadata[{entry.named}]", credit.credit_id),
        ("metadata[case_id]", credit.case_id),
        ("metadata[customer_id]", credit.customer_id),
        ("metadata[reason]", credit.reason),
    ]


def credit_expected(credit: ServiceCredit, entry: Entry, /) -> Facts:
    """What a read-back of the entry must show; the amount is positive where it gives, negative where it takes back."""
    return {
        "credit_id": credit.credit_id,
        "customer_id": credit.customer_id,
        "amount_minor": -entry.sign * credit.amount.amount_minor,
        "currency": credit.amount.currency,
    }


def credit_facts(record: Mapping[str, Any], entry: Entry, /) -> Facts:
    """The same facts, from Stripe's balance transaction with its customer expanded."""
    metadata: dict[str, Any] = record.get("metadata") or {}
    money = from_stripe(-int(record["amount"]), record["currency"])
    return {
        "credit_id": metadata.get(entry.named),
        "customer_id": owner_of(record),
        "amount_minor": money.amount_minor,
        "currency": money.currency,
    }
