"""Searching an attached index: a request becomes a plan, a plan engine requests, their answers hits."""
