"""The tests: what Accordant promises, and what must go red when a promise breaks."""
