"""Each vendor: its sandbox, its client, its words."""
