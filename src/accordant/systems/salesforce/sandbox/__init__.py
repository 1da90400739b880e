"""A Salesforce organization on this machine: records, SOQL, composite requests and the vendor's manners.

Amounts and dates are stored as text exactly as they came, bad ones too: refusing them is the platform's work.
"""

from accordant.systems.salesforce.sandbox.export import records_from_export
from accordant.systems.salesforce.sandbox.server import SalesforceSandbox, serve_sandbox
from accordant.systems.salesforce.sandbox.tokens import AUDIENCE, CLIENT_ID, CLIENT_SECRET, USERNAME

__all__ = [
    "AUDIENCE",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "USERNAME",
    "SalesforceSandbox",
    "records_from_export",
    "serve_sandbox",
]
