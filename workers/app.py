"""The Celery application of the worker processes. `celery -A workers.app` finds it too."""

from integration import jobs, settings
from integration.engine.services import found

SETTINGS = settings.load()
SERVICES = found(SETTINGS)
app = jobs.queue_app(SERVICES.broker_url)
app.conf.imports = ("workers.tasks",)
