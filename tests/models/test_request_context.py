"""What is said of the moment of a request reaches the models that go by it, alone, in a pipeline and in a blend."""

import numpy as np
import pytest
from retrieval.test_sources import LIKE, dataset_of

import shortlist as sl
from shortlist.errors import ParameterError
from shortlist.models.common_order import best_permitted
from shortlist.models.model import Model

EVENTS = [(0, 0, LIKE), (1, 1, LIKE), (2, 2, LIKE), (0, 3, LIKE)]


class ByDevice(Model):
    """Lists the items from the first to the last, and at a phone from the last to the first."""

    FITTED = ("order_",)

    @property
    def context_columns(self):
        return ("device",)

    def _fit(self, dataset, fitting):
        n = len(dataset.items)
        self.order_ = np.arange(n, 0, -1).astype(np.float32)
        self.known_users_ = np.ones(len(dataset.users), bool)
        self.known_items_ = self.listed_items_ = np.ones(n, bool)

    def _scores(self, context):
        return self.order_[::-1].copy() if (context or {}).get("device") == "phone" else self.order_

    def _rank(self, request):
        return best_permitted(self._scores(request.context), self.listed_items_, request.k, request.eligible)

    def _score(self, user_idx, item_idx):
        return self.order_[item_idx]

    def _rank_vectors(self, users, request):
        return self._rank(request)

    def _similarity_vectors(self):
        raise ParameterError("none")


def items(shown):
    return shown.frame["item_id"].to_list()


@pytest.fixture
def data():
    return dataset_of(EVENTS, 3, 4)


def test_a_model_ranks_by_the_context_it_is_given(data):
    model = ByDevice().fit(data)
    assert items(model.recommend(1, 3)) == [0, 2, 3]
    assert items(model.recommend(1, 3, context={"device": "phone"})) == [3, 2, 0]
    assert items(model.recommend(1, 3, context={})) == [0, 2, 3]


def test_a_pipeline_scores_its_candidates_by_the_context(data):
    model = ByDevice()
    pipeline = sl.Pipeline([sl.Popular(k=4)], sl.ModelScorer(model)).fit(data)
    assert items(pipeline.recommend(1, 3)) == [0, 2, 3]
    phone = pipeline.recommend(1, 3, context={"device": "phone"})
    assert items(phone) == [3, 2, 0]
    np.testing.assert_array_equal(phone.frame["score"], [4, 3, 1])


def test_a_blend_hands_the_context_to_its_models(data):
    blend = sl.Blend(
        {"device": ByDevice(), "popular": sl.Popularity()}, weights={"device": 1, "popular": 0.1}
    )
    fitted = blend.fit(data)
    assert items(fitted.recommend(1, 1, context={"device": "phone"})) == [3]
    assert items(fitted.recommend(1, 1)) == [0]


@pytest.mark.parametrize("of", [ByDevice, lambda: sl.Pipeline([sl.Popular()], sl.ModelScorer(ByDevice()))])
@pytest.mark.parametrize(
    ("context", "said"), [({"weather": 1}, "no 'weather'; it goes by device"), ("phone", "by the name")]
)
def test_what_nobody_goes_by_is_refused(data, of, context, said):
    with pytest.raises(ParameterError, match=said):
        of().fit(data).recommend(1, 3, context=context)


def test_without_columns_of_context_any_is_refused(data):
    pipeline = sl.Pipeline([sl.Popular()], sl.ModelScorer(sl.Popularity())).fit(data)
    with pytest.raises(ParameterError, match="this pipeline uses no context; leave context= out"):
        pipeline.recommend(1, 3, context={"device": "phone"})
