"""Amounts as Stripe counts them, and as we do.

Source: https://docs.stripe.com/currencies#special-cases (smallest units); API version 2026-10-28.endive.
"""

from accordant.kernel.errors import Malformed
from accordant.kernel.money import Money, exponent

# Decimals of the amounts that Stripe takes, where they are not those of ISO 4217: ISK and UGX have none since 2007 but
# are still counted in hundredths, MGA has two on paper and none here.
_STRIPE_EXPONENTS = {"ISK": 2, "UGX": 2, "MGA": 0}


def to_stripe(money: Money) -> tuple[int, str]:
    """Amount in Stripe's smallest unit, and the lower-case currency.

    Raises:
        Malformed: the amount has decimals that Stripe does not take.
    """
    shift = _STRIPE_EXPONENTS.get(money.currency, exponent(money.currency)) - exponent(money.currency)
    if shift >= 0:
        amount = money.amount_minor * 10**shift
    else:
        amount, rest = divmod(money.amount_minor, 10**-shift)
        if rest:
            raise Malformed(
                f"{money} has decimals; Stripe takes {money.currency} whole", code="money.too_many_decimals"
            )
    if exponent(money.currency) == 3 and amount % 10:
        message = f"{money} has three decimals that count; Stripe takes the last one only as 0"
        raise Malformed(message, code="money.too_many_decimals")
    return amount, money.currency.lower()


def from_stripe(amount: int, currency: str) -> Money:
    """Canonical money of an amount in Stripe's smallest unit.

    Raises:
        Malformed: no currency of money (currency.*), or an amount finer than the currency.
    """
    code = currency.upper()
    shift = exponent(code) - _STRIPE_EXPONENTS.get(code, exponent(code))
    if shift >= 0:
        return Money(amount * 10**shift, code)
    minor, rest = divmod(amount, 10**-shift)
    if rest:
        raise Malformed(
            f"{amount} of Stripe's units is finer than {code} can be; expected a multiple of {10**-shift}",
            code="money.too_many_decimals",
            hint="correct the amount in Stripe, then replay the message",
        )
    return Money(minor, code)
