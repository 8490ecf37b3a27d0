"""What orders the list that people see: adjustments of scores, and one selection by terms, under caps and pins."""
