"""What is measured beside the rounds, one file for each question."""
