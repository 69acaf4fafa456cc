"""OpenSearch and Redis: found, or started for development and tests; and the client that speaks to the cluster."""
