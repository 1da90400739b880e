"""What an agent does by hand on the ticket page: open a case and ask for a credit on it. For plays and tests."""

import aiohttp

from accordant.systems.zendesk.mapping.nouns import REQUEST
from accordant.systems.zendesk.sandbox import API_TOKEN, EMAIL


async def ask_for_credit(url: str, *, customer: str, subject: str, priority: str, request: str) -> str:
    """Open a case with a request in it; gives its number. `customer` is the organization's id, empty for none."""
    async with _signed_in(url) as session:
        ticket = {
            "subject": subject,
            "priority": priority,
            "comment": {"body": subject},
            "custom_fields": await _field(session, request),
            **({"organization_id": int(customer)} if customer else {}),
        }
        async with session.post("/api/v2/tickets", json={"ticket": ticket}) as answer:
            return str((await answer.json())["ticket"]["id"])


async def ask_again(url: str, case: str, *, request: str) -> None:
    """Write another request on a case."""
    async with _signed_in(url) as session:
        changed = {"custom_fields": await _field(session, request)}
        await session.put(f"/api/v2/tickets/{case}", json={"ticket": changed})


def _signed_in(url: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(url, auth=aiohttp.BasicAuth(f"{EMAIL}/token", API_TOKEN), raise_for_status=True)


async def _field(session: aiohttp.ClientSession, request: str) -> list[dict[str, object]]:
    async with session.get("/api/v2/ticket_fields") as answer:
        fields = (await answer.json())["ticket_fields"]
    return [{"id": field["id"], "value": request} for field in fields if field["title"] == REQUEST.title]
