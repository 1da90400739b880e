"""`python -m accordant.systems.salesforce.sandbox --state DIR [--port N]`: the organization as a process."""

from accordant.connector.sandbox import SandboxOptions, run
from accordant.systems.salesforce.sandbox.server import SalesforceSandbox

if __name__ == "__main__":
    run(SalesforceSandbox, SandboxOptions.from_argv("crm"))
