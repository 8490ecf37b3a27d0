"""Experiments: how good are the lists, for whom, and is the difference more than chance."""
