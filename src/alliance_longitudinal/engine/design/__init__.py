"""From a formula and a data frame to arrays: parsing, columns, grouping factors, refusals."""
