"""The Celery processes that encode records and write their codes."""
