"""NetSuite sends no webhooks of its own: there is nothing to prove, and no door stands open for it.

What changes in the books is learned by asking (SuiteQL); a user event script that calls out would be custom work.
"""

verify = None
"""No delivery that claims to come from NetSuite is accepted."""
