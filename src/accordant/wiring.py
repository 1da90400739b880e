"""Puts the platform together: the one place that names vendors and picks the engine."""
