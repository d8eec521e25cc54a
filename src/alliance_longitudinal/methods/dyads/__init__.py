"""Two raters or two members of a case: agreement, congruence, actor and partner effects."""
