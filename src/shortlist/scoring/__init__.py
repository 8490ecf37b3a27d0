"""Scorers: what puts every candidate on one scale."""
