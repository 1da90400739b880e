"""An offline Zendesk. Here: the credentials that open it alone, read without loading it; `server` answers."""

EMAIL = "integration@accordant.example"
API_TOKEN = "zendesk-sandbox-api-token-0001"
OAUTH_TOKEN = "zendesk-sandbox-oauth-token-0001"
WEBHOOK_SECRET = "zendesk-sandbox-signing-secret-0001"
