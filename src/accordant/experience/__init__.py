"""The doors: what people, programs and vendors reach from outside."""
