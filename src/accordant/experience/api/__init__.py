"""The HTTP doors: one for vendors, one for people and programs."""
