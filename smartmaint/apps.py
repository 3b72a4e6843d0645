from django.apps import AppConfig


class SmartmaintConfig(AppConfig):
    name = "smartmaint"

    def ready(self) -> None:
        from smartmaint import checks, schema  # noqa: F401  each registers what it defines
