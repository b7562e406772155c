"""Tables: built-in, generated or from files; the choices of conf/dataset/."""
