"""A Salesforce organization on this machine: records, SOQL, composite requests and the vendor's manners.

Here: the credentials that open it and nothing else, read without loading it; `server` answers requests. Amounts and
dates are stored as text exactly as they came, bad ones too: refusing them is the platform's work.
"""

CLIENT_ID = "3MVG9sandboxAccordantConsumerKey"
CLIENT_SECRET = "sandbox-consumer-secret-not-a-secret"
USERNAME = "accordant@example.com"
AUDIENCE = "https://login.salesforce.com"
