"""Speaks with Salesforce: reads the records that changed, and shows on each deal where it stands with the platform.

API version 67.0 (Summer '26). A write is a module of its own, beside a row of CAPABILITIES and one of _HELD; a polled
kind of record is an entry of `streams.POLLED`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

from accordant.canonical.account import AccountStanding
from accordant.canonical.operation import Facts, Operation, ReadRef, Receipt
from accordant.canonical.opportunity import DealStanding
from accordant.connector.capabilities import ConnectionSettings, Row, Stream
from accordant.connector.http import VendorHttp
from accordant.kernel.errors import Misconfigured
from accordant.systems.salesforce.client import account_standing
from accordant.systems.salesforce.client import standing as standings
from accordant.systems.salesforce.client.manners import explain, manners, quota
from accordant.systems.salesforce.client.readback import Held, read_back
from accordant.systems.salesforce.client.records import API_VERSION
from accordant.systems.salesforce.client.streams import OPPORTUNITIES, POLLED, Polled, changed

__all__ = ["API_VERSION", "CAPABILITIES", "STREAMS", "SalesforceClient", "explain", "manners", "quota"]

CAPABILITIES = (standings.CAPABILITY, account_standing.CAPABILITY)
_HELD: Mapping[str, Held] = {
    standings.KIND: standings.HELD,
    account_standing.KIND: account_standing.HELD,
}
"""What can be read back, by kind."""


class SalesforceClient:
    """The Crm port."""

    def __init__(self, settings: ConnectionSettings, http: VendorHttp) -> None:
        self._name = settings.name
        self._http = http

    def tell_standing(self, standing: DealStanding) -> Operation:
        """Set the three Accordant fields of the deal; saying it twice leaves the same state."""
        return standings.telling(self._http, standing, connection=self._name)

    def tell_account(self, standing: AccountStanding, *, account: Receipt) -> Operation:
        """Set the seven Accordant fields of the account, and no other."""
        return account_standing.telling(self._http, standing, account=account, connection=self._name)

    async def read_back(self, kind: str, refs: Sequence[ReadRef]) -> dict[str, Facts]:
        """What Salesforce holds of each record, two hundred in one query."""
        held = _HELD.get(kind)
        if held is None:
            raise Misconfigured(f"Salesforce holds no {kind}; only {', '.join(_HELD)} can be read back")
        return await read_back(self._http, refs, held=held)

    def changed(self, polled: Polled, since: str) -> AsyncIterator[list[Row]]:
        """Pages of records whose SystemModstamp is >= `since` (empty: all), oldest change first."""
        return changed(self._http, polled, since=since)

    def changed_opportunities(self, since: str) -> AsyncIterator[list[Row]]:
        """Opportunities in any stage."""
        return self.changed(OPPORTUNITIES, since)


def _stream(polled: Polled) -> Stream:
    def poll(client: SalesforceClient, since: str) -> AsyncIterator[list[Row]]:
        return client.changed(polled, since)

    return Stream(name=polled.sobject, poll=poll, look_back_s=polled.look_back_s)


STREAMS = tuple(_stream(polled) for polled in POLLED)
