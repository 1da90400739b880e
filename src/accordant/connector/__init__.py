"""The kit every vendor is built from: sign in, call politely, page, poll and retry."""
