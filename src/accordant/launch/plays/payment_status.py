"""A day of payments that fail, come late, or come at last: what each customer may ask for in the end."""

from collections.abc import Mapping

from accordant.launch.plays.accounts import UNKNOWN, AccountPlay, ends_of

_OUTAGE_S = 3.0
_FINE = {"crm": "current", "books": "AUTO", "support": "active"}
_LATE = {"crm": "past due", "books": "AUTO", "support": "active"}
_HELD = {"crm": "on hold", "books": "ON", "support": "limited"}


class PaymentDay(AccountPlay):
    """Charges that fail once and often, money that comes, holds by hand, and the books down."""

    flow = "payment_status"

    async def _act(self) -> None:
        await self._charges()
        await self._money()
        await self._holds()
        await self._trouble()

    async def _charges(self) -> None:
        self._say("A charge fails once: the account is past due, support stays.")
        await self._fail("fails once", 0, times=1, must=_LATE)
        self._say("A charge fails three times: limited support, and the books hold.")
        await self._fail("fails often", 1, times=3, must=_HELD)
        await self._until_stands(1, "on hold")

    async def _money(self) -> None:
        self._say("Three failures, then the money comes: the hold goes, support is back.")
        invoice = await self._fail("fails, then is paid", 2, times=3, must=_FINE)
        await self._until_stands(2, "on hold")
        await self._pay(invoice)
        await self._until_stands(2, "current")
        self._say("Paid; the failure before it is told afterwards, and undoes nothing.")
        invoice, number = await self._bill(3)
        await self._pay(invoice)
        await self._until(lambda: bool(self._ended_of(number)))
        await self._happens(invoice, "payment_failed", late=True)
        self._expect("paid before the failure is told", number, must=_FINE)
        await self._until(lambda: len(self._ended_of(number)) == 2)

    async def _holds(self) -> None:
        self._say("Finance holds a customer by hand: support and sales follow, and no payment lets it go.")
        await self._by_hand(4, "ON")
        self._stands("held by hand", 4, must=_HELD)
        await self._until_stands(4, "on hold")
        invoice = await self._fail("held by hand, pays", 4, times=1, must=_HELD)
        await self._pay(invoice)
        self._say("Finance lets another one go again.")
        await self._by_hand(5, "ON")
        await self._until_stands(5, "on hold")
        await self._by_hand(5, "AUTO")
        self._stands("held by hand and let go", 5, must=_FINE)
        await self._until_stands(5, "current")
        self._say("Finance takes our hold back: it is not placed again for the same debt.")
        await self._fail("our hold taken back", 6, times=3, must=_LATE)
        await self._until_stands(6, "on hold")
        await self._by_hand(6, "AUTO")
        await self._until_stands(6, "past due")

    async def _trouble(self) -> None:
        self._say(f"The books are down for {_OUTAGE_S:.0f} s: the hold waits for them.")
        await self._down("erp", seconds=_OUTAGE_S)
        await self._fail("books down", 7, times=3, must=_HELD)
        await self._until_stands(7, "on hold")
        self._say("An invoice of nobody's: nothing is written, and finance is asked.")
        invoice, number = await self._bill(-1)
        await self._happens(invoice, "payment_failed")
        self._expect("customer unknown", number, must={"crm": "", "books": "", "support": ""}, state="exception")
        await self._until_stopped(UNKNOWN)

    async def _fail(self, name: str, customer: int, *, times: int, must: Mapping[str, str]) -> str:
        """An invoice whose charge fails so often; gives its id."""
        invoice, number = await self._bill(customer)
        await self._happens(invoice, "payment_failed", times=times)
        self._expect(name, number, must=must)
        return invoice

    def _stands(self, name: str, customer: int, *, must: Mapping[str, str]) -> None:
        """A branch that people know by the customer."""
        customer_id = self._customers[customer]
        self._whose[customer_id] = customer_id
        self._expect(name, customer_id, must=must)

    def _ended_of(self, subject: str) -> list[str]:
        return self._read(lambda connection: ends_of(connection, subject))
