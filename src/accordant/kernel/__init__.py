"""The ground everything stands on: money, ids, time, errors and settings."""
