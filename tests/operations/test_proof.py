"""A proof holds when ledger, read-back and audit agree, and breaks at the smallest change of one of them."""

from typing import Any

import pytest
from sqlalchemy import Connection, update

from accordant.backbone.rows import EffectRow, effect_table
from accordant.operations.proof import Proof, prove
from accordant.operations.transactions import story
from accordant.telemetry.audit import AuditEntry, audit_table
from tests.operations import stored
from tests.operations.stored import Storage


def proof_of(storage: Storage, tx: int = 1) -> Proof:
    def query(connection: Connection) -> Proof:
        told = story(connection, f"tx-{tx:024x}")
        assert told is not None
        return prove(connection, told)

    return storage.database.read_now(query)


async def a_deal(storage: Storage, effects: list[EffectRow], audit: list[AuditEntry] | None = None) -> None:
    entries = [line for one in effects if one.state == "confirmed" for line in stored.told(one)]
    await storage.put(stored.event(), stored.transaction(), *effects, audit=entries if audit is None else audit)


async def test_a_whole_deal_is_proven_in_the_order_of_the_systems(storage: Storage) -> None:
    await a_deal(storage, stored.onboarding())
    proof = proof_of(storage)
    assert proof.proven
    assert [line.system for line in proof.lines] == ["crm", "billing", "billing", "erp", "erp", "support"]
    assert proof.audit.valid
    assert proof.audit.entries == 12
    assert proof.untouched == ()


async def test_a_system_that_was_not_written_is_named(storage: Storage) -> None:
    await a_deal(storage, [stored.effect()])
    assert proof_of(storage).untouched == ("crm", "erp", "support")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"checked": ""}, "billing: start subscription is not yet read back"),
        ({"checked": "different"}, "billing: start subscription is different"),
        ({"state": "unknown", "checked": ""}, "billing: start subscription is unknown"),
        ({"state": "sent", "checked": ""}, "billing: start subscription is sent"),
        ({"state": "rejected", "checked": ""}, "billing: start subscription is rejected"),
    ],
)
async def test_an_effect_that_is_not_verified_is_not_proven(
    storage: Storage, changed: dict[str, Any], said: str
) -> None:
    await a_deal(storage, [stored.effect(**changed)])
    assert proof_of(storage).problems == (said,)


async def test_a_refused_version_followed_by_a_confirmed_one_does_not_stand_in_the_way(storage: Storage) -> None:
    await a_deal(storage, [stored.effect(state="rejected", checked=""), stored.effect(version=2)])
    proof = proof_of(storage)
    assert proof.proven
    assert len(proof.lines) == 1


async def test_what_a_later_effect_changed_is_proven_and_not_called_verified(storage: Storage) -> None:
    await a_deal(storage, [stored.effect(checked="superseded")])
    assert proof_of(storage).proven
    assert proof_of(storage).lines[0].read_back == "superseded"


async def test_a_transaction_that_has_not_ended_is_not_proven(storage: Storage) -> None:
    await a_deal(storage, stored.onboarding())
    await storage.put(stored.transaction(state="exception"))
    assert proof_of(storage).problems == ("the transaction has not ended: exception",)


@pytest.mark.parametrize("field", ["key", "native_id", "business_id", "request_hash", "response_hash"])
async def test_a_ledger_that_was_changed_afterwards_disagrees(storage: Storage, field: str) -> None:
    await a_deal(storage, [stored.effect()])
    with storage.database.engine.begin() as connection:
        connection.execute(update(effect_table).values({field: "forged"}))
    proof = proof_of(storage)
    assert not proof.audit_agrees
    assert not proof.proven
    assert "differ in" in proof.problems[0]


async def test_an_effect_without_its_audit_entry_is_not_proven(storage: Storage) -> None:
    await a_deal(storage, [stored.effect()], audit=[stored.entry("effect.verified", subject="start subscription")])
    assert "has 0 audit entries" in proof_of(storage).problems[0]


async def test_an_effect_confirmed_twice_in_the_audit_is_not_proven(storage: Storage) -> None:
    one = stored.effect()
    await a_deal(storage, [one], audit=[*stored.told(one), stored.told(one)[0]])
    assert "has 2 audit entries" in proof_of(storage).problems[0]


async def test_an_effect_that_vanished_from_the_ledger_is_missed(storage: Storage) -> None:
    one = stored.effect()
    await a_deal(storage, [], audit=stored.told(one))
    assert "which the ledger does not" in proof_of(storage).problems[0]


async def test_verified_without_a_read_back_in_the_audit_is_not_believed(storage: Storage) -> None:
    one = stored.effect()
    await a_deal(storage, [one], audit=stored.told(one)[:1])
    assert "no read-back" in proof_of(storage).problems[0]


async def test_a_changed_audit_entry_anywhere_breaks_the_proof(storage: Storage) -> None:
    await a_deal(storage, stored.onboarding())
    await storage.put(audit=[stored.entry("transaction.opened", 2)])
    with storage.database.engine.begin() as connection:
        connection.execute(update(audit_table).where(audit_table.c.n == 13).values(actor="somebody else"))
    proof = proof_of(storage)
    assert not proof.audit.valid
    assert proof.problems == ("the audit chain is broken at main/13",)
