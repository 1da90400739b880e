"""What a run left behind, as a table that a newcomer understands."""

from typing import Any

from rich.text import Text

from accordant.experience.cli.grid import Column, print_grid
from accordant.experience.cli.screen import Screen, cell, money_text

Json = dict[str, Any]
_SYSTEMS = {"crm": "CRM", "billing": "billing", "erp": "ERP", "support": "support"}
_COLUMNS = ("customers", "parents", "subscriptions", "orders", "entitlements")
_GRID = [Column("system", is_whole=True)] + [
    Column(name, is_right=True, is_whole=True) for name in (*_COLUMNS, "money")
]


def show_pass(screen: Screen, title: str, *, one: Json) -> None:
    """Four systems, then what is open."""
    done = one["transactions"].get("completed", 0)
    # An expansion replaces what its deal sold: the sum of all deals would be more than any system holds.
    amended = one["systems"]["billing"]["subscriptions"] != done
    worth = (
        "" if amended else ", ".join(money_text(total, currency) for currency, total in one["completed_minor"].items())
    )
    screen.say("")
    screen.say(title, style="bold")
    screen.say(f"{done:,} of {one['deals_won']:,} won deals completed" + (f", worth {worth}." if worth else "."))
    print_grid(screen, _GRID, rows=[_row(role, label, counts=one["systems"][role]) for role, label in _SYSTEMS.items()])
    wrong = [f"{one[name]} {words}" for name, words in _PROMISES.items() if one[name]]
    screen.say("")
    if wrong:
        screen.say(f"{screen.mark('rejected')} Promises broken: {', '.join(wrong)}", style="bold red")
    else:
        screen.say("Nothing twice, nothing lost, nothing half done unowned, nothing out of date.")


_PROMISES = {
    "duplicate_effects": "duplicate effects",
    "lost_events": "lost events",
    "partial_without_exception": "half done without an exception",
    "stale_overwrites": "out of date in support",
}
_HELD = {"crm": ("customers", "parents"), "billing": ("customers", "parents", "subscriptions")} | {
    "erp": ("customers", "parents", "orders"),
    "support": ("customers", "parents", "entitlements"),
}


def _row(role: str, label: str, *, counts: Json) -> list[Text]:
    currency = counts["currency"]
    money = money_text(counts["total_minor"], currency) if isinstance(currency, str) else ""
    return [cell(text) for text in (label, *(_number(role, name, count=counts[name]) for name in _COLUMNS), money)]


def _number(role: str, name: str, *, count: int) -> str:
    """Empty where the system has no such thing."""
    return f"{count:,}" if name in _HELD[role] or count else ""


def show_open(screen: Screen, causes: list[Json]) -> None:
    """Every open cause: what, how much, who, and what it may have meant."""
    screen.say("")
    if not causes:
        screen.say("Nothing is open.")
        return
    screen.say("Open, each with an owner:", style="bold")
    for one in causes:
        worth = money_text(one["amount_minor"], one["currency"] or "") if one["amount_minor"] else ""
        about = f", {worth}" if worth else ""
        where = "deal" if one["count"] == 1 else "deals"
        screen.say(f"  {screen.mark('exception')} {one['cause']}")
        screen.say(f"      {one['count']:,} {where}{about}; owner: {one['owner']}; {one['cause_group']}")
        if one["candidates"]:
            screen.say(f"      perhaps meant: {', '.join(one['candidates'])}")


def show_next(screen: Screen, commands: list[tuple[str, str]]) -> None:
    """What to look at next: exact commands, one a line, never wrapped."""
    screen.say("")
    screen.say("Look at it (these work without a running platform):", style="bold")
    for command, what in commands:
        screen.say(f"  # {what}", style="dim")
        screen.console.print(f"  {command}", soft_wrap=True)
