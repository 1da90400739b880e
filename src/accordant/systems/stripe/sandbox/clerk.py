"""What a clerk does by hand in billing: bill, take a payment, give it back, void. For plays and tests."""

from typing import Any

import aiohttp

from accordant.systems.stripe.sandbox import SECRET_KEY

Invoice = tuple[str, str]
"""Id and number."""


async def pay_invoice(url: str, invoice: str) -> None:
    """A card pays it wholly."""
    await _post(url, f"/v1/invoices/{invoice}/pay", form={"payment_method": "pm_card_visa"})


async def pay(url: str, invoice: str) -> None:
    """The money came by another way."""
    await _post(url, f"/v1/invoices/{invoice}/pay", form={"paid_out_of_band": "true"})


async def void_invoice(url: str, invoice: str) -> None:
    await _post(url, f"/v1/invoices/{invoice}/void", form={})


async def enter_customer(url: str, name: str) -> str:
    """A customer that no deal opened; gives billing's id."""
    return str((await _post(url, "/v1/customers", form={"name": name, "email": "ar@nobody.example"}))["id"])


async def bill(url: str, *, customer: str, cents: int, due_s: int | None) -> Invoice:
    """A one-off invoice in US dollars, sent with a due date, or charged to a card where there is none."""
    terms: dict[str, str] = {"collection_method": "charge_automatically"}
    if due_s is not None:
        terms = {"collection_method": "send_invoice", "due_date": str(due_s)}
    draft = await _post(url, "/v1/invoices", form={"customer": customer, "currency": "usd", **terms})
    price = {"product": "LDG-START", "currency": "usd", "unit_amount": str(cents)}
    line = {f"lines[0][price_data][{name}]": value for name, value in price.items()}
    await _post(url, f"/v1/invoices/{draft['id']}/add_lines", form=line)
    final = await _post(url, f"/v1/invoices/{draft['id']}/finalize", form={})
    return str(final["id"]), str(final["number"])


async def refund_by_hand(url: str, *, invoice: str, amount: int) -> str:
    """Give part of a card payment back; gives the refund's id. `amount` is in Stripe's units."""
    at = f"/v1/invoice_payments?status=paid&invoice={await _invoice_id(url, invoice)}"
    paid = await _get(url, at)
    form = {"payment_intent": paid["data"][0]["payment"]["payment_intent"], "amount": str(amount)}
    return str((await _post(url, "/v1/refunds", form=form))["id"])


async def pay_by_card(url: str, *, invoice: str) -> None:
    """The customer pays an open invoice, known by its number, with a card."""
    await pay_invoice(url, await _invoice_id(url, invoice))


async def _invoice_id(url: str, number: str) -> str:
    """Of the newest hundred; a play has fewer."""
    listed = await _get(url, "/v1/invoices?limit=100")
    return next(str(one["id"]) for one in listed["data"] if one["number"] == number)


def _signed_in(url: str) -> aiohttp.ClientSession:
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    return aiohttp.ClientSession(url, headers=headers, raise_for_status=True)


async def _get(url: str, at: str) -> Any:
    async with _signed_in(url) as session, session.get(at) as answer:
        return await answer.json()


async def _post(url: str, path: str, *, form: dict[str, str]) -> Any:
    async with _signed_in(url) as session, session.post(path, data=form or None) as answer:
        return await answer.json()
