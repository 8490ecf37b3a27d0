"""Models: one file a family, over the contract in `model.py`."""
