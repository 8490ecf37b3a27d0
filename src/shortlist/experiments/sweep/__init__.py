"""The sweep: how much to retrieve, measured at several sizes of the candidate set."""
