"""Search algorithms that propose candidates: one module per choice of conf/search/."""
