"""Indexes: vectors of items kept for search, exact or approximate, behind one interface."""
