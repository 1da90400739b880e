"""Runs the Zendesk sandbox as a process of its own."""

from accordant.connector.sandbox import SandboxOptions, run
from accordant.systems.zendesk.sandbox.server import ZendeskSandbox

if __name__ == "__main__":
    run(ZendeskSandbox, SandboxOptions.from_argv("support"))
