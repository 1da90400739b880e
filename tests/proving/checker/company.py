"""A small company's year as a history that holds, made of plain rows; tests take it and spoil one thing."""

import json
from typing import Any

import msgspec

from accordant.backbone.rows import EffectRow, ExceptionRow, MessageRow, TransactionRow
from accordant.proving.checker.history import (
    Acknowledged,
    Ambiguity,
    Applied,
    Expected,
    Final,
    History,
    Records,
    Truth,
)

HEALED_MS, AT_REST_MS = 1_000_000, 1_010_000
TIERS = ("standard", "plus", "premium")
_replace = msgspec.structs.replace


def blank(row: type[Any], /, **fields: Any) -> Any:
    """A row whose other columns are empty."""
    empty: dict[Any, Any] = {int: 0, bytes: b"", str: ""}
    values = {one.name: fields.get(one.name, empty.get(one.type)) for one in msgspec.structs.fields(row)}
    return row(**values)


class Company:
    """Everything that is known about a few deals; each method tells one more and what it left behind."""

    def __init__(self) -> None:
        self.expected: list[Expected] = []
        self.final: list[Final] = []
        self.acknowledged: list[Acknowledged] = []
        self.ambiguities: list[Ambiguity] = []
        self.canaries: tuple[str, ...] = ("whsec_canary/one+1",)
        self.applied: list[Applied] = []
        self.messages: list[MessageRow] = []
        self.transactions: list[TransactionRow] = []
        self.effects: list[EffectRow] = []
        self.exceptions: list[ExceptionRow] = []
        self.audit: list[dict[str, Any]] = []
        self.artefacts: dict[str, bytes] = {"platform.log": b"started\n", "table effect": b"acc-1\tconfirmed"}
        self.chain_problem = ""
        self.held_otherwise: dict[tuple[str, str, str], dict[str, Any] | None] = {}
        self.asked: tuple[str, ...] = ("billing", "erp", "support", "crm")
        self.moments: tuple[int, int] = (HEALED_MS, AT_REST_MS)
        self._versions: dict[str, int] = {}
        self._ends: dict[str, str] = {}
        self._now = 1_000

    # -- what happens ------------------------------------------------------------------------------------------------

    def deal(self, number: str, *, customer: str, amount: int = 100_00, stops_before: str = "") -> str:
        """A won deal, carried out up to the step where it stops for a person, if it does; gives its transaction."""
        transaction = self.opens(number, lane=customer)
        tier = TIERS[len(number) % 3]
        if customer not in self._versions:
            for system in ("erp", "billing", "support"):
                self.wants(number, system, "customer", customer)
        for system, kind in (("billing", "subscription"), ("erp", "order")):
            self.wants(number, system, kind, f"{kind}-{number}", amount=amount)
        version = self._versions.get(customer, 0) + 1
        ends = f"{2026 + version}-01-01"
        change = "create" if version == 1 else "update"
        says = {"service_tier": tier, "ends_on": ends}
        self.wants(number, "support", "entitlement", customer, change=change, version=version, says=says)
        self.wants(number, "crm", "opportunity", number, change="update")
        for one in [one for one in self.expected if one.transaction == number]:
            if one.kind == stops_before:
                self.stops(transaction, code="vendor.rejected", step=f"{one.change} {one.kind}")
                return transaction
            self.writes(transaction, one)
        self._versions[customer], self._ends[customer] = version, ends
        self.ends(transaction)
        return transaction

    def expansion(self, number: str, *, of: str, customer: str, amount: int) -> str:
        """A deal that changes what another one sold."""
        transaction = self.opens(number, lane=customer)
        for system, kind in (("billing", "subscription"), ("erp", "order")):
            self.wants(number, system, kind, f"{kind}-{of}", change="update", amount=amount)
        for one in [one for one in self.expected if one.transaction == number]:
            self.writes(transaction, one)
        self.ends(transaction)
        return transaction

    def taken_back(self, number: str, *, customer: str, amount: int = 50_00) -> str:
        """A deal that was carried out in part, and of which nothing is left but the customer."""
        transaction = self.opens(number, lane=customer)
        if customer not in self._versions:
            self.wants(number, "billing", "customer", customer)
        self.wants(number, "billing", "subscription", f"subscription-{number}", amount=amount)
        for one in [one for one in self.expected if one.transaction == number]:
            self.writes(transaction, one)
            if one.kind != "customer":
                self.writes(transaction, _replace(one, change="update"), name=f"undo {one.kind}", status="canceled")
        self.wants(number, "erp", "order", f"order-{number}", amount=amount)
        self.ends(transaction, state="compensated")
        return transaction

    def remark(self, ticket: str, *, applied: bool, settled: bool = False) -> str:
        """A public comment, of class D, whose answer was taken away; a person says afterwards what became of it."""
        transaction = self.opens(f"remark on {ticket}", lane=ticket)
        one = Expected(system="support", kind="comment", business_id=ticket, transaction=f"remark on {ticket}")
        effect = self._effect(transaction, one, name="comment")
        if applied:
            self._line(one, key="", status="public")
        self.ambiguities.append(Ambiguity(system="support", business_id=ticket, outcome="ok" if applied else "unknown"))
        if settled:
            self._confirms(effect)
            self.ends(transaction)
        else:
            self.effects[-1] = _replace(effect, state="unknown", effect_class="D")
            self.stops(transaction, code="effect.in_doubt", step="comment")
        self.effects[-1] = _replace(self.effects[-1], effect_class="D")
        return transaction

    def delivery(self, name: str, *, outcome: Any = "ok", state: str = "published", kept: bool = True) -> None:
        """A webhook, what its sender learned, and what became of it."""
        self.acknowledged.append(Acknowledged(connection="stripe", delivery_id=name, outcome=outcome))
        if kept:
            row = {"message_id": f"msg-{name}", "connection": "stripe", "delivery_id": name, "state": state}
            self.messages.append(blank(MessageRow, tenant="demo", stream="webhook", **row))

    # -- its parts ---------------------------------------------------------------------------------------------------

    def wants(
        self,
        number: str,
        system: str,
        kind: str,
        business_id: str,
        *,
        change: str = "create",
        amount: Any = None,
        version: int = 0,
        says: dict[str, Any] | None = None,
    ) -> None:
        one = Expected(
            system=system,
            kind=kind,
            business_id=business_id,
            transaction=number,
            change=change,
            amount_minor=amount,
            currency="EUR" if amount is not None else "",
            version=version,
            says=says or {},
            tenant="demo",
            legal_entity="EU01",
        )
        self.expected.append(one)

    def opens(self, subject: str, *, lane: str) -> str:
        self._now += 10
        transaction = f"tx-{subject}"
        row = {"transaction_id": transaction, "subject": subject, "lane": lane, "lane_seq": self._now}
        times = {"opened_at_ms": self._now, "changed_at_ms": self._now}
        self.transactions.append(
            blank(TransactionRow, tenant="demo", state="running", turn=1, waivers="", **row, **times)
        )
        self._tell(transaction, "transaction.opened", subject)
        return transaction

    def writes(self, transaction: str, one: Expected, *, name: str = "", status: str = "open") -> None:
        effect = self._effect(transaction, one, name=name or f"{one.change} {one.system} {one.kind}")
        self._line(one, key=effect.key, status=status)
        self._confirms(effect)

    def stops(self, transaction: str, *, code: str, step: str, owner: str = "finance operations") -> None:
        self._now += 1
        at = self._find(transaction)
        self.transactions[at] = _replace(self.transactions[at], state="exception")
        subject = self.transactions[at].subject
        item = {"exception_id": f"exc-{transaction}-{self._now}", "transaction_id": transaction, "code": code}
        self.exceptions.append(
            blank(
                ExceptionRow,
                subject=subject,
                step=step,
                owner=owner,
                state="open",
                opened_at_ms=self._now,
                detail="{}",
                **item,
            )
        )
        self._tell(transaction, "exception.opened", item["exception_id"])
        self._tell(transaction, "transaction.parked", subject)

    def ends(self, transaction: str, *, state: str = "completed") -> None:
        self._now += 1
        at = self._find(transaction)
        row = _replace(self.transactions[at], state=state, turn=2, ended_at_ms=self._now)
        self.transactions[at] = row
        self._tell(transaction, f"transaction.{state}", row.subject)

    def _find(self, transaction: str) -> int:
        return next(at for at, row in enumerate(self.transactions) if row.transaction_id == transaction)

    def _effect(self, transaction: str, one: Expected, *, name: str) -> EffectRow:
        row = {"transaction_id": transaction, "name": name, "version": 1, "system": one.system, "kind": one.kind}
        key = f"acc-{transaction}-{name}" if one.system == "billing" else f"own-{transaction}-{name}"
        effect = blank(
            EffectRow, business_id=one.business_id, key=key, state="sent", attempts=1, own=1, n=len(self.effects), **row
        )
        self.effects.append(effect)
        return effect

    def _confirms(self, effect: EffectRow) -> None:
        self._now += 1
        native = _native(effect.system, effect.kind, effect.business_id)
        confirmed = _replace(
            effect, state="confirmed", native_id=native, confirmed_at_ms=self._now, request_hash="r", response_hash="s"
        )
        self.effects[self.effects.index(effect)] = confirmed
        detail = {
            "version": 1,
            "key": effect.key,
            "native_id": native,
            "business_id": effect.business_id,
            "request_sha256": "r",
            "response_sha256": "s",
        }
        self._tell(effect.transaction_id, "effect.confirmed", effect.name, **detail)

    def _line(self, one: Expected, *, key: str, status: str) -> None:
        native = _native(one.system, one.kind, one.business_id)
        self.applied.append(
            Applied(
                system=one.system,
                n=1 + sum(line.system == one.system for line in self.applied),
                operation="",
                kind=one.kind,
                change=one.change,
                native_id=native,
                business_id=one.business_id,
                amount_minor=one.amount_minor,
                currency=one.currency,
                key=key if one.system == "billing" else "",
                body={"id": native, "status": status, "fields": {f"x_{name}": v for name, v in one.says.items()}},
            )
        )

    def _tell(self, transaction: str, action: str, subject: str, **detail: Any) -> None:
        self.audit.append(
            {
                "segment": "main",
                "n": len(self.audit) + 1,
                "at_ms": self._now,
                "transaction_id": transaction,
                "action": action,
                "subject": subject,
                "detail": json.dumps(detail),
            }
        )

    def _held(self) -> dict[str, dict[str, list[dict[str, Any]]]]:
        """What the ledgers' last lines leave, in canonical words."""
        records: dict[tuple[str, str, str], dict[str, Any] | None] = {}
        for line in self.applied:
            place = (line.system, line.kind, line.business_id)
            words = {name[2:]: value for name, value in line.body.get("fields", {}).items()}
            record = {"business_id": line.business_id, "status": line.body.get("status"), **words}
            if line.amount_minor is not None:
                record |= {"amount_minor": line.amount_minor, "currency": line.currency}
            records[place] = None if line.change == "delete" else record
        records.update(self.held_otherwise)
        held: dict[str, dict[str, list[dict[str, Any]]]] = {}
        for (system, kind, _), record in records.items():
            if system in self.asked and record is not None:
                held.setdefault(system, {}).setdefault(kind, []).append(record)
        return held

    def history(self) -> History:
        return History(
            truth=Truth(
                expected=tuple(self.expected),
                final=tuple(self.final),
                acknowledged=tuple(self.acknowledged),
                ambiguities=tuple(self.ambiguities),
                canaries=self.canaries,
            ),
            applied=tuple(self.applied),
            held=self._held(),
            records=Records(
                messages=tuple(self.messages),
                transactions=tuple(self.transactions),
                effects=tuple(self.effects),
                exceptions=tuple(self.exceptions),
                audit=tuple(self.audit),
                chain_problem=self.chain_problem,
            ),
            artefacts=self.artefacts,
            healed_ms=self.moments[0],
            at_rest_ms=self.moments[1],
        )


def _native(system: str, kind: str, business_id: str) -> str:
    return f"{system[:2]}_{kind[:3]}_{business_id}"


def year() -> Company:
    """Three customers' deals, a change, a stop, one that was taken back, a remark in doubt, and some deliveries."""
    company = Company()
    company.deal("D-1", customer="customer-a")
    company.deal("D-02", customer="customer-a", amount=250_00)
    company.deal("D-3", customer="customer-b", amount=99_99)
    company.expansion("X-1", of="D-3", customer="customer-b", amount=120_00)
    company.deal("D-4", customer="customer-c", stops_before="order")
    company.taken_back("D-5", customer="customer-d")
    company.remark("ticket-1", applied=True)
    company.remark("ticket-2", applied=False)
    company.delivery("evt-1")
    company.delivery("evt-2", state="ignored")
    company.delivery("evt-3", outcome="unknown")
    company.delivery("evt-4", outcome="unknown", kept=False)
    company.delivery("evt-5", outcome="failed", kept=False)
    return company
