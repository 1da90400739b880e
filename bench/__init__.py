"""Measures the platform against the floor and against the engines people would otherwise choose."""
