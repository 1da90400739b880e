"""How a contract grows line by line, and which support it entitles to."""

from datetime import date

import msgspec

from accordant.canonical.contract import Contract, ContractLine
from accordant.canonical.entitlement import Entitlement
from accordant.governance.estate import Estate
from accordant.kernel.ids import canonical_id
from accordant.kernel.money import Money
from accordant.masterdata.reference import resolve


def contract_id_of(customer_id: str) -> str:
    """A customer has one contract with us; what it buys later becomes its next versions."""
    return canonical_id("contract", customer_id)


def with_line(current: str, line: ContractLine, *, customer_id: str, agreed_in: str, estate: Estate) -> Contract:
    """The next version of a contract (`current` as JSON, empty for none) with one more line."""
    if not current:
        return Contract(
            contract_id=contract_id_of(customer_id),
            customer_id=customer_id,
            version=1,
            total=line.total,
            service_tier=line.service_tier,
            ends_on=line.ends_on,
            line=line,
            agreed_in=agreed_in,
        )
    old = msgspec.json.decode(current.encode(), type=Contract)
    return Contract(
        contract_id=old.contract_id,
        customer_id=customer_id,
        version=old.version + 1,
        total=Money(old.total.amount_minor + line.total.amount_minor, old.total.currency)
        if old.total.currency == line.total.currency
        else old.total,
        service_tier=higher_tier(old.service_tier, line.service_tier, on=line.starts_on, estate=estate),
        ends_on=max(old.ends_on, line.ends_on),
        line=line,
        agreed_in=agreed_in,
    )


def with_changed_line(current: str, line: ContractLine, *, before: Money, agreed_in: str, estate: Estate) -> Contract:
    """The next version of a contract in which one line has a new quantity and total."""
    old = msgspec.json.decode(current.encode(), type=Contract)
    return msgspec.structs.replace(
        old,
        version=old.version + 1,
        total=old.total + line.total - before,
        service_tier=higher_tier(old.service_tier, line.service_tier, on=line.starts_on, estate=estate),
        ends_on=max(old.ends_on, line.ends_on),
        line=line,
        agreed_in=agreed_in,
    )


def higher_tier(left: str, right: str, *, on: date, estate: Estate) -> str:
    """The better of two service tiers by the reference table's rank."""
    return max(left, right, key=lambda tier: int(resolve(estate, "service_tier", value=tier, on=on).attributes["rank"]))


def entitlement_under(contract: Contract, support: str, estate: Estate, /) -> Entitlement:
    """What support a contract entitles to: its best tier, until its last line ends, as far as its account leaves it.

    `support` is `as contracted`, `limited` or `suspended`.
    """
    tier = resolve(estate, "service_tier", value=contract.service_tier, on=contract.line.starts_on)
    minutes = int(tier.attributes["response_minutes"])
    return Entitlement(
        customer_id=contract.customer_id,
        status="active" if support == "as contracted" else support,
        service_tier=tier.target,
        ends_on=contract.ends_on,
        response_minutes=max(minutes, estate.collections.limited_response_minutes) if support == "limited" else minutes,
    )
