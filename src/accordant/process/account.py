"""A customer's account, and how all four systems are brought in line with how it stands.

What is decided rests on what billing and the books say now, never on the order in which facts arrived; so a fact that
comes late or twice finds the account as it is. Afterwards both are asked again: what changed meanwhile is carried out
as well, and of two transactions about one account whichever writes last has looked after it wrote.
"""

from datetime import UTC, datetime

import msgspec

from accordant.backbone.transaction import Transaction
from accordant.canonical.account import AccountStanding
from accordant.canonical.contract import Contract
from accordant.canonical.customer import Customer
from accordant.canonical.operation import Receipt
from accordant.canonical.ports import Billing, Crm, Erp, Support
from accordant.governance.estate import Estate
from accordant.kernel.errors import Terminal
from accordant.masterdata import crosswalk, records, standing
from accordant.masterdata.standing import Decided, Seen, StandingRow, standing_table
from accordant.process.agreement import contract_id_of, entitlement_under

TURNS_MAX = 20
_REASON_MAX = 255


class Systems(msgspec.Struct, frozen=True, kw_only=True):
    """The four systems that an account is in."""

    crm: Crm
    billing: Billing
    erp: Erp
    support: Support


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """A customer of ours, and where it is known."""

    customer: Customer
    accounts: dict[str, str]
    """System → native id; `billing` and `erp` are always there."""

    def account(self, system: str) -> Receipt | None:
        """The customer in one system; None where it is not known."""
        native_id = self.accounts.get(system)
        customer_id = self.customer.customer_id
        return Receipt(kind="customer", native_id=native_id, business_id=customer_id) if native_id else None

    def held_in(self, system: str) -> Receipt:
        """The customer in billing or in the books."""
        return Receipt(kind="customer", native_id=self.accounts[system], business_id=self.customer.customer_id)


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One look at an account: what is so, and what was brought about before."""

    decided: Decided
    contract: str
    """As JSON; empty where there is none."""
    kept: tuple[StandingRow, ...]
    """What was decided last; empty where nothing ever was."""
    at_ms: int
    name: str = ""
    """How the steps of this turn end."""

    @property
    def is_settled(self) -> bool:
        """Whether every system is as the last decision left it."""
        return not self.kept or self.kept[0].settled == "yes"

    @property
    def collection(self) -> str:
        """What billing is to do about subscriptions."""
        return "paused" if self.decided.is_paused else "running"

    @property
    def is_news(self) -> bool:
        """Whether the CRM and support show something else."""
        if not self.kept:
            return self.decided.status != "current"
        was, now = self.kept[0], self.decided
        owes = (was.balance_minor, was.overdue_minor) != (now.balance.amount_minor, now.overdue.amount_minor)
        return not self.is_settled or was.status != now.status or (now.status != "current" and owes)

    def is_same_as(self, other: "Turn | None") -> bool:
        """Whether there is nothing in it that the other did not bring about."""
        return other is not None and self._wanted() == other._wanted() and not self.decided.places_hold

    def _wanted(self) -> tuple[object, ...]:
        one = self.decided
        return (one.status, one.support, one.hold, one.is_paused, one.balance, one.overdue, self.contract)


async def whose(tx: Transaction, source_id: str, *, system: str) -> Holder:
    """Our customer behind a system's own id.

    Raises:
        Terminal: `account.unknown`, where it is no customer of ours.
    """
    asked_for = crosswalk.ours(tx.row.tenant, "customer", system=system, native_id=source_id)
    customer_id = await tx.recall("whose account", lambda ours: ours.find(asked_for), result_type=str)
    wanted = records.latest_body(tx.row.tenant, "customer", canonical_id=customer_id)
    known = await tx.recall("customer", lambda ours: ours.find(wanted), result_type=str)
    places = crosswalk.natives(tx.row.tenant, "customer", canonical_id=customer_id)
    accounts = await tx.recall("where it is known", lambda ours: ours.find(places), result_type=dict[str, str])
    return await tx.check("holder", holder_of, known, accounts, f"{system}/{source_id}")


def holder_of(known: str, accounts: dict[str, str], named: str, estate: Estate, /) -> Holder:
    """The customer that these belong to. Raises Terminal `account.unknown`."""
    missing = [system for system in ("billing", "erp") if system not in accounts]
    if not known or missing:
        where = f"it is not in {' and '.join(missing)}" if known else "it is no customer of ours"
        raise Terminal(
            f"{named} owes money or is held, and {where}",
            code="account.unknown",
            hint="complete the deal with which it became a customer, or settle it where it was made; then retry",
            detail={"field": "customer", "value": named, "cause": f"{named} is not known everywhere"},
        )
    return Holder(customer=msgspec.json.decode(known.encode(), type=Customer), accounts=accounts)


async def bring_in_line(tx: Transaction, holder: Holder, *, systems: Systems, at: str = "") -> Decided:
    """See how the account stands, have every system show it, and look again until nothing changes meanwhile."""
    before: Turn | None = None
    for number in range(1, TURNS_MAX + 1):
        name = (f" at {at}" if at else "") + (f", look {number}" if number > 1 else "")
        async with tx.holding(holder.customer.customer_id):
            turn = await _look(tx, holder, systems=systems, name=name)
            if turn.is_same_as(before):
                return turn.decided
            todo = todo_of(turn, before)
            await _carry_out(tx, holder, systems=systems, turn=turn, todo=todo)
            if not todo.is_anything:
                return turn.decided
        before = turn
    assert before is not None  # noqa: S101 - there is at least one turn
    return before.decided


async def _look(tx: Transaction, holder: Holder, *, systems: Systems, name: str) -> Turn:
    """Ask billing and the books, and decide."""
    customer_id = holder.customer.customer_id

    async def ask(_: object) -> Seen:
        at_ms = tx.now_ms()
        hold = await systems.erp.credit_hold(holder.held_in("erp"))
        invoices = await systems.billing.open_invoices(holder.held_in("billing"), currency=holder.customer.currency)
        return Seen(invoices=invoices, hold=hold, at_ms=at_ms)

    seen = await tx.recall(f"what is owed and held{name}", ask, result_type=Seen)
    wanted = records.latest_body(tx.row.tenant, "contract", canonical_id=contract_id_of(customer_id))
    contract = await tx.recall(f"contract{name}", lambda ours: ours.find(wanted), result_type=str)
    kept = await standing.last_decided(tx, f"what was decided before{name}", customer_id=customer_id)
    decided = await tx.check(f"standing{name}", standing_of, seen, holder.customer, contract)
    return Turn(decided=decided, contract=contract, kept=kept, at_ms=seen.at_ms, name=name)


def standing_of(seen: Seen, customer: Customer, contract: str, estate: Estate, /) -> Decided:
    """How the account stands; `contract` as JSON, empty for none."""
    agreed = msgspec.json.decode(contract.encode(), type=Contract) if contract else None
    return standing.decide(seen, customer, agreed, estate=estate)


class Todo(msgspec.Struct, frozen=True, kw_only=True):
    """What is not yet as it is decided."""

    lowers_support: bool
    raises_support: bool
    places_hold: bool
    releases_hold: bool
    collects: bool
    tells: bool

    @property
    def is_anything(self) -> bool:
        """Whether there is anything to do."""
        return any(msgspec.structs.astuple(self))


def todo_of(turn: Turn, before: Turn | None) -> Todo:
    """Support loses at once, before the books; and gains after them."""
    decided, was = turn.decided, turn.kept[0] if turn.kept else None
    level_changed = decided.support != (was.support if was else "as contracted")
    contract_changed = before is not None and before.contract != turn.contract
    supports = bool(turn.contract) and (not turn.is_settled or level_changed or contract_changed)
    loses = decided.support != "as contracted"
    collects = not turn.is_settled or turn.collection != (was.collection if was else "running")
    writes = supports or collects or decided.places_hold or decided.releases_hold
    return Todo(
        lowers_support=supports and loses,
        raises_support=supports and not loses,
        places_hold=decided.places_hold,
        releases_hold=decided.releases_hold,
        collects=collects,
        tells=writes or turn.is_news,
    )


async def _carry_out(tx: Transaction, holder: Holder, *, systems: Systems, turn: Turn, todo: Todo) -> None:
    name, customer_id = turn.name, holder.customer.customer_id
    if todo.is_anything:
        await _keep(tx, holder, turn=turn, name=f"begin standing{name}", settled="no")
    if todo.lowers_support:
        await _set_support(tx, turn, systems=systems)
    if todo.places_hold:
        await tx.effect(f"place hold{name}", systems.erp.place_hold(customer_id))
    if todo.releases_hold:
        await tx.effect(f"release hold{name}", systems.erp.release_hold(customer_id))
    if todo.collects:
        await _collect(tx, holder, systems=systems, turn=turn)
    if todo.raises_support:
        await _set_support(tx, turn, systems=systems)
    if todo.tells:
        await _tell(tx, holder, systems=systems, turn=turn)
    await _keep(tx, holder, turn=turn, name=f"keep standing{name}", settled="yes")


async def _collect(tx: Transaction, holder: Holder, *, systems: Systems, turn: Turn) -> None:
    """Pause or resume every subscription that runs."""
    name, account = turn.name, holder.held_in("billing")
    running = await tx.recall(
        f"subscriptions{name}",
        lambda _: systems.billing.subscriptions_of(account),
        result_type=tuple[Receipt, ...],
    )
    for one in running:
        if turn.decided.is_paused:
            await tx.effect(f"pause {one.business_id}{name}", systems.billing.pause_collection(one))
        else:
            await tx.effect(f"resume {one.business_id}{name}", systems.billing.resume_collection(one))


async def _set_support(tx: Transaction, turn: Turn, *, systems: Systems) -> None:
    contract = msgspec.json.decode(turn.contract.encode(), type=Contract)
    entitlement = await tx.check(f"entitlement{turn.name}", entitlement_under, contract, turn.decided.support)
    await tx.effect(f"set support{turn.name}", systems.support.set_entitlement(entitlement))


async def _tell(tx: Transaction, holder: Holder, *, systems: Systems, turn: Turn) -> None:
    """The CRM and support show it on the customer's record."""
    decided = turn.decided
    said = AccountStanding(
        customer_id=holder.customer.customer_id,
        status=decided.status,
        balance=decided.balance,
        overdue=decided.overdue,
        as_of=datetime.fromtimestamp(turn.at_ms / 1000, UTC).date(),
        reason=decided.reason[:_REASON_MAX],
        transaction_id=tx.row.transaction_id,
    )
    in_crm, in_support = holder.account("crm"), holder.account("support")
    if in_crm is not None:
        await tx.effect(f"tell crm{turn.name}", systems.crm.tell_account(said, account=in_crm))
    if in_support is not None:
        await tx.effect(f"tell support{turn.name}", systems.support.tell_account(said, account=in_support))


async def _keep(tx: Transaction, holder: Holder, *, turn: Turn, name: str, settled: str) -> None:
    decided = turn.decided
    row = StandingRow(
        tenant=tx.row.tenant,
        customer_id=holder.customer.customer_id,
        status=decided.status,
        support=decided.support,
        hold=decided.hold,
        collection=turn.collection,
        balance_minor=decided.balance.amount_minor,
        overdue_minor=decided.overdue.amount_minor,
        currency=decided.balance.currency,
        reason=decided.reason,
        settled=settled,
        as_of_ms=turn.at_ms,
        transaction_id=tx.row.transaction_id,
    )
    await tx.keep(name, standing_table, row=row, replaces=True)
