"""The checker judges histories: what had to happen, what the systems applied, what the platform says it did."""
