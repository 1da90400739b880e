"""The connected systems: one folder per vendor, each with the same five files."""
