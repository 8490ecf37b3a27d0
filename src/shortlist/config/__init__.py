"""Configuration files: CONFIG.toml as a recommender, its data and how to measure it."""

from shortlist.config.configuration import Configuration, read

__all__ = ["Configuration", "read"]
