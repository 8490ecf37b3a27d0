"""Which items may be shown to whom, now: rules, and the masks that they become."""
