"""The one settings file. Every value that differs between machines comes from the environment.

`.env.example` lists each variable with its default and meaning. A missing or wrong one is reported
at start: what cannot be read here raises ImproperlyConfigured, what can be read but is unwise is a
system check (smartmaint/checks.py).
"""

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import environ
from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(str(BASE_DIR / ".env"))

# --- what this process is -------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
if not SECRET_KEY:
    raise ImproperlyConfigured(
        "SECRET_KEY is not set. `make up` and `make demo` make one for you; elsewhere put at least "
        "50 random characters into the environment or into .env (see .env.example)."
    )
JWT_SIGNING_KEY = env.str("JWT_SIGNING_KEY", default=SECRET_KEY)
MODEL_SIGNING_KEY = env.str("MODEL_SIGNING_KEY", default=SECRET_KEY)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
if render_host := env.str("RENDER_EXTERNAL_HOSTNAME", default=""):
    ALLOWED_HOSTS.append(render_host)
    CSRF_TRUSTED_ORIGINS.append(f"https://{render_host}")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "smartmaint.apps.QueuesConfig",
    "smartmaint.apps.SmartmaintConfig",
    "sensors",
    "mlops",
    "anomalies",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "sensors.api.gate.IngestGate",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "smartmaint.urls"
WSGI_APPLICATION = "smartmaint.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# --- stores ---------------------------------------------------------------------------------------

if not env.str("DATABASE_URL", default=""):
    raise ImproperlyConfigured(
        "DATABASE_URL is not set. `python -m smartmaint.services run -- CMD` starts an embedded "
        "PostgreSQL and sets it; `make timescale` prints one for TimescaleDB."
    )
DATABASES = {"default": env.db_url("DATABASE_URL", engine="django.db.backends.postgresql")}
# A socket directory arrives percent-encoded: the URL has no other way to hold a slash in its host.
DATABASES["default"]["HOST"] = unquote(DATABASES["default"]["HOST"])
DB_POOL = env.bool("DB_POOL", default=False)
if DB_POOL:
    # Web processes only: the pool's threads and sockets do not survive the worker's fork.
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": env.int("DB_POOL_SIZE", default=8),
        "timeout": 5,
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("DB_CONN_MAX_AGE", default=60)
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if env.bool("DB_PREPARE", default=True):
    DATABASES["default"].setdefault("OPTIONS", {})["prepare_threshold"] = 5
# Several test runs on one server keep apart by a suffix.
DATABASES["default"]["TEST"] = {
    "NAME": f"test_{DATABASES['default']['NAME']}{env.str('TEST_DB_SUFFIX', default='')}"
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
_QUEUE = {
    "URL": REDIS_URL,
    "DEFAULT_TIMEOUT": 600,
    # The wake-up is sent inside a request: a Redis that hangs must not hold it up. Workers, which
    # wait on purpose, raise the second one themselves.
    "REDIS_CLIENT_KWARGS": {"socket_connect_timeout": 1, "socket_timeout": 2},
    # Pickle runs code on load; a queue that others can reach must not be able to.
    "SERIALIZER": "rq.serializers.JSONSerializer",
}
RQ_QUEUES = {
    "detection": _QUEUE,
    "validation": _QUEUE,
    "notification": _QUEUE,
    "training": {**_QUEUE, "DEFAULT_TIMEOUT": 3600},
}

MLFLOW_TRACKING_URI = env.str("MLFLOW_TRACKING_URI", default="http://127.0.0.1:5000")
MLFLOW_BACKEND_STORE_URI = env.str("MLFLOW_BACKEND_STORE_URI", default="")
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# --- people and devices ---------------------------------------------------------------------------

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "admin:login"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "sensors.api.authentication.IngestKeyAuthentication",
        "rest_framework_simplejwt.authentication.JWTAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["smartmaint.json_bodies.JSONBodies"],
    "DEFAULT_PAGINATION_CLASS": "smartmaint.api.CursorPages",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    # Proxies in front whose X-Forwarded-For is believed; 0 believes nobody.
    "NUM_PROXIES": env.int("NUM_PROXIES", default=0),
    "EXCEPTION_HANDLER": "smartmaint.api.one_shape_for_errors",
    "PAGE_SIZE": 50,
}
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=10),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=1),
    "SIGNING_KEY": JWT_SIGNING_KEY,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "smartmaint",
    "DESCRIPTION": "Readings in; credible, explained anomalies out; reviewed by people.",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "smartmaint.schema.errors_in_schema",
    ],
    "ENUM_NAME_OVERRIDES": {
        "SensorStatusEnum": "sensors.models.Sensor.Status",
        "PublishedStatusEnum": "anomalies.models.PublishedStatus",
        "VerdictEnum": "anomalies.models.Verdict",
        "NatureEnum": "anomalies.models.Nature",
        "AnomalyLevelEnum": "anomalies.models.anomaly.LEVELS",
        "EpisodeStateEnum": "anomalies.models.State",
        "OperatingStateEnum": "sensors.models.OperatingState.State",
        "KindEnum": "sensors.models.KIND_CHOICES",
        "EpisodeEventKindEnum": "anomalies.models.EpisodeEvent.Kind",
    },
}

# --- acquisition ----------------------------------------------------------------------------------

SENSOR_DISCOVERY = env.str("SENSOR_DISCOVERY", default="auto")
if SENSOR_DISCOVERY not in {"auto", "approve", "reject"}:
    raise ImproperlyConfigured(
        f"SENSOR_DISCOVERY is {SENSOR_DISCOVERY!r}; it is one of auto, approve, reject."
    )
READING_CONFLICTS = env.str("READING_CONFLICTS", default="keep_first")
SENSOR_DISCOVERY_CAP_PER_HOUR = env.int("SENSOR_DISCOVERY_CAP_PER_HOUR", default=1000)
QUALITY_THRESHOLD = env.float("QUALITY_THRESHOLD", default=0.5)
INGEST_MAX_BODY_BYTES = env.int("INGEST_MAX_BODY_BYTES", default=5 * 2**20)
INGEST_MAX_UNZIPPED_BYTES = env.int("INGEST_MAX_UNZIPPED_BYTES", default=64 * 2**20)
INGEST_MAX_READINGS = env.int("INGEST_MAX_READINGS", default=50_000)
INGEST_MAX_BACKLOG = env.int("INGEST_MAX_BACKLOG", default=100_000)
INGEST_KEY_RATE_PER_SECOND = env.float("INGEST_KEY_RATE_PER_SECOND", default=50.0)
INGEST_KEY_BURST = env.int("INGEST_KEY_BURST", default=200)
INGEST_GLOBAL_RATE_PER_SECOND = env.float("INGEST_GLOBAL_RATE_PER_SECOND", default=0.0)
INGEST_GLOBAL_BURST = env.int("INGEST_GLOBAL_BURST", default=1000)
INGEST_MAX_IN_FLIGHT = env.int("INGEST_MAX_IN_FLIGHT", default=4)
INGEST_MAX_WAITING = env.int("INGEST_MAX_WAITING", default=8)
INGEST_MAX_WAIT_SECONDS = env.float("INGEST_MAX_WAIT_SECONDS", default=0.5)
QUARANTINE_RETENTION_DAYS = env.int("QUARANTINE_RETENTION_DAYS", default=90)
# 0: for ever.
RAW_RETENTION_DAYS = env.int("RAW_RETENTION_DAYS", default=0)
RAW_RETENTION_DAYS_BY_KIND = env.json("RAW_RETENTION_DAYS_BY_KIND", default={})
if not isinstance(RAW_RETENTION_DAYS_BY_KIND, dict):
    raise ImproperlyConfigured(
        'RAW_RETENTION_DAYS_BY_KIND is no JSON object such as {"vibration": 30}.'
    )
MINUTE_RETENTION_DAYS = env.int("MINUTE_RETENTION_DAYS", default=0)
# The body limit above is checked while reading; Django's own, lower one would answer first.
DATA_UPLOAD_MAX_MEMORY_SIZE = INGEST_MAX_BODY_BYTES + 1024

# --- MQTT -----------------------------------------------------------------------------------------

MQTT_URL = env.str("MQTT_URL", default="")
MQTT_USERNAME = env.str("MQTT_USERNAME", default="")
MQTT_PASSWORD = env.str("MQTT_PASSWORD", default="")
MQTT_CA_FILE = env.str("MQTT_CA_FILE", default="")
MQTT_CERT_FILE = env.str("MQTT_CERT_FILE", default="")
MQTT_KEY_FILE = env.str("MQTT_KEY_FILE", default="")
MQTT_INGEST_KEY = env.str("MQTT_INGEST_KEY", default="")
MQTT_CLIENT_ID = env.str("MQTT_CLIENT_ID", default="")
MQTT_PROTOCOL = env.str("MQTT_PROTOCOL", default="5")
MQTT_TOPICS = env.list("MQTT_TOPICS", default=[])
MQTT_SENSOR_ID = env.str("MQTT_SENSOR_ID", default="{sensor}")
MQTT_SPARKPLUG_GROUPS = env.list("MQTT_SPARKPLUG_GROUPS", default=[])
MQTT_KEEPALIVE_SECONDS = env.int("MQTT_KEEPALIVE_SECONDS", default=60)
MQTT_SESSION_EXPIRY_SECONDS = env.int("MQTT_SESSION_EXPIRY_SECONDS", default=7 * 86_400)
# 0 is what the protocol's version makes sensible.
MQTT_RECEIVE_MAXIMUM = env.int("MQTT_RECEIVE_MAXIMUM", default=0)
MQTT_BATCH_SIZE = env.int("MQTT_BATCH_SIZE", default=500)
MQTT_BATCH_TIMEOUT_SECONDS = env.float("MQTT_BATCH_TIMEOUT_SECONDS", default=1.0)
MQTT_BIRTH_TIMEOUT_SECONDS = env.float("MQTT_BIRTH_TIMEOUT_SECONDS", default=20.0)
MQTT_REBIRTH_INTERVAL_SECONDS = env.float("MQTT_REBIRTH_INTERVAL_SECONDS", default=10.0)
MQTT_METRICS_HOST = env.str("MQTT_METRICS_HOST", default="127.0.0.1")
MQTT_METRICS_PORT = env.int("MQTT_METRICS_PORT", default=0)

# --- models and detection -------------------------------------------------------------------------

MODEL_CACHE_DIR = Path(env.str("MODEL_CACHE_DIR", default=str(BASE_DIR / ".data" / "models")))
MODEL_CACHE_TTL_SECONDS = env.int("MODEL_CACHE_TTL_SECONDS", default=3600)
MODEL_CACHE_SIZE = env.int("MODEL_CACHE_SIZE", default=32)
REGISTRY_TIMEOUT_SECONDS = env.int("REGISTRY_TIMEOUT_SECONDS", default=5)
# How long detection waits for the registry and its artifacts before a lower rung judges.
MODEL_PATIENCE_SECONDS = env.float("MODEL_PATIENCE_SECONDS", default=0.7)
SHADOW_RETENTION_DAYS = env.int("SHADOW_RETENTION_DAYS", default=14)
DETECTION_LEASE_SECONDS = env.int("DETECTION_LEASE_SECONDS", default=120)
DETECTION_CLAIM_SIZE = env.int("DETECTION_CLAIM_SIZE", default=64)
DETECTION_POLICY = env.json("DETECTION_POLICY", default={})
FALSE_ALARMS_BY_KIND = env.json("FALSE_ALARMS_BY_KIND", default={})
EPISODE_POLICY = env.json("EPISODE_POLICY", default={})
NOTIFY_POLICY = env.json("NOTIFY_POLICY", default={})
# Networks outside the Internet that webhooks may call all the same.
NOTIFY_ALLOWED_NETWORKS = env.list("NOTIFY_ALLOWED_NETWORKS", default=[])
# Where people see the pages; messages link there.
PUBLIC_URL = env.str("PUBLIC_URL", default=f"https://{render_host}" if render_host else "")
SILENCE_POLICY = env.json("SILENCE_POLICY", default={})
FORECAST_POLICY = env.json("FORECAST_POLICY", default={})
RETRAINING_POLICY = env.json("RETRAINING_POLICY", default={})
VALIDATION_POLICY = env.json("VALIDATION_POLICY", default={})
# The web process that `manage.py demo` posts to.
DEMO_BASE_URL = env.str("DEMO_BASE_URL", default="http://127.0.0.1:8000")

# --- mail -----------------------------------------------------------------------------------------

EMAIL_BACKEND = env.str("EMAIL_BACKEND", default="django.core.mail.backends.console.EmailBackend")
EMAIL_HOST = env.str("EMAIL_HOST", default="localhost")
EMAIL_PORT = env.int("EMAIL_PORT", default=587)
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = env.str("EMAIL_HOST_PASSWORD", default="")
EMAIL_TIMEOUT = 10
EMAIL_USE_TLS = env.bool("EMAIL_USE_TLS", default=True)
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="smartmaint@localhost")

# --- pages ----------------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / ".data" / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"
        if not DEBUG
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = True
LANGUAGE_CODE = "en-gb"
FORMAT_MODULE_PATH = ["smartmaint.formats"]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True

# --- safety ---------------------------------------------------------------------------------------

# HTTPS is what a public deployment has; a laptop on loopback switches it off with SECURE=0.
SECURE = env.bool("SECURE", default=not DEBUG)
SECURE_SSL_REDIRECT = SECURE
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if SECURE else None
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
X_FRAME_OPTIONS = "DENY"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        # It names each job in two lines; the scheduler says in one how many there are.
        "rq.cron": {"level": "WARNING"},
        # "Importing plotly failed", an error to nobody: plots are drawn otherwise.
        "prophet.plot": {"level": "CRITICAL"},
    },
}
