"""From results to ``report.html`` and the templates of all pages."""
