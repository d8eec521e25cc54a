"""From sheets of texts to keys, raters, episodes, endings, answers and scores, each checked."""
