"""Tuning: parameters found by validation, in a search that can be interrupted, resumed and repeated."""
