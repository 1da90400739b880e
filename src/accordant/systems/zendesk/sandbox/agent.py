"""What an agent does by hand on the ticket page: open a case, ask for something on it, or say what a customer disputes.

For plays and tests.
"""

import aiohttp

from accordant.systems.zendesk.mapping.nouns import DISPUTED, REQUEST, RULING, Field
from accordant.systems.zendesk.sandbox import API_TOKEN, EMAIL


async def ask_for_credit(url: str, *, customer: str, subject: str, priority: str, request: str) -> str:
    """Open a case with a request in it, of a credit or a refund; gives its number.

    `customer` is the organization's id, empty for none.
    """
    return await _open(url, customer, {"subject": subject, "priority": priority}, wrote=(REQUEST, request))


async def ask_again(url: str, case: str, *, request: str) -> None:
    """Write another request on a case."""
    await _write(url, case, field=REQUEST, words=request)


async def dispute_invoice(url: str, *, customer: str, subject: str, invoice: str) -> str:
    """Open a case that disputes an invoice; gives its number."""
    return await _open(url, customer, {"subject": subject, "priority": "normal"}, wrote=(DISPUTED, invoice))


async def rule_dispute(url: str, case: str, *, ruling: str) -> None:
    """Say on a case what came of its dispute."""
    await _write(url, case, field=RULING, words=ruling)


async def _open(url: str, customer: str, ticket: dict[str, object], /, wrote: tuple[Field, str]) -> str:
    async with _signed_in(url) as session:
        body = {
            **ticket,
            "comment": {"body": ticket["subject"]},
            "custom_fields": await _field(session, wrote[0], words=wrote[1]),
            **({"organization_id": int(customer)} if customer else {}),
        }
        async with session.post("/api/v2/tickets", json={"ticket": body}) as answer:
            return str((await answer.json())["ticket"]["id"])


async def _write(url: str, case: str, *, field: Field, words: str) -> None:
    async with _signed_in(url) as session:
        changed = {"custom_fields": await _field(session, field, words=words)}
        await session.put(f"/api/v2/tickets/{case}", json={"ticket": changed})


def _signed_in(url: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(url, auth=aiohttp.BasicAuth(f"{EMAIL}/token", API_TOKEN), raise_for_status=True)


async def _field(session: aiohttp.ClientSession, named: Field, *, words: str) -> list[dict[str, object]]:
    async with session.get("/api/v2/ticket_fields") as answer:
        fields = (await answer.json())["ticket_fields"]
    return [{"id": field["id"], "value": words} for field in fields if field["title"] == named.title]
