"""Widening: searches that an OPAC sends of its own accord, ranked by their words and by the codes together."""
