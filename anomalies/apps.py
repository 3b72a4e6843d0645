from django.apps import AppConfig


class AnomaliesConfig(AppConfig):
    name = "anomalies"
    verbose_name = "Anomalies: what is wrong"

    def ready(self) -> None:
        from anomalies import receivers  # noqa: F401  connects the wake-up of detection
