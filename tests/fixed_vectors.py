"""A model whose vectors are given, so that a test knows every score beforehand."""

from typing import ClassVar

import numpy as np

from shortlist.models.model import Model
from shortlist.models.vectors import rank_by_vectors, score_by_vectors


class FixedVectors(Model):
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

    def _rank(self, request):
        return rank_by_vectors(*self.user_vectors(request.user_idx), self, self.listed_items_, request)

    def _score(self, user_idx, item_idx):
        return score_by_vectors(self, user_idx, item_idx)

    def _rank_vectors(self, users, request):
        return rank_by_vectors(users.vectors, users.offsets, self, self.listed_items_, request)

    def _similarity_vectors(self):
        return self.item_factors_
