"""Labels of the turns of a log, and what models of any kind are trained, kept and run with."""
