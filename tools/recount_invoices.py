"""Recounts a retailer's invoices from the file and from the systems' own ledgers, trusting nothing the product says.

    python tools/recount_invoices.py --ledgers STATE/ledger --invoices FILE.csv

Standard library only. Exit code 0 when file, billing and books agree, 1 when they do not, 2 when a file cannot be read.
What a line means is written down here a second time, on purpose: a mistake would have to be made twice.
"""

import argparse
import csv
import json
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Totals = dict[str, tuple[int, int]]
"""`invoices` and `credits`: how many, and how many pence."""


def read_file(path: Path) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """Pence by number of invoices and of credits, and what was rejected by reason."""
    with path.open(encoding="latin-1", newline="") as file:
        rows = list(csv.reader(file))[1:]
    invoices: Counter[str] = Counter()
    credits_: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    for number, _, _, quantity, _, price, customer, _ in rows:
        pence = int(Decimal(price) * 100)
        if not customer:
            rejected["no customer"] += 1
        elif not pence:
            rejected["price of zero"] += 1
        elif number.startswith("C"):
            credits_[number] += -int(quantity) * pence
        else:
            invoices[number] += int(quantity) * pence
    return invoices, credits_, rejected


def read_ledger(path: Path) -> list[Json]:
    """The last that a system wrote of each record."""
    last: dict[tuple[str, str], Json] = {}
    for text in path.read_text(encoding="utf-8").splitlines():
        line: Json = json.loads(text)
        if line["change"] == "delete":
            last.pop((line["kind"], line["native_id"]), None)
        else:
            last[line["kind"], line["native_id"]] = line
    return list(last.values())


def in_billing(lines: list[Json]) -> tuple[Counter[str], Counter[str]]:
    """Pence by number: finalized invoices; credit notes that stand, and credits entered on balances."""
    invoices: Counter[str] = Counter()
    credits_: Counter[str] = Counter()
    for line in lines:
        body = line["body"]
        if line["kind"] == "invoice" and body["status"] not in ("draft", "void"):
            invoices[body["number"]] += line["amount_minor"]
        elif line["kind"] == "credit_note" and body["status"] != "void":
            credits_[body["metadata"].get("document_number", body["number"])] += line["amount_minor"]
        elif line["kind"] == "credit" and body["type"] == "adjustment":
            credits_[body["metadata"].get("document_number", line["native_id"])] += line["amount_minor"]
    return invoices, credits_


def in_books(lines: list[Json]) -> tuple[Counter[str], Counter[str]]:
    """Pence by number: invoices, and credit memos."""
    invoices: Counter[str] = Counter()
    credits_: Counter[str] = Counter()
    for line in lines:
        if line["kind"] in ("invoice", "credit_memo"):
            side = invoices if line["kind"] == "invoice" else credits_
            side[str(line["body"].get("otherRefNum") or line["business_id"])] += line["amount_minor"]
    return invoices, credits_


def differences(wanted: Counter[str], held: Counter[str], *, where: str, what: str) -> list[str]:
    """Every number on which the two do not agree, in a sentence."""
    return [
        f"{what} {number}: {wanted.get(number, 0)} pence in the file, {held.get(number, 0)} in {where}"
        for number in sorted(wanted.keys() | held.keys())
        if wanted.get(number, 0) != held.get(number, 0)
    ]


def main(arguments: list[str]) -> int:
    """Recount; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--ledgers", type=Path, required=True, help="folder with billing.jsonl and erp.jsonl")
    parser.add_argument("--invoices", type=Path, required=True, help="the retailer's file")
    asked = parser.parse_args(arguments)
    try:
        invoices, credits_, rejected = read_file(asked.invoices)
        billing = in_billing(read_ledger(asked.ledgers / "billing.jsonl"))
        books = in_books(read_ledger(asked.ledgers / "erp.jsonl"))
    except (OSError, ValueError, KeyError, ArithmeticError) as wrong:
        sys.stderr.write(f"it cannot be recounted: {wrong!r}\n")
        return 2
    for where, (given, taken) in (("file", (invoices, credits_)), ("billing", billing), ("books", books)):
        pounds = [Decimal(side) / 100 for side in (sum(given.values()), -sum(taken.values()))]
        counted = f"{len(given):5} invoices {pounds[0]:14,.2f}   {len(taken):4} credits {pounds[1]:12,.2f}"
        print(f"{where:8} {counted}")
    print("rejected " + ", ".join(f"{n:,} lines: {reason}" for reason, n in sorted(rejected.items())))
    found = [
        sentence
        for where, (given, taken) in (("billing", billing), ("the books", books))
        for sentence in (
            *differences(invoices, given, where=where, what="invoice"),
            *differences(credits_, taken, where=where, what="credit"),
        )
    ]
    for sentence in found[:20]:
        print(sentence)
    print(f"{len(found)} differences" if found else "file, billing and books agree, document by document")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
