"""What a clerk does by hand in billing: take a payment, void an invoice, enter a customer. For plays and tests."""

from typing import Any

import aiohttp

from accordant.systems.stripe.sandbox import SECRET_KEY


async def pay_invoice(url: str, invoice: str) -> None:
    """A card pays it wholly."""
    await _post(url, f"/v1/invoices/{invoice}/pay", form={"payment_method": "pm_card_visa"})


async def void_invoice(url: str, invoice: str) -> None:
    await _post(url, f"/v1/invoices/{invoice}/void", form={})


async def enter_customer(url: str, name: str) -> str:
    """A customer that no deal opened; gives billing's id."""
    return str((await _post(url, "/v1/customers", form={"name": name, "email": "ar@nobody.example"}))["id"])


async def _post(url: str, path: str, *, form: dict[str, str]) -> Any:
    headers = {"Authorization": f"Bearer {SECRET_KEY}"}
    async with (
        aiohttp.ClientSession(url, headers=headers, raise_for_status=True) as session,
        session.post(path, data=form or None) as answer,
    ):
        return await answer.json()
