"""What each rule forbids, said of one user and one item in plain values, from the words of the documentation."""

REFUSED = {
    "hate", "hate speech", "hateful", "fraud", "fraudulent", "scam", "violence", "violent", "exploitation",
    "exploitative",
}  # fmt: skip


def first_rule(rules, item, user, past, now):
    """Return the name of the first of `rules` [(name, kind, parameters)] that forbids `item`, None where none does.

    item and user: dicts with their ids and attributes, None where one is not known; a stranger's id is None.
    past: [(item id, liked)] in the order of time. now: µs.
    """
    for name, kind, parameters in rules:
        if FORBIDS[kind](item, user, past, now, **parameters):
            return name
    return None


def _disliked(item, user, past, now):
    verdicts = [liked for other, liked in past if other == item["id"]]
    return bool(verdicts) and not verdicts[-1]


def _hidden(item, user, past, now, pairs):
    return [user["id"], item["id"]] in pairs


def _allow_list(item, user, past, now, items):
    return item["id"] not in items


def _deny_list(item, user, past, now, items):
    return item["id"] in items


def _in_stock(item, user, past, now, column, least=1.0, words=None, missing="deny"):
    if item[column] is None:
        return missing == "deny"
    return item[column] not in words if words else item[column] < least


def _available(item, user, past, now, start, end, missing="allow"):
    begins = None if start is None else item[start]
    ends = None if end is None else item[end]
    lacks = (start is not None and begins is None) or (end is not None and ends is None)
    early = begins is not None and now < begins
    late = ends is not None and now >= ends
    return early or late or (lacks and missing == "deny")


def _in_country(item, user, past, now, allowed, forbidden, missing="deny", unknown_user="deny"):
    fine = set(item[allowed] or ()) if allowed else set()
    banned = set(item[forbidden] or ()) if forbidden else set()
    if allowed and not fine and missing == "deny":
        return True
    if user["country"] is None:
        return unknown_user == "deny" and bool(fine or banned)
    return user["country"] in banned or (bool(fine) and user["country"] not in fine)


def _age_limit(item, user, past, now, minimum, maximum=None):
    least = item[minimum]
    most = None if maximum is None else item[maximum]
    if least is None:
        return True
    if user["age"] is None or user["age"] < 0:
        return least > 0 or most is not None
    return user["age"] < least or (most is not None and user["age"] > most)


def _labels(cell):
    return {cell} if isinstance(cell, str) else set(cell or ())


def _only_category(
    item, user, past, now, column, values=None, user_column=None, missing="deny", unknown_user="deny"
):
    wanted = set(values) if values else _labels(user[user_column])
    if not wanted:
        return unknown_user == "deny"
    has = _labels(item[column])
    return not has & wanted if has else missing == "deny"


def _deny_category(item, user, past, now, column, values=None, user_column=None, missing="allow"):
    denied = set(values) if values else _labels(user[user_column])
    has = _labels(item[column])
    return bool(denied) and (bool(has & denied) or (not has and missing == "deny"))


def _user_blocks(item, user, past, now, blocks, column):
    return any([user["id"], label] in blocks for label in _labels(item[column]))


def _content_policy(item, user, past, now, flags, refused=REFUSED, maker=None, refused_makers=()):
    for column in [*flags, *([maker] if maker else [])]:
        cell = item[column]
        if cell is None:
            return True
        if isinstance(cell, float):
            if cell != 0:
                return True
        elif {_plain(label) for label in _labels(cell)} & {
            _plain(word) for word in (refused_makers if column == maker else refused)
        }:
            return True
    return False


def _plain(word):
    return word.lower().replace("_", " ").replace("-", " ").strip()


FORBIDS = {
    "AgeLimit": _age_limit,
    "AllowList": _allow_list,
    "Available": _available,
    "ContentPolicy": _content_policy,
    "DenyCategory": _deny_category,
    "DenyList": _deny_list,
    "Disliked": _disliked,
    "Hidden": _hidden,
    "InCountry": _in_country,
    "InStock": _in_stock,
    "OnlyCategory": _only_category,
    "UserBlocks": _user_blocks,
}
