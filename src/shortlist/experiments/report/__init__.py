"""The fairness and bubble report: what lists are like for all people together, with and without re-ranking."""
