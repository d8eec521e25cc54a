"""One module a format: a file or a database in, a :class:`Sheet` of texts out."""
