"""Engines run transactions; two of them stand behind one port, and one conformance suite judges both."""
