"""Killing the platform at every boundary there is, and judging what the vendors' own ledgers say afterwards."""
