"""The road every fact travels: kept once, put in order, acted on once, proven."""
