"""Oracle NetSuite keeps the books."""
