"""The repository itself: lock, Makefile and packaging."""
