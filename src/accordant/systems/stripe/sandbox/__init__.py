"""An offline double of Stripe Billing: same forms, same objects, same errors, same signed webhooks, in memory.

Here: the credentials that open it and nothing else, read without loading it; `door` answers requests.
"""

SECRET_KEY = "sk_test_accordantSandboxKey4Tests"
WEBHOOK_SECRET = "whsec_accordantSandboxSecret4Tests"
