"""The model registry: the only package that speaks to MLflow and to the bucket behind it.

Serving asks small questions often, from short-lived processes, so it uses MLflow's REST interface
(importing the client costs seconds). Training writes through MlflowClient. Whatever keeps an
answer from coming is RegistryAway, and nothing waits longer than its Wait says.
"""

from mlops.registry.asking import (
    aliases_of,
    champions,
    document,
    download,
    experiments,
    fetch,
    roles,
    versions,
)
from mlops.registry.errors import NotRegistered, RegistryAway
from mlops.registry.names import CHALLENGER, CHAMPION, FILE_NAME
from mlops.registry.web import MAX_BYTES, Wait, patient
from mlops.registry.writing import Run, Signature, log_and_register, register_again, set_alias

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "FILE_NAME",
    "MAX_BYTES",
    "NotRegistered",
    "RegistryAway",
    "Run",
    "Signature",
    "Wait",
    "aliases_of",
    "champions",
    "document",
    "download",
    "experiments",
    "fetch",
    "log_and_register",
    "patient",
    "register_again",
    "roles",
    "set_alias",
    "versions",
]
