"""A model whose vectors are given, so that a test knows every score beforehand."""

from typing import ClassVar

import numpy as np

from shortlist.models.model import Model
from shortlist.models.vectors import DotProduct


class FixedVectors(DotProduct, Model):
    """Scores by given vectors; users and items with a zero vector are unknown."""

    FITTED: ClassVar = ("user_factors_", "item_factors_", "item_offsets_")

    def __init__(self, users, items):
        self.users = users
        self.items = items

    def _fit(self, dataset, fitting):
        self.user_factors_ = np.array(self.users, np.float32)
        self.item_factors_ = np.array(self.items, np.float32)
        self.item_offsets_ = np.zeros(len(self.items), np.float32)
        self.known_users_ = self.user_factors_.any(axis=1)
        self.known_items_ = self.listed_items_ = self.item_factors_.any(axis=1)

    def user_vectors(self, user_idx):
        return self.user_factors_[user_idx], np.zeros(user_idx.size, np.float32)
