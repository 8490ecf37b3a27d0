import numpy as np
import pytest

from shortlist.data.dataset import Dataset
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import DataError
from shortlist.models.fold_in import at_known_items


def dataset(users, items, feedback=None):
    user_ids, item_ids = Vocabulary.of(users), Vocabulary.of(items)
    log = Interactions.of(
        user_ids.index_of(users),
        item_ids.index_of(items),
        np.arange(1.0, len(users) + 1, dtype=np.float32),
        np.arange(len(users), dtype=np.int64),
        len(user_ids),
        len(item_ids),
        feedback or Feedback.ratings(0, 10),
    )
    return Dataset(log, user_ids, item_ids)


TRAINED = dataset([1, 2], [10, 30]).memory  # items 10 and 30 stand at positions 0 and 1


def test_items_are_matched_by_id_and_others_left_out_in_the_order_of_time():
    log = at_known_items(dataset(["b", "a", "b", "a"], [30, 20, 10, 30]), TRAINED)
    assert log.item_idx.tolist() == [1, 0, 1]
    assert log.user_idx.tolist() == [1, 1, 0]  # "a" before "b", as in the events' own vocabulary
    assert log.value.tolist() == [1, 3, 4]
    assert log.timestamp.tolist() == [0, 2, 3]
    assert (log.n_users, log.n_items) == (2, 2)


def test_a_user_of_unknown_items_only_keeps_an_empty_row():
    log = at_known_items(dataset(["a", "b"], [30, 99]), TRAINED)
    assert log.matrix("last").toarray().tolist() == [[0, 1], [0, 0]]


@pytest.mark.parametrize("feedback", [Feedback.ratings(0, 5), Feedback.events()])
def test_values_of_another_meaning_are_refused(feedback):
    with pytest.raises(DataError, match="same kind and scale"):
        at_known_items(dataset([1], [10], feedback), TRAINED)
