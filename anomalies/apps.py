from django.apps import AppConfig


class AnomaliesConfig(AppConfig):
    name = "anomalies"
    verbose_name = "Anomalies: what is wrong"

    def ready(self) -> None:
        from anomalies import checks, receivers  # noqa: F401  system checks; wake-up of detection
