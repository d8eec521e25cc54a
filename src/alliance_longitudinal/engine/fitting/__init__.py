"""From arrays to a certified optimum: internal units, elimination, criterion, search."""
