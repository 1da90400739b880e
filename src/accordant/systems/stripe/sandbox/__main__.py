"""Runs the Stripe sandbox as a process of its own."""

from accordant.connector.sandbox import SandboxOptions, run
from accordant.systems.stripe.sandbox.door import StripeSandbox

if __name__ == "__main__":
    run(StripeSandbox, SandboxOptions.from_argv("billing"))
