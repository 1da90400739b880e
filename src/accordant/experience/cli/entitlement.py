"""`accordant entitlement CUSTOMER`: may this customer ask for support now?"""

from typing import Annotated

import typer

from accordant.experience.cli.client import Client, path
from accordant.experience.cli.options import JsonOption, StateOption
from accordant.experience.cli.screen import Screen, write_json

_STYLES = {"eligible": "green", "limited": "yellow", "not eligible": "bold red"}

app = typer.Typer(add_completion=False)


@app.command("entitlement")
def entitlement(
    customer: Annotated[str, typer.Argument(help="Id of a customer: ours, or that of any system.")],
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether a customer may ask for support now, why, and how old the answer is."""
    told = Client(state, actor="operator").command("GET", path("entitlements", customer))
    if json:
        write_json(told)
        return
    screen = Screen()
    tier = f", {told['service_tier']}" if told["service_tier"] else ""
    screen.say(f"{told['customer_id']}: {told['answer']}{tier}", style=_STYLES[told["answer"]])
    screen.say(told["reason"])
    how = {"kept": "kept", "asked": "asked just now", "policy": "declared by collections.yaml, nobody could be asked"}
    screen.say(f"as of {told['as_of']} ({how[told['source']]})")
