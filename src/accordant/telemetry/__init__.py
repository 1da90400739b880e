"""The evidence: what happened, when, how long it took and whom to tell."""
