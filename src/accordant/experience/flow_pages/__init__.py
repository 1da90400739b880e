"""A page for each flow, written from its code: what it does in order, what it writes, and what can stop it."""
