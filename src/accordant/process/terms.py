"""What a deal means once every word has a meaning: product, price, currency, country, legal entity."""

from datetime import date

import msgspec

from accordant.canonical.contract import ContractAmendment
from accordant.canonical.customer import SourceAccount
from accordant.canonical.opportunity import Opportunity
from accordant.canonical.product import Price, Product
from accordant.governance.estate import Estate
from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money, parse_money
from accordant.masterdata.customers import Party, family
from accordant.masterdata.reference import resolve


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What was agreed, ready to be carried out."""

    parties: tuple[Party, ...]
    """The buyer last, its ancestors before it, the oldest first."""
    product: Product
    quantity: int
    total: Money
    price_deviation: Money
    """Agreed minus list for the whole quantity; recorded, never a reason to refuse."""
    starts_on: date
    ends_on: date


def agree_terms(deal: Opportunity, estate: Estate) -> Terms:
    """Give every word of a won deal its meaning.

    Raises:
        Unmapped: a product, currency, country or legal entity without a row in its reference table.
        Malformed: an amount that is no positive amount of its currency, or a hierarchy that bites its tail.
    """
    return _terms(
        deal.account,
        product_word=deal.product_word,
        price=(deal.quantity, deal.amount_text, deal.currency_word),
        on=deal.closed_on,
        estate=estate,
    )


def agree_amendment(amendment: ContractAmendment, estate: Estate) -> Terms:
    """Give every word of an agreed change its meaning; raises like `agree_terms`."""
    return _terms(
        amendment.account,
        product_word=amendment.product_word,
        price=(amendment.quantity, amendment.amount_text, amendment.currency_word),
        on=amendment.effective_on,
        estate=estate,
    )


def _terms(
    account: SourceAccount, *, product_word: str, price: tuple[int, str, str], on: date, estate: Estate
) -> Terms:
    quantity, amount_text, currency_word = price
    product = _product(estate, product_word, on=on)
    currency = resolve(estate, "currency", value=currency_word, on=on).target
    total = _positive(amount_text, currency, account=account)
    parties = tuple(party_of(estate, one, currency=currency, on=on) for one in family(account))
    listed = product.price.list_price
    same_currency = listed.currency == currency
    deviation = total.amount_minor - listed.amount_minor * quantity if same_currency else 0
    return Terms(
        parties=parties,
        product=product,
        quantity=quantity,
        total=total,
        price_deviation=Money(deviation, currency),
        starts_on=on,
        ends_on=one_year_after(on),
    )


def _product(estate: Estate, word: str, *, on: date) -> Product:
    row = resolve(estate, "product", value=word, on=on)
    attributes = row.attributes
    return Product(
        product_id=row.target,
        name=attributes["name"],
        service_tier=attributes["service_tier"],
        price=Price(list_price=parse_money(attributes["list_price"], attributes["currency"])),
    )


def party_of(estate: Estate, account: SourceAccount, *, currency: str, on: date) -> Party:
    """The account once its country and our legal entity for it have a meaning. Raises Unmapped."""
    country = resolve(estate, "country", value=account.country_word or "", on=on)
    entity = country.attributes["legal_entity"]
    return Party(
        account=msgspec.structs.replace(account, parent=_stub(account.parent)),
        country=country.target,
        legal_entity=entity,
        erp_entity=resolve(estate, "legal_entity", value=entity, on=on).target,
        currency=currency,
    )


def _stub(parent: SourceAccount | None) -> SourceAccount | None:
    """A party names its parent and no older ancestor; each ancestor is a party of its own."""
    return msgspec.structs.replace(parent, parent=None) if parent else None


def _positive(text: str, currency: str, *, account: SourceAccount) -> Money:
    money = parse_money(text, currency)
    if money.amount_minor <= 0:
        raise Malformed(
            f"{text} {currency} is not a positive amount; a won deal is worth more than nothing",
            code="money.negative",
            hint="correct the amount at its source",
            detail={"field": "amount", "value": text[:40], "record": account.name},
        )
    return money


def one_year_after(day: date) -> date:
    """The same day next year; 29 February becomes 28 February."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)
