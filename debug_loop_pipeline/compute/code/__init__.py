"""Source code as the units see it: languages, syntax trees, tokens, names, similarity."""
