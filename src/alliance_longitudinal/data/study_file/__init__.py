"""What a study file says: its blocks, checked, and the plan that they resolve to."""
