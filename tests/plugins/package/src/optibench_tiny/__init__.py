"""A model and a search for OptiBench."""
