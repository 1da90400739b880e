"""The marks that identify a company, in one spelling: tax id, internet domain, name with country."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

import msgspec
from cleanco import clean  # pyright: ignore[reportMissingTypeStubs] - written without types
from stdnum.eu import vat as eu_vat
from stdnum.util import get_cc_module

from accordant.canonical.customer import SourceAccount
from accordant.kernel.errors import Malformed

_cleanco: Any = clean  # written without types
_LEGAL_FORMS = _cleanco.prepare_default_terms()
_PUNCTUATION = re.compile(r"[\W_]+")
_HOST = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z][a-z0-9-]{1,62}", re.ASCII)
_MAIL_PROVIDERS = frozenset(
    "aol.com gmail.com gmx.de gmx.net googlemail.com hotmail.com icloud.com live.com mail.com mail.ru outlook.com "
    "proton.me protonmail.com qq.com web.de yahoo.com yandex.ru 163.com".split()
)
"""Sharing one of these says nothing about who somebody is."""
_NO_TAX_IDS = frozenset("banks iban handelsregisternummer leitweg nhs postcode postleitzahl rtn sedol upn wkn".split())
"""Numbers python-stdnum knows that identify something else than a taxpayer."""


class Marks(msgspec.Struct, frozen=True, kw_only=True):
    """What identifies an account, normalized."""

    name_country: str
    """Empty where the account has no name."""
    tax_id: str | None = None
    domain: str | None = None
    parent_id: str | None = None
    """Canonical id of the declared parent: a subsidiary is never its own parent."""

    def pairs(self) -> Iterable[tuple[str, str]]:
        """Kind and value of every mark the account has."""
        kinds = (("tax_id", self.tax_id), ("domain", self.domain), ("name_country", self.name_country))
        return [(kind, value) for kind, value in kinds if value]


def marks_of(account: SourceAccount, *, country: str, parent_id: str | None = None) -> Marks:
    """The marks of an account whose country is mapped (ISO 3166-1 alpha-2).

    Raises:
        Malformed: `value.tax_id`, a tax id that is none in that country.
    """
    name = normal_name(account.name)
    return Marks(
        name_country=f"{name}|{country}" if name else "",
        tax_id=normal_tax_id(account.tax_id, country=country) if account.tax_id else None,
        domain=normal_domain(account.domain) if account.domain else None,
        parent_id=parent_id,
    )


@lru_cache(maxsize=4096)
def normal_name(name: str) -> str:
    """A company's name without case, punctuation and legal form: `ACME, Inc.` and `Acme` are one spelling.

    A legal form is dropped as a word of its own at the end only: `Acme-Co` keeps it. The first word always stays, also
    where it is a legal form somewhere: `KG GmbH` is the company KG.
    """
    folded = " ".join(_fold(name).split())
    opening = _PUNCTUATION.match(folded)
    first, _, rest = folded[opening.end() if opening else 0 :].partition(" ")
    while rest:
        shorter: str = _cleanco.custom_basename(rest, _LEGAL_FORMS)
        if shorter == rest:
            break
        rest = shorter
    return " ".join(_PUNCTUATION.sub(" ", f"{first} {rest}").split())


def normal_domain(text: str) -> str | None:
    """The host of a web address, e-mail or domain, without `www.`; None for mail providers and what is no domain."""
    address = _fold(text).strip().rpartition("://")[2]
    host = re.split(r"[/?#]", address, maxsplit=1)[0].rpartition("@")[2].partition(":")[0].rstrip(".")
    try:
        plain = host.encode("idna").decode("ascii").removeprefix("www.")
    except UnicodeError:
        return None
    return plain if _HOST.fullmatch(plain) and plain not in _MAIL_PROVIDERS else None


def normal_tax_id(text: str, *, country: str) -> str:
    """Country and number without separators, checked by the country's own rules where they are known.

    A European VAT number of another country is accepted and filed under that country.

    Raises:
        Malformed: `value.tax_id`.
    """
    kinds = _tax_id_kinds(country)
    for kind in kinds:
        try:
            return f"{country}:{kind.validate(text)}"
        except ValueError:
            continue
    try:
        european = eu_vat.validate(text)
        return f"{european[:2]}:{european[2:]}"
    except ValueError:
        pass
    number = "".join(letter for letter in _fold(text).upper() if letter.isalnum())
    if kinds or not number:
        raise Malformed(
            f"the tax id given is none that {country} issues; expected a number that its check digits confirm",
            code="value.tax_id",
            hint="correct it at the source",
            detail={"country": country},
        )
    return f"{country}:{number}"


@lru_cache(maxsize=300)
def _tax_id_kinds(country: str) -> tuple[Any, ...]:
    """python-stdnum's checks for a country, the VAT number first; none where it knows nothing of the country."""
    code = country.casefold()
    package = next((found for name in (code, f"{code}_") if (found := _package(name)) is not None), None)
    if package is None:
        return ()
    names = [module.name for module in iter_modules(package.__path__) if module.name not in _NO_TAX_IDS]
    modules = [import_module(f"{package.__name__}.{name}") for name in names]
    vat: Any = get_cc_module(code, "vat")
    others = [module for module in modules if hasattr(module, "validate") and module is not vat]
    return (vat, *others) if vat else tuple(others)


def _package(name: str) -> ModuleType | None:
    if not re.fullmatch(r"[a-z]{2}_?", name, re.ASCII):
        return None
    try:
        return import_module(f"stdnum.{name}")
    except ModuleNotFoundError:
        return None


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
