"""What a company's own shop does in billing: it invoices customers, and gives back. For plays and tests.

Source: https://docs.stripe.com/invoicing/integration (a draft, its lines, finalizing; API version 2026-10-28.endive).
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Any

import aiohttp

from accordant.systems.stripe.mapping.credit_notes import DAY, NUMBER
from accordant.systems.stripe.sandbox import SECRET_KEY

DAYS_UNTIL_DUE = 30
Item = tuple[str, str, int, int]
"""Product, description, unit amount, quantity; amounts and quantities positive, in Stripe's units."""


class Shop:
    """One signed-in shop. Documents bear a number and a day of its own."""

    def __init__(self, url: str, *, currency: str) -> None:
        self._url = url
        self._currency = currency.lower()

    async def __aenter__(self) -> "Shop":
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        self._session = aiohttp.ClientSession(self._url, headers=headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def invoice(self, customer: str, number: str, *, on: date, items: Sequence[Item]) -> str:
        """Made, filled and finalized; gives its id."""
        form = {
            "customer": customer,
            "collection_method": "send_invoice",
            "days_until_due": str(DAYS_UNTIL_DUE),
            "currency": self._currency,
            "number": number,
            "effective_at": _noon_s(on),
        }
        invoice_id = str((await self._post("/v1/invoices", form))["id"])
        lines: dict[str, str] = {}
        for n, (product, description, unit, quantity) in enumerate(items):
            lines[f"lines[{n}][price_data][product]"] = product
            lines[f"lines[{n}][price_data][currency]"] = self._currency
            lines[f"lines[{n}][price_data][unit_amount]"] = str(unit)
            lines[f"lines[{n}][quantity]"] = str(quantity)
            lines[f"lines[{n}][description]"] = description or product
        await self._post(f"/v1/invoices/{invoice_id}/add_lines", lines)
        await self._post(f"/v1/invoices/{invoice_id}/finalize", {})
        return invoice_id

    async def credit_note(self, invoice: str, number: str, *, on: date, items: Sequence[Item]) -> None:
        """Give back on an invoice."""
        form = {"invoice": invoice, "effective_at": _noon_s(on), f"metadata[{NUMBER}]": number}
        for n, (product, description, unit, quantity) in enumerate(items):
            form[f"lines[{n}][type]"] = "custom_line_item"
            form[f"lines[{n}][description]"] = description or product
            form[f"lines[{n}][unit_amount]"] = str(unit)
            form[f"lines[{n}][quantity]"] = str(quantity)
        await self._post("/v1/credit_notes", form)

    async def credit(self, customer: str, number: str, *, on: date, amount: int) -> None:
        """Give back where there is no invoice: on the customer's balance."""
        form = {
            "amount": str(-amount),
            "currency": self._currency,
            f"metadata[{NUMBER}]": number,
            f"metadata[{DAY}]": on.isoformat(),
        }
        await self._post(f"/v1/customers/{customer}/balance_transactions", form)

    async def _post(self, path: str, form: Mapping[str, str]) -> dict[str, Any]:
        """Raises ValueError where it is refused."""
        async with self._session.post(path, data=dict(form)) as answer:
            body: dict[str, Any] = await answer.json()
            if answer.status != 200:
                raise ValueError(f"{path} answered {answer.status}: {body['error']['message']}")
            return body


def _noon_s(day: date) -> str:
    return str(int(datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()))
