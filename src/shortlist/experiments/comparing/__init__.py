"""Comparing: several recommenders on one split, with intervals of their differences, times and sizes."""
