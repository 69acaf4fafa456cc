"""The gateway: the cluster's own REST API, with our clause in it."""
