"""The business flows: what must happen when a deal is won, a contract changes or a payment fails."""
