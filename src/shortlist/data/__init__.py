"""Data: reading and checking, ids, the event log, features, and splits."""
