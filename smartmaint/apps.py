from django.apps import AppConfig


class SmartmaintConfig(AppConfig):
    name = "smartmaint"

    def ready(self) -> None:
        from smartmaint import checks  # noqa: F401  registers the system checks
