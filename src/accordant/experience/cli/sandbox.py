"""`accordant sandbox`: run one vendor's offline double in this process."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from accordant.connector.sandbox import SandboxOptions, run
from accordant.kernel.settings import default_state, environment
from accordant.sandboxes import SANDBOXES
from accordant.wiring import VENDORS

app = typer.Typer(add_completion=False)


@app.command("sandbox")
def sandbox(
    vendor: Annotated[str, typer.Argument(help="salesforce, stripe, netsuite or zendesk")],
    state: Annotated[Path | None, typer.Option(help="state folder; the ledger is written below it")] = None,
    port: Annotated[int, typer.Option(help="port to listen on; 0 picks a free one")] = 0,
    limits: Annotated[str, typer.Option(help="off, or real: the vendor's documented limits")] = "off",
    seed: Annotated[int, typer.Option(help="seed of ids and faults")] = 0,
    option: Annotated[list[str] | None, typer.Option("--set", help="name=value, a setting of this vendor")] = None,
) -> None:
    """Run one vendor's sandbox until interrupted. `ACCORDANT_SANDBOX_TOKEN` opens its admin door."""
    if vendor not in SANDBOXES:
        raise typer.BadParameter(f"{vendor!r} is no vendor; choose one of {', '.join(SANDBOXES)}")
    if limits not in {"off", "real"}:
        raise typer.BadParameter("limits are off or real")
    enforced: Literal["off", "real"] = "real" if limits == "real" else "off"
    options = SandboxOptions(
        system=VENDORS[vendor].role,  # pyright: ignore[reportArgumentType] - a connector's role is one of the four systems
        state_dir=state or default_state(),
        port=port,
        limits=enforced,
        seed=seed,
        admin_token=environment().get("ACCORDANT_SANDBOX_TOKEN", ""),
        settings=dict(_named(pair) for pair in option or ()),
    )
    run(SANDBOXES[vendor], options)


def _named(pair: str) -> tuple[str, str]:
    name, _, value = pair.partition("=")
    return name, value
