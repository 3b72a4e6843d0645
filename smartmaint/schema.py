"""What the OpenAPI document says beyond what drf-spectacular reads from the views."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "Stable, for programs."},
                "message": {"type": "string", "description": "A sentence, for people."},
                "details": {
                    "type": "object",
                    "additionalProperties": True,
                    "description": "By field, when there is more to say.",
                },
            },
        }
    },
}


def errors_in_schema(result: dict[str, Any], **_: object) -> dict[str, Any]:
    """A postprocessing hook: every operation says that its errors have the one shape."""
    result.setdefault("components", {}).setdefault("schemas", {})["Error"] = ERROR
    answer = {
        "description": "Any error.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for operations in result.get("paths", {}).values():
        for operation in operations.values():
            operation["responses"].setdefault("default", answer)
    return result


class InfluxScheme(OpenApiAuthenticationExtension):
    """Devices, as clients of InfluxDB: `Authorization: Token PREFIX.SECRET`."""

    target_class = "sensors.api.influx.authentication.InfluxAuthentication"
    name = "influxToken"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token PREFIX.SECRET`, or Basic with the key as the password.",
        }


class IngestKeyScheme(OpenApiAuthenticationExtension):
    """Devices: `Authorization: Api-Key PREFIX.SECRET`."""

    target_class = "sensors.api.authentication.IngestKeyAuthentication"
    name = "deviceKey"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key PREFIX.SECRET`; `manage.py ingest_key` issues one.",
        }
