"""Kinds of estimators: one module per choice of conf/model/."""
