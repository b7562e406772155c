"""Models: one module per choice of conf/model/."""
