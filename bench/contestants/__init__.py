"""Everybody who does the same work: one event, validated, and four calls to four systems."""
