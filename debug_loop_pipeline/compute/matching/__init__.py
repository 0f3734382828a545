"""Requests made comparable, and the index that finds what is like them."""
