"""The documents keep their word: what they tell a reader to type is typed here."""
