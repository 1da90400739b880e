"""Starting the platform and its sandboxes on one machine, and playing business through them."""
