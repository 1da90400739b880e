"""Bodies that were good once: each is changed a little, and every door must read it or refuse it by name."""

import base64
import contextlib
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from accordant.connector.deliveries import name_of
from accordant.connector.exchange import Answer
from accordant.connector.strict_json import decode, encode
from accordant.governance.problems import File, Problems
from accordant.governance.reference_files import read_table
from accordant.governance.strict_yaml import read_yaml
from accordant.kernel import dates, money
from accordant.kernel.errors import AccordantError, Malformed, Unverified
from accordant.wiring import VENDORS
from tests.bad_input.makers import EVENT
from tests.bad_input.surfaces import ROW, Deal, EstateFile, Export, message
from tests.bad_input.table import Input

_ZENDESK = (
    b'{"id":"a1","type":"zen:event-type:organization.custom_field_changed","subject":"x","time":"2026-11-21T12:00:00Z",'
    b'"detail":{"external_id":"customer-1","name":"Acme"},"event":{"field":{"title":"Accordant country"}}}'
)
_CREDIT = (
    b'{"id":"a2","type":"zen:event-type:ticket.custom_field_changed","subject":"x","time":"2026-11-21T12:00:00.5Z",'
    b'"detail":{"id":"5158","actor_id":"7","organization_id":"9","priority":"HIGH","subject":"Down"},'
    b'"event":{"custom_field":{"title":"Accordant credit request"},"current":{"value":"120.00 outage"}}}'
)
_INVOICE = (
    b'{"id":"evt_2","object":"event","type":"invoice.finalized","created":1763640000,"data":{"object":{"id":"in_1",'
    b'"number":"N-1","customer":"cus_1","currency":"usd","created":1763640000,"status":"open","total":107,'
    b'"lines":{"data":[{"id":"il_1","amount":100,"currency":"usd","quantity":1,"period":{"start":1,"end":2}}]},'
    b'"amount_due":107,"amount_paid":0,"amount_remaining":107,"total_taxes":[{"amount":7}]}}}'
)
_TOKENS = [
    *(b'{ } [ ] " : , \\ \\u0000 \\ud800 null true NaN'.split()),
    *b'-Infinity 1e400 1E+1000000 -0 00 1_0 +1 .5 5. " " // <a>'.split(),
    *(b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\x00", b"\xef\xbb\xbf", b"\n", b"\r\n", b"\t", b"'", b"&a *a", b"!!x "),
    *("１２ ٣ İ ß Аcme \u202e \u200b é".encode().split(b" ")),
    *(b"9" * 50, b"[" * 70, b'{"a":' * 70, b"9999-12-31", b"1970-01-01", b"2026-W53-1", b"2026-11-21T12:00:00"),
]
Feed = Callable[[bytes], object]


def mutate(body: bytes, rng: random.Random) -> bytes:
    """A few changes: bytes flipped, cut out, doubled, moved, or replaced by something that is known to hurt."""
    made = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randrange(len(made) + 1)
        until = min(len(made), at + rng.choice((0, 1, 2, 5, 20, 80)))
        kind = rng.randrange(6)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del made[at:until]
        elif kind == 2:
            made[at:at] = made[at:until]
        elif kind == 3:
            made[at:until] = rng.choice(_TOKENS)
        elif kind == 4:
            made[at:at] = rng.choice(_TOKENS)
        else:
            piece = bytes(made[at:until])
            to = rng.randrange(len(made) + 1)
            made[to:to] = piece
    return bytes(made)


class Fuzz:
    """Every surface that reads without storing, with a good body to begin from and how often it is taken."""

    def __init__(self, folder: Path) -> None:
        self.deal, self.estate, self.export = Deal(folder / "d"), EstateFile(folder / "e"), Export(folder / "x")
        for one in (self.deal, self.estate, self.export):
            one.folder.mkdir(parents=True)
        self.targets: list[tuple[str, Sequence[bytes], Feed, int]] = []

    async def warm(self) -> None:
        """Load the good files, and name the surfaces."""
        for one in (self.deal, self.estate, self.export):
            await one.warm()
        row = msgspec.json.encode(ROW)
        texts = [b"1054.00", b"2026-11-21", b"2026-11-21T12:00:00.123+01:00", b"USD"]
        tables = [path.read_bytes() for path in sorted((self.estate.estate / "reference").glob("*.csv"))]
        files = [(self.estate.estate / name).read_bytes() for name in ("connections.yaml", "ownership.yaml")]
        deals = [good.encode() for good in self.export.GOOD.values()]
        self.targets = [
            ("stripe", [EVENT, _INVOICE], self._event("stripe"), 200),
            ("zendesk", [_ZENDESK, _CREDIT], self._event("zendesk"), 200),
            ("deal", [row], self.deal.understand, 300),
            ("answer", [b'{"records":[' + row + b'],"done":true}', b"[" + EVENT + b"]"], _answer, 150),
            ("signature", [b"t=1795262400,v1=" + b"0" * 64, b"2026-11-21T12:00:00Z"], _signature, 60),
            ("text", texts, _text, 60),
            ("table", [one[:400] for one in tables], self._table, 60),
            ("export", deals, self._export, 40),
            ("yaml", [one[:300] for one in files], self._yaml, 60),
        ]

    def run(self, count: int, *, seed: int) -> dict[str, int]:
        """Feed `count` bodies; how many each surface got. Raises AssertionError with the body, in base64, that hurt."""
        fed: dict[str, int] = {}
        shares = sum(share for *_, share in self.targets)
        for name, goods, feed, share in self.targets:
            rng = random.Random(f"{seed}/{name}")
            for _ in range(max(1, count * share // shares)):
                body = mutate(rng.choice(goods), rng)
                self.one(name, feed, body)
                fed[name] = fed.get(name, 0) + 1
        return fed

    def one(self, name: str, feed: Feed, body: bytes) -> None:
        """Read, or refused by name: anything else is a finding."""
        try:
            feed(body)
        except AccordantError as refused:
            json.dumps(refused.as_dict()).encode()
        except Exception as crash:
            raise AssertionError(f"{name}: {crash!r} at {base64.b64encode(body).decode()}") from crash

    def _event(self, vendor: str) -> Feed:
        translate = VENDORS[vendor].translate

        def feed(body: bytes) -> object:
            name = name_of(body, given="x")
            assert 0 < len(name) <= 255
            assert name.isascii()
            again(body)
            return translate(message(body, connection=vendor, stream="webhook"))

        return feed

    def _table(self, body: bytes) -> object:
        path = self.estate.folder / "product.csv"
        path.write_bytes(body)
        return read_table(path, File(path.name, Problems()))

    def _yaml(self, body: bytes) -> object:
        path = self.estate.folder / "fuzz.yaml"
        path.write_bytes(body)
        found = read_yaml(path, File(path.name, Problems()))
        return found.plain() if found else None

    def _export(self, body: bytes) -> object:
        encoded = base64.b64encode(body).decode()
        return self.export.read(Input(name="fuzz", to=[], code="", file="sales_pipeline.csv", base64=encoded))


def again(body: bytes) -> None:
    """What was read is written and read as the same."""
    try:
        value = decode(body)
    except Malformed:
        return
    assert decode(encode(value)) == value


def _answer(body: bytes) -> object:
    again(body)
    return Answer(status=200, headers={}, body=body).json()


def _signature(body: bytes) -> object:
    header = body.decode("latin-1")
    for vendor, name in (("stripe", "stripe-signature"), ("zendesk", "x-zendesk-webhook-signature-timestamp")):
        verify = VENDORS[vendor].verify
        assert verify is not None
        try:
            verify({name: header, "x-zendesk-webhook-signature": header}, EVENT, ("secret",), 1_795_262_400)
        except Unverified:
            continue
        raise AssertionError("a signature made of noise was believed")
    return None


def _text(body: bytes) -> object:
    text = body.decode("utf-8", "replace")
    readers: tuple[Callable[[str], object], ...] = (
        lambda given: money.parse_money(given, "USD"),
        dates.read_day,
        dates.read_instant_ms,
        lambda given: money.exponent(given),
    )
    for read in readers:
        with contextlib.suppress(Malformed):
            read(text)
    return None
