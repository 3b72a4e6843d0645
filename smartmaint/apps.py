from django.apps import AppConfig
from django_rq.apps import DjangoRqAdminConfig


class SmartmaintConfig(AppConfig):
    name = "smartmaint"

    def ready(self) -> None:
        from smartmaint import checks, schema  # noqa: F401  each registers what it defines


class QueuesConfig(DjangoRqAdminConfig):
    """As the index of the admin names what others call django_rq."""

    verbose_name = "Queues: what is being done"
