"""The state folder: the estate, the secrets, the addresses and the ledgers of one installation."""

import csv
import io
import shutil
import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from accordant.connector.capabilities import CatalogueItem, LegalEntity, World
from accordant.connector.settings import SANDBOX
from accordant.governance import demo_estate
from accordant.governance.connections import load_connections
from accordant.governance.estate import ReferenceRow
from accordant.governance.estate_files import load_estate
from accordant.kernel.chance import new_token
from accordant.security.secrets import save_store
from accordant.wiring import DOCUMENTED_LIMITS, VENDORS

_TIERS = ((100_000, "standard"), (500_000, "plus"))
"""List price per year in cents up to which a product brings this tier; above, premium."""


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where the platform answers, and the key for its commands. Written to `api.json`, readable by its owner."""

    url: str
    token: str
    pid: int
    database_url: str | None = None
    """The database in use where it is not the folder's own, so that commands that only read need not be told; it may
    hold a password. The folder's own is found wherever the folder is moved to."""

    def __repr__(self) -> str:
        return f"Address(url={self.url!r}, pid={self.pid})"


def prepare(state: Path, *, products: Sequence[Mapping[str, str]] = (), limits: str = "off") -> None:
    """Lay out a new state folder with the demo estate; an existing one keeps its estate.

    `products` (name, list price) replace the demo estate's catalogue. With `limits` real, each connection is given
    the budget that its vendor documents.
    """
    state.mkdir(parents=True, exist_ok=True)
    folder = state / "estate"
    if not folder.exists():
        source = Path(str(demo_estate.__file__)).parent
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__*"))
        if limits == "real":
            _budget(folder / "connections.yaml")
        if products:
            (folder / "reference" / "product.csv").write_text(_product_table(products), encoding="utf-8")
    if not (state / "secrets.json").exists():
        save_store(state / "secrets.json", _sandbox_secrets(folder))


def _budget(connections: Path) -> None:
    lines: list[str] = []
    for line in connections.read_text(encoding="utf-8").splitlines():
        lines.append(line)
        vendor = line.removeprefix("    vendor: ")
        lines.extend(f"    {name}: {value}" for name, value in DOCUMENTED_LIMITS.get(vendor, {}).items())
    connections.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _sandbox_secrets(folder: Path) -> dict[str, str]:
    """The fixed, public credentials of the sandboxes, under the names that the connections give them."""
    values: dict[str, str] = {}
    for entry in load_connections(folder):
        if entry.base_url.startswith(SANDBOX) and entry.vendor in VENDORS:
            seed = VENDORS[entry.vendor].sandbox_seed
            for name, reference in entry.credentials.items():
                values[reference.removeprefix("secret:")] = seed.credentials[name]
            for reference, secret in zip(entry.webhook_secrets, seed.webhook_secrets, strict=False):
                values[reference.removeprefix("secret:")] = secret
    return values


def _product_table(products: Iterable[Mapping[str, str]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header = "value target owner effective_from effective_to name list_price currency service_tier".split()
    writer.writerow(header)
    for product in products:
        name, price = product["name"], product["list_price"]
        sku = name.upper().replace(" ", "-")
        writer.writerow([name, sku, "product operations", "", "", name, price, "USD", _tier(price)])
    return out.getvalue()


def _tier(list_price: str) -> str:
    whole = int(list_price.partition(".")[0]) * 100
    return next((tier for limit, tier in _TIERS if whole < limit), "premium")


_POSTED_UNDER = ("credit_reason", "credit_note_reason", "tax_item")


def world_of(state: Path, *, hook_url: str, webhook_secret: str) -> World:
    """What the estate knows of, for furnishing a sandbox: products, what credits are posted under, legal entities."""
    tables = load_estate(state / "estate").tables
    entities = (row for rows in tables["legal_entity"].values() for row in rows)
    return World(
        products=_items(tables["product"]),
        credit_items=tuple(item for name in _POSTED_UNDER for item in _items(tables.get(name, {}))),
        legal_entities=tuple(LegalEntity(code=row.value, erp_id=row.target) for row in entities),
        hook_url=hook_url,
        webhook_secret=webhook_secret,
    )


def _items(table: Mapping[str, tuple[ReferenceRow, ...]]) -> tuple[CatalogueItem, ...]:
    """One for each target, under the first name that a row gives it."""
    rows = [row for rows in table.values() for row in rows]
    named = {row.target: row.attributes["name"] for row in reversed(rows)}
    return tuple(CatalogueItem(product_id=target, name=name) for target, name in reversed(named.items()))


def write_private(path: Path, value: object) -> None:
    """Write JSON that only its owner may read, all or nothing."""
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_bytes(msgspec.json.encode(value))
    temporary.replace(path)


def command_token(state: Path) -> str:
    """The key for the platform's commands, made once for each state folder."""
    path = state / "token"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(new_token(), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
