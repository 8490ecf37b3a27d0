"""How the rows of an `EventEncoder` read: ids, features of users and of items, and the circumstances of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.models.feature_contributions_words import Words

if TYPE_CHECKING:
    from shortlist.data.event_encoder import EventEncoder, Side

YOU, ITEM = "you yourself", "the item itself"
N_STAND_INS = 2


def event_words(encoder: EventEncoder, *, stand_in: bool = False) -> dict[Side, Words]:
    """Return how the rows of users, items and moments read.

    stand_in: rows have two columns more, behind those of the encoder: a user's and an item's without an id of their
    own (`fm_encoding`).
    """
    n_users, n_items, n = len(encoder.user_ids), len(encoder.item_ids), encoder.n_columns
    items = n_users + encoder.users.width
    shared = encoder.users.kinds.keys() & encoder.items.kinds.keys()
    width = n + N_STAND_INS * stand_in
    return {
        "user": Words(
            encoder.users, width, n_users, (0, n_users), YOU, n if stand_in and n_users else None, shared
        ),
        "item": Words(
            encoder.items,
            width,
            items + n_items,
            (items, items + n_items),
            ITEM,
            n + 1 if stand_in and n_items else None,
        ),
        "context": Words(encoder.context, width, n - encoder.context.width),
    }
