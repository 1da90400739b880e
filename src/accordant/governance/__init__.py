"""The rules a company sets: who owns a field, what is allowed and for how long records stay."""
