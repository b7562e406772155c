"""Tables: built-in, generated, or from files; one module per choice of conf/dataset/."""
