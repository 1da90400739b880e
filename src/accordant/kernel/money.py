"""Money is a whole number of the currency's smallest unit, never a float.

Source: ISO 4217:2015 minor units, amendment 177 (the currencies whose exponent is not 2).
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import cast

import msgspec
import pycountry

from accordant.kernel.errors import Malformed

_EXPONENTS = {
    **dict.fromkeys(
        "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(),
        0,
    ),
    **dict.fromkeys("BHD IQD JOD KWD LYD OMR TND".split(), 3),
    **dict.fromkeys("CLF UYW".split(), 4),
}
_NO_MONEY = frozenset({"XXX", "XTS", "XAU", "XAG", "XPT", "XPD", "XDR", "XSU", "XUA", "XBA", "XBB", "XBC", "XBD"})
_ALPHABETIC: frozenset[str] = (
    frozenset(str(getattr(one, "alpha_3", "")) for one in cast("Iterable[object]", pycountry.currencies)) - _NO_MONEY
)
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,8})?", re.ASCII)


class Money(msgspec.Struct, frozen=True, order=False):
    """An amount in one currency. `amount_minor` counts cents for USD, yen for JPY, fils for KWD."""

    amount_minor: int
    currency: str

    def __add__(self, other: "Money") -> "Money":
        _same_currency(self, other)
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        _same_currency(self, other)
        return Money(self.amount_minor - other.amount_minor, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount_minor, self.currency)

    @property
    def decimal_text(self) -> str:
        """The amount as people write it: `12.50` for 1250 USD, `1000` for 1000 JPY."""
        places = exponent(self.currency)
        return format(Decimal(self.amount_minor).scaleb(-places), f".{places}f")

    def __str__(self) -> str:
        places = exponent(self.currency)
        return f"{Decimal(self.amount_minor).scaleb(-places):,.{places}f} {self.currency}"


def exponent(currency: str) -> int:
    """How many decimals the currency has.

    Raises:
        Malformed: not the upper-case ISO 4217 code of a currency that is money today: currency.missing, currency.case,
            currency.not_allowed.
    """
    if currency not in _ALPHABETIC:
        raise _no_currency(currency)
    return _EXPONENTS.get(currency, 2)


def parse_money(text: str, currency: str) -> Money:
    """Read plain decimal text, such as `1054` or `12.50`, exactly.

    Raises:
        Malformed: signs, spaces, exponents, separators, foreign digits, or more decimals than the currency has.
    """
    places = exponent(currency)
    if not _DECIMAL.fullmatch(text):
        raise Malformed(
            f"{text[:40]!r} is not an amount; expected digits with at most {places} decimals, such as 1054.00",
            code="money.format",
            hint="a point before the decimals; no separators, spaces, signs in front, exponents or other digits",
        )
    minor = Decimal(text).scaleb(places)
    if minor != minor.to_integral_value():
        raise Malformed(
            f"{text!r} has too many decimals; expected at most {places}: {currency} has {places}",
            code="money.too_many_decimals",
            hint=f"round it at its source, where somebody answers for the rounding, to {places} decimals",
        )
    return Money(int(minor), currency)


def _no_currency(text: str) -> Malformed:
    expected = "expected three upper-case letters of ISO 4217, such as USD"
    if not text.strip():
        return Malformed(
            f"there is no currency; {expected}", code="currency.missing", hint="it is never guessed: name it"
        )
    if text.upper() in _ALPHABETIC:
        return Malformed(
            f"{text[:20]!r} is not written as a currency code; {expected}",
            code="currency.case",
            hint=f"write {text.upper()}",
        )
    return Malformed(
        f"{text[:20]!r} is not a currency code; {expected}",
        code="currency.not_allowed",
        hint="old currencies, test codes, metals and coins are no money here; use the currency that is paid in",
    )


def _same_currency(left: Money, right: Money) -> None:
    if left.currency != right.currency:
        raise Malformed(
            f"cannot combine {left.currency} with {right.currency}; both amounts must be in one currency",
            code="currency.mismatch",
            hint="convert one of them at its source, where the rate and its day are known",
        )
