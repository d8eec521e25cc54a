"""One research question a file; the only place where the clinic track and the model track meet."""
