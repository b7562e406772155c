"""Ways to propose candidates: one module per choice of conf/search/."""
