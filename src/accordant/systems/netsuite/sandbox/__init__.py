"""An offline NetSuite account. Here: how it is entered and what it has from the start; `account` answers requests.

Fixed and public: the credentials open this offline account and nothing else. The platform reads them without loading
the sandbox.
"""

import msgspec


class TokenAccess(msgspec.Struct, frozen=True, kw_only=True):
    """One integration record with one access token."""

    account: str
    consumer_key: str
    consumer_secret: str
    token_id: str
    token_secret: str


ACCESS = TokenAccess(
    account="TSTDRV1234567",
    consumer_key="7a1f0c5e9b3d4826a0c4e8f2b6d0193857aebc64d2f01e3598b7c6a4d3e2f101",
    consumer_secret="c0ffee5e9b3d4826a0c4e8f2b6d0193857aebc64d2f01e3598b7c6a4d3e2f102",
    token_id="70ce4d5e9b3d4826a0c4e8f2b6d0193857aebc64d2f01e3598b7c6a4d3e2f103",
    token_secret="5ec4e75e9b3d4826a0c4e8f2b6d0193857aebc64d2f01e3598b7c6a4d3e2f104",
)
"""Fixed and public: they open this offline account and nothing else."""
CURRENCIES = {"1": "USD", "2": "GBP", "3": "CAD", "4": "EUR", "5": "AUD", "6": "CHF", "7": "SEK", "8": "JPY"}
"""Internal id → ISO code in a new account; the first four are NetSuite's own, the others as an administrator adds."""
