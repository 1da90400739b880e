"""Runs the offline NetSuite account as a process of its own."""

from accordant.connector.sandbox import SandboxOptions, run
from accordant.systems.netsuite.sandbox.account import NetSuite

if __name__ == "__main__":
    run(NetSuite, SandboxOptions.from_argv("erp"))
