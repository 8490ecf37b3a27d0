"""shortlist: recommendations from raw interactions to a served and explained list."""
