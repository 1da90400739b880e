"""Who is who and what means what across the connected systems."""
