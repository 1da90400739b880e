"""How the schema came about, one revision after the other."""
