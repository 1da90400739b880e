"""The rules that hypothesis plays in any order: what sources, systems, clocks, operators and bad luck do."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accordant.operations.replay import Selection
from tests.stateful.business import ASKED, BOSSES, FIRST_WORDS, NOTED, PRODUCTS, TIERS, UNKNOWN
from tests.stateful.systems import FAULTS, SETTLE_S
from tests.stateful.world import Delivery, World

ORDERS = {"o1": "ann", "o2": "ann", "o3": "bob"}
"""Two of them share a lane."""
MINUTE, HOUR, DAY = 60, 3600, 86_400
_orders, _customers = st.sampled_from(sorted(ORDERS)), st.sampled_from(["ann", "bob"])
_who = st.sampled_from([BOSSES[:1], BOSSES[1:], BOSSES, ("sales",)])
_which = st.integers(0, 5)
_dropped = st.integers(0, 4).map(lambda n: n == 4)
_systems = st.sampled_from(["notes", "billing", "erp", "support", "tiers", "crm"])
_misfortunes = st.one_of(
    st.tuples(st.sampled_from(PRODUCTS), _systems, st.sampled_from(FAULTS)),
    st.tuples(st.just(NOTED), st.just("notes"), st.sampled_from(["timeout after", "5xx before", "slow"])),
)
_places = st.integers(1, 160)


def alive(machine: Any) -> bool:
    return machine.world.platform.alive


def on_the_way(machine: Any) -> bool:
    return alive(machine) and bool(machine.world.on_the_way)


class PlatformMachine(RuleBasedStateMachine):
    """One company, its customers, its systems, its people and its bad luck."""

    def fresh_url(self) -> str:
        """Address of a new database."""
        raise NotImplementedError

    def ended(self) -> None:
        """An example ended as it should."""

    @initialize(seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> None:
        self.failed = False
        self.steps = 0
        self.world = World(self.fresh_url(), seed=seed)

    # --- the source ---

    @rule(order=_orders, product=st.sampled_from(PRODUCTS), amount=st.sampled_from([100, 200]), dropped=_dropped)
    def edit_order(self, order: str, product: str, amount: int, dropped: bool) -> None:
        content = f"{product} {amount}"
        newest = self.world.clerk.newest("order", order)
        if newest is None or newest.content != content:
            self.world.edit("order", order, customer=ORDERS[order], content=content, dropped=dropped)

    @precondition(alive)
    @rule(order=_orders, actors=_who, yes=st.booleans(), later=st.sampled_from([0, 0, 30 * HOUR, 4 * DAY]))
    def order_needs_a_word(self, order: str, actors: tuple[str, ...], yes: bool, later: int) -> None:
        """Asked for, and answered at once, late or too late, in one step, so that examples get further."""
        if self.world.clerk.newest("order", order) is None:
            self.world.edit("order", order, customer=ORDERS[order], content=f"{ASKED} 200", dropped=False)
            self.world.deliver(self.world.on_the_way[-1])
        for act in (lambda: self.world.work(1), lambda: self.answer(0, actors, yes)):
            if alive(self):
                act()
                self.world.time.advance(later)

    @rule(customer=_customers, tier=st.sampled_from(TIERS), dropped=_dropped)
    def edit_tier(self, customer: str, tier: str, dropped: bool) -> None:
        newest = self.world.clerk.newest("tier", customer)
        if newest is None or newest.content != tier:
            self.world.edit("tier", customer, customer=customer, content=tier, dropped=dropped)

    @rule(order=_orders)
    def pay(self, order: str) -> None:
        known = self.world.clerk.newest("order", order)
        if known is not None and self.world.clerk.newest("payment", order) is None:
            self.world.edit("payment", order, customer=ORDERS[order], content="paid", dropped=False)

    @precondition(alive)
    @rule(order=_orders, met=_misfortunes)
    def order_meets_a_fault(self, order: str, met: tuple[str, str, str]) -> None:
        """The commonest misfortune in one step, so that examples get further."""
        product, system, fault = met
        if self.world.clerk.newest("order", order) is None:
            self.world.systems.named(system).plan.append(fault)
            self.world.edit("order", order, customer=ORDERS[order], content=f"{product} 100", dropped=False)
            self.world.deliver(self.world.on_the_way[-1])
        if alive(self):
            self.world.work(1)

    @precondition(on_the_way)
    @rule(which=_which, times=st.sampled_from([1, 1, 1, 2, 5]))
    def deliver(self, which: int, times: int) -> None:
        self.world.deliver(self.world.on_the_way[which % len(self.world.on_the_way)], times=times)

    @precondition(on_the_way)
    @rule()
    def deliver_all(self) -> None:
        for one in reversed(self.world.on_the_way):
            self.world.deliver(one)

    @precondition(lambda self: alive(self) and bool(self.world.delivered))
    @rule(which=_which)
    def deliver_again(self, which: int) -> None:
        self.world.deliver(self.world.delivered[which % len(self.world.delivered)])

    @precondition(lambda self: alive(self) and bool(self.world.delivered))
    @rule(which=_which)
    def deliver_other_body_under_the_same_id(self, which: int) -> None:
        known = self.world.delivered[which % len(self.world.delivered)]
        self.world.deliver(Delivery(known.delivery_id, known.body + b" ", f"{known.what}, altered"))

    @precondition(alive)
    @rule(which=st.integers(0, 2))
    def deliver_malformed(self, which: int) -> None:
        self.world.deliver(Delivery(f"bad-{which}", b'{"kind": 7' * (which + 1), f"malformed {which}"))

    @precondition(alive)
    @rule()
    def poll(self) -> None:
        self.world.poll()

    # --- systems ---

    @rule(system=_systems, fault=st.sampled_from(FAULTS))
    def fault(self, system: str, fault: str) -> None:
        self.world.systems.named(system).plan.append(fault)

    @rule(system=_systems)
    def go_down(self, system: str) -> None:
        self.world.systems.named(system).is_down = True

    @rule(lag_s=st.sampled_from([0.5, SETTLE_S - 0.1]))
    def lag_behind(self, lag_s: float) -> None:
        self.world.systems.erp.lag_s = self.world.systems.billing.lag_s = lag_s

    @rule()
    def heal(self) -> None:
        for one in self.world.systems.all():
            one.heal()

    # --- time ---

    @rule(seconds=st.sampled_from([MINUTE, HOUR, 20 * HOUR, 3 * DAY, 30 * DAY]))
    def time_passes(self, seconds: int) -> None:
        self.world.time.advance(seconds)

    @rule(hours=st.sampled_from([0, -1, 1, -24, 24]))
    def clock_jumps(self, hours: int) -> None:
        """While the platform is down nothing tells it how long it was: the vendors' memory for keys leaves an hour."""
        now_h = self.world.time.skew_s / HOUR
        self.world.time.skew_s = (hours if alive(self) else max(hours, now_h - 1)) * HOUR

    @precondition(alive)
    @rule(seconds=st.sampled_from([0.002, 0.01, 0.1, 1, 3]))
    def work(self, seconds: float) -> None:
        self.world.work(seconds)

    # --- death ---

    @precondition(alive)
    @rule(places=_places)
    def die_soon(self, places: int) -> None:
        self.world.platform.die_in(places)

    @precondition(alive)
    @rule()
    def kill(self) -> None:
        self.world.kill()

    @precondition(lambda self: not alive(self))
    @rule(again=st.one_of(st.none(), st.none(), _places))
    def restart(self, again: int | None) -> None:
        self.world.start(dies_again_in=again)

    # --- people; of two at once one acts: an item is never closed more often than it was opened (see Books.always) ---

    @precondition(alive)
    @rule(which=_which, people=st.sampled_from([1, 1, 2]))
    def retry(self, which: int, people: int) -> None:
        items = [one for one in self.world.books.tables()["exception"] if one.state == "open"]
        if items:
            name = items[which % len(items)].exception_id
            desk = self.world.platform.desk
            self.world.operate(*[lambda n=n: desk.retry(name, actor=f"ops {n}") for n in range(people)])

    @precondition(alive)
    @rule(which=_which, people=st.sampled_from([1, 1, 2]))
    def release(self, which: int, people: int) -> None:
        items = [one for one in self.world.books.tables()["exception"] if one.state == "open"]
        if items:
            cause = items[which % len(items)].cause_group
            desk = self.world.platform.desk
            self.world.operate(*[lambda n=n: desk.release(cause, actor=f"ops {n}") for n in range(people)])

    @precondition(alive)
    @rule(which=_which, actors=_who, yes=st.booleans())
    def let_answer(self, which: int, actors: tuple[str, ...], yes: bool) -> None:
        self.answer(which, actors, yes)

    def answer(self, which: int, actors: tuple[str, ...], yes: bool) -> None:
        """Of two who answer at once, with a yes and a no, one is heard."""
        asked = self.world.waiting()
        if asked:
            self.world.answer(asked[which % len(asked)], {name: yes == (n == 0) for n, name in enumerate(actors)})

    @precondition(alive)
    @rule(which=_which, kind=st.sampled_from(["inbox", "transaction"]), people=st.sampled_from([1, 1, 2]))
    def replay(self, which: int, kind: str, people: int) -> None:
        rows = self.world.books.tables()[kind]
        if rows:
            row = rows[which % len(rows)]
            name = row.message_id if kind == "inbox" else row.transaction_id
            replays = self.world.platform.replays
            wanted = Selection(ids=(name,))
            self.world.operate(*[lambda n=n: replays.run(wanted, tenant="t", actor=f"ops {n}") for n in range(people)])

    @precondition(alive)
    @rule(which=_which)
    def replay_while_it_is_retried(self, which: int) -> None:
        items = [one for one in self.world.books.tables()["exception"] if one.state == "open" and one.message_id]
        if items:
            item = items[which % len(items)]
            wanted = Selection(ids=(item.message_id,))
            platform = self.world.platform
            self.world.operate(
                lambda: platform.desk.retry(item.exception_id, actor="ops 1"),
                lambda: platform.replays.run(wanted, tenant="t", actor="ops 2"),
            )

    @rule(
        knows_more=st.booleans(),
        on_failure=st.sampled_from(["hold", "hold", "compensate"]),
        changed=st.sampled_from(["", "", "", "plain", "later"]),
        bosses=st.sampled_from([1, 2, 2]),
    )
    def edit_estate(self, knows_more: bool, on_failure: str, changed: str, bosses: int) -> None:
        words = FIRST_WORDS | ({UNKNOWN, "platnium"} if knows_more else set())
        meanings = {changed: f"the new {changed}"} if changed else {}
        self.world.decide(known=frozenset(words), on_failure=on_failure, meanings=meanings, bosses=bosses)

    # --- what must hold ---

    @invariant()
    def books_are_sound(self) -> None:
        if hasattr(self, "world"):
            self.failed = True
            self.steps += 1
            self.world.books.always()
            self.failed = False

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if not self.failed:
                self.world.come_to_rest()
                self.world.books.always()
                self.world.books.at_rest()
                self.ended()
        finally:
            self.world.close()
