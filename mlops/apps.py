from django.apps import AppConfig


class MlopsConfig(AppConfig):
    name = "mlops"
    verbose_name = "Models: what was learned"

    def ready(self) -> None:
        from mlops import checks  # noqa: F401  system checks
