"""The criterion of a fit and the search for its optimum."""
