"""Gives customers credit on what they pay next, takes it back by a second entry, and says what they owe.

Source: https://docs.stripe.com/api/customer_balance_transactions, https://docs.stripe.com/billing/customer/balance,
https://docs.stripe.com/api/invoices/list; API version 2026-10-28.endive. An entry is immutable and has no address
without its customer: our native id is `cus_…/cbtxn_…`. The balance is applied to the next invoice finalized in the
same currency, never to one chosen by us.
"""

from datetime import UTC, date, datetime, time, timedelta

from accordant.canonical.account import Balance
from accordant.canonical.credit import Exposure, ServiceCredit
from accordant.canonical.credit_note import BalanceEntry
from accordant.canonical.operation import Applied, Attempt, EffectClass, Operation, Receipt
from accordant.connector.http import segment
from accordant.kernel.money import Money
from accordant.kernel.priority import Priority
from accordant.systems.stripe.client.answers import Record, applied, metadata, the_record
from accordant.systems.stripe.client.calls import KEY_LIFE_S, Calls
from accordant.systems.stripe.client.entries import COUNTER, GRANT, Entry, credit_expected, credit_form
from accordant.systems.stripe.mapping import from_stripe
from accordant.systems.stripe.mapping.credit_notes import balance_entry


class Credits:
    """The Billing port's credit verbs."""

    def __init__(self, connection: str, calls: Calls) -> None:
        self._connection = connection
        self._calls = calls

    def grant(self, credit: ServiceCredit, *, account: Receipt) -> Operation:
        return self._entry("grant_credit", GRANT, credit=credit, account=account)

    def counter(self, credit: ServiceCredit, *, account: Receipt) -> Operation:
        """The opposite entry, under metadata of its own; nothing is taken from the first one."""
        return self._entry("counter_credit", COUNTER, credit=credit, account=account)

    async def exposure(self, account: Receipt, *, currency: str, on: date, since: date) -> Exposure:
        """What the customer owes and was given, in `currency`; what is in any other currency is left out, unconverted.

        `owed` is what remains of open invoices (no drafts, none written off), whenever they were made; `overdue` the
        part that was due before `on`, by UTC day (an invoice charged automatically has no due date). `credited` is
        every adjustment that lowered what is owed, ours or made by hand, created from the beginning of
        `since` until the end of `on`, without those that `counter_credit` took back.
        """
        owed, overdue = await self._owed(account, currency=currency, on=on)
        credited = await self._credited(account, currency=currency, on=on, since=since)
        return Exposure(owed=owed, overdue=overdue, credited=credited)

    async def by_hand(self, account: Receipt, *, currency: str, since: date) -> tuple[BalanceEntry, ...]:
        """Credits that somebody entered on or after a day, oldest first."""
        query = (("created[gte]", str(_start_s(since))),)
        entries = [balance_entry(one, account.native_id) for one in await self._all(path_of(account), query, currency)]
        return tuple(entry for entry in reversed(entries) if entry is not None)

    async def balance(self, account: Receipt, *, currency: str, on: date) -> Balance:
        """Owed and overdue as in `exposure`; the credit is what the newest entry in this currency ended in."""
        owed, overdue = await self._owed(account, currency=currency, on=on)
        credit = Money(0, currency)
        async for record, _ in self._calls.listing(path_of(account), (), priority=Priority.CUSTOMER):
            if str(record["currency"]).upper() == currency:
                credit = from_stripe(-int(record["ending_balance"]), currency)
                break
        return Balance(owed=owed, overdue=overdue, credit=credit)

    async def _owed(self, account: Receipt, *, currency: str, on: date) -> tuple[Money, Money]:
        query = (("customer", account.native_id), ("status", "open"))
        owed = overdue = Money(0, currency)
        for record in await self._all("/v1/invoices", query, currency):
            remaining = from_stripe(int(record["amount_remaining"]), record["currency"])
            owed += remaining
            due_s = record.get("due_date")
            if due_s is not None and int(due_s) < _start_s(on):
                overdue += remaining
        return owed, overdue

    async def _credited(self, account: Receipt, *, currency: str, on: date, since: date) -> Money:
        since_s, until_s = _start_s(since), _start_s(on + timedelta(days=1))
        query = (("created[gte]", str(since_s)), ("created[lt]", str(until_s)))
        entries = [one for one in await self._all(path_of(account), query, currency) if one["type"] == "adjustment"]
        given = [one for one in entries if int(one["amount"]) < 0]
        known = {metadata(one).get(GRANT.named) for one in given} - {None}
        back = [one for one in entries if int(one["amount"]) > 0 and _countered(one) in known]
        return from_stripe(-sum(int(one["amount"]) for one in (*given, *back)), currency)

    async def _all(self, path: str, query: tuple[tuple[str, str], ...], /, currency: str) -> list[Record]:
        """Each record of a listing once, of one currency."""
        listing = self._calls.listing(path, query, priority=Priority.CUSTOMER)
        found = {str(record["id"]): record async for record, _ in listing}
        return [record for record in found.values() if str(record["currency"]).upper() == currency]

    def _entry(self, verb: str, entry: Entry, /, *, credit: ServiceCredit, account: Receipt) -> Operation:
        form = credit_form(credit, entry)

        def receipt_of(record: Record) -> Record:
            return {**record, "id": f"{account.native_id}/{record['id']}"}

        async def send(attempt: Attempt) -> Applied:
            answer = await self._calls.post(path_of(account), form, attempt=attempt)
            return applied(answer, entry.kind, credit.credit_id, receipt_of(the_record(answer)))

        async def look_up(attempt: Attempt) -> Applied | None:
            async for record, answer in self._calls.listing(path_of(account), (), priority=attempt.priority):
                if metadata(record).get(entry.named) == credit.credit_id:
                    return applied(answer, entry.kind, credit.credit_id, receipt_of(record))
            return None

        return Operation(
            system="billing",
            connection=self._connection,
            verb=verb,
            kind=entry.kind,
            business_id=credit.credit_id,
            effect_class=EffectClass.NATIVE_KEY,
            command={"credit": credit, "account": account.native_id},
            send=send,
            look_up=look_up,
            expected=credit_expected(credit, entry),
            key_life_s=KEY_LIFE_S,
        )


def path_of(account: Receipt) -> str:
    """Where a customer's entries are."""
    return f"/v1/customers/{segment(account.native_id)}/balance_transactions"


def _countered(record: Record) -> object:
    return metadata(record).get(COUNTER.named)


def _start_s(day: date) -> int:
    """Midnight, UTC."""
    return int(datetime.combine(day, time(), UTC).timestamp())
