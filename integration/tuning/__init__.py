"""Weights of the fused score, fitted on judgments or clicks: `crosshatch tune-weights`, docs/tuning.md.

judgments  a file -> topics: queries with graded records
pools      a topic -> its pool: BM25 scores and similarities of what it could find, asked of the engine once
ranking    a pool ranked by any weights, as the engine would
ndcg       how good a ranking is
fitting    the weights that rank best, and how they do on queries that they were not fitted on
tune       all of it, and the index's state
"""
