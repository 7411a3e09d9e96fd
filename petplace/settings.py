"""The one settings file. Everything that differs between machines comes from the environment.

The defaults run the demo on a laptop. With ``PETPLACE_ENV=production`` a missing or default secret stops the start.
"""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from accounts import social_settings
from payments.gateways import settings as gateway_settings
from petplace.embedded import paths as embedded_paths

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env")

# --- Where we run -------------------------------------------------------------------------------

ENVIRONMENT = env.str("PETPLACE_ENV", default="development")
IS_PRODUCTION = ENVIRONMENT == "production"
DEBUG = env.bool("DEBUG", default=False) and not IS_PRODUCTION
DEMO = env.bool("PETPLACE_DEMO", default=not IS_PRODUCTION)
DEMO_PASSWORD = env.str("PETPLACE_DEMO_PASSWORD", default="pet-place-demo")
SITE_URL = env.str("SITE_URL", default=f"http://localhost:{env.int('PORT', default=8000)}")

_INSECURE = "insecure-development-key-do-not-use-in-production"
SECRET_KEY = env.str("SECRET_KEY", default=_INSECURE)
JWT_SIGNING_KEY = env.str("JWT_SIGNING_KEY", default=f"{_INSECURE}-jwt")
if IS_PRODUCTION:
    for name, value in {"SECRET_KEY": SECRET_KEY, "JWT_SIGNING_KEY": JWT_SIGNING_KEY}.items():
        if value.startswith(_INSECURE) or len(value) < 40:
            raise ImproperlyConfigured(f"{name} is missing, default or shorter than 40 characters. Set a random one.")
    if SECRET_KEY == JWT_SIGNING_KEY:
        raise ImproperlyConfigured("JWT_SIGNING_KEY must differ from SECRET_KEY.")

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[] if IS_PRODUCTION else ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
CORS_ALLOWED_ORIGINS = env.list("CORS_ALLOWED_ORIGINS", default=[])
CORS_URLS_REGEX = r"^/api/.*$"
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", default=0)

DATA_DIR = embedded_paths.data_dir()

# --- Apps ---------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "petplace",
    "accounts",
    "pets",
    "providers",
    "messaging",
    "payments",
    "bookings",
    "reviews",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.usersessions",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "corsheaders",
    "crispy_forms",
    "crispy_bootstrap5",
    "csp",
    "django_filters",
    "django_htmx",
    "django_prometheus",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "phonenumber_field",
    "rest_framework",
]

MIDDLEWARE = [
    "petplace.middleware.RequestIdMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "petplace.middleware.PrivacyHeadersMiddleware",
    "petplace.middleware.RefuseBadBytesMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "petplace.api.middleware.ApiAnswersMiddleware",
    "petplace.middleware.DatabaseAwayMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.TimeZoneMiddleware",
    "accounts.middleware.SecondFactorMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "petplace.urls"
WSGI_APPLICATION = "petplace.wsgi.application"
ASGI_APPLICATION = "petplace.asgi.application"

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
                "petplace.context_processors.site",
                "messaging.context_processors.unread",
            ],
            "builtins": ["petplace.templatetags.ui"],
        },
    }
]
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# --- Data ---------------------------------------------------------------------------------------

DATABASES = {"default": env.db_url("DATABASE_URL", default=embedded_paths.database_url())}
DATABASES["default"]["ATOMIC_REQUESTS"] = False
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=600)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DATABASES["default"].setdefault("OPTIONS", {})
DATABASES["default"]["OPTIONS"].setdefault("connect_timeout", 3)
DATABASES["default"]["OPTIONS"].setdefault(
    "options",
    f"-c jit=off -c lock_timeout={env.int('LOCK_TIMEOUT_MS', default=2000)}"
    " -c statement_timeout=15000 -c idle_in_transaction_session_timeout=15000"
    # Lets the test runner empty the ledger's tables in a test database (payments migration 0003).
    + (" -c petplace.test_run=on" if "PETPLACE_TEST_RUN" in env.ENVIRON else ""),
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default=embedded_paths.redis_url())
_redis = embedded_paths.derive_redis_urls(REDIS_URL)
# Nothing in a request waits for Redis longer than half a second: see docs/architecture.md.
CACHES = {
    "default": {
        "BACKEND": "petplace.cache.FailSafeRedisCache",
        "LOCATION": _redis.cache,
        "OPTIONS": {"socket_timeout": 0.25, "socket_connect_timeout": 0.25},
        "KEY_PREFIX": "petplace",
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"

# --- Files --------------------------------------------------------------------------------------

STATIC_URL = "/static/"
STATIC_ROOT = env.path("STATIC_ROOT", default=BASE_DIR / "staticfiles")
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = env.path("MEDIA_ROOT", default=DATA_DIR / "media")
MEDIA_URL = "/media/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if IS_PRODUCTION
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}
WHITENOISE_USE_FINDERS = not IS_PRODUCTION
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
UPLOAD_MAX_BODY_BYTES = 25_000_000  # of a form with files; more is refused before it is read
FILE_UPLOAD_HANDLERS = [
    "petplace.uploads.CappedUploadHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
PHOTO_MAX_BYTES = 10_000_000
PHOTO_MAX_PIXELS = 40_000_000  # of a JPEG, which is decoded at a fraction of its size
PHOTO_MAX_PIXELS_WHOLE = 12_000_000  # of formats that must be decoded whole

# --- People -------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "full_name")},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_SIGNUP_FORM_CLASS = "accounts.forms.SignupForm"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # before an address is changed
ACCOUNT_EMAIL_NOTIFICATIONS = True
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
USERSESSIONS_TRACK_ACTIVITY = True
# Booking and applying need a proven address; the demo has no mailbox to prove one with.
REQUIRE_VERIFIED_EMAIL = env.bool("REQUIRE_VERIFIED_EMAIL", default=not DEMO)
ACCOUNT_EMAIL_VERIFICATION = "mandatory" if REQUIRE_VERIFIED_EMAIL else "optional"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = REQUIRE_VERIFIED_EMAIL

# The second factor: staff need one at once, a provider's team so many days after the approval (or after joining).
REQUIRE_MFA = env.bool("REQUIRE_MFA", default=not DEMO)
MFA_GRACE_DAYS = env.int("MFA_GRACE_DAYS", default=14)
# Encrypts the keys of authenticator apps in the database; derived from SECRET_KEY when empty.
MFA_ENCRYPTION_KEY = env.str("MFA_ENCRYPTION_KEY", default="")
MFA_ADAPTER = "accounts.mfa.MfaAdapter"
MFA_FORMS = {
    "authenticate": "accounts.mfa.AuthenticateForm",
    "reauthenticate": "accounts.mfa.ReauthenticateForm",
    "activate_totp": "accounts.mfa.ActivateTotpForm",
    "add_webauthn": "accounts.mfa.AddPasskeyForm",
    "edit_webauthn": "accounts.mfa.EditPasskeyForm",
    "authenticate_webauthn": "accounts.mfa.AuthenticatePasskeyForm",
    "login_webauthn": "accounts.mfa.LoginPasskeyForm",
    "reauthenticate_webauthn": "accounts.mfa.ReauthenticatePasskeyForm",
}
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Pet Place"
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds by which a phone's clock may be off
MFA_ALLOW_UNVERIFIED_EMAIL = not REQUIRE_VERIFIED_EMAIL

# Signing in with an account elsewhere. Without keys there is none, and no button.
_social = social_settings.chosen(env)
SOCIALACCOUNT_PROVIDERS = _social.providers
INSTALLED_APPS += _social.apps
SOCIALACCOUNT_ADAPTER = "accounts.social.SocialAdapter"
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5

# --- Language and time --------------------------------------------------------------------------

LANGUAGE_CODE = "en-us"
# How dates and numbers are written; the texts are English.
LANGUAGES = [("en-us", "English (United States)"), ("en-gb", "English (United Kingdom)")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
PHONENUMBER_DB_FORMAT = "E164"
PHONENUMBER_DEFAULT_FORMAT = "INTERNATIONAL"

# --- Mail ---------------------------------------------------------------------------------------

# Mail goes to files under the data folder until EMAIL_URL names a server, so nothing pretends to be sent.
EMAIL_CONFIG = env.email_url("EMAIL_URL", default="filemail://")
EMAIL_BACKEND = EMAIL_CONFIG.get("EMAIL_BACKEND", "django.core.mail.backends.filebased.EmailBackend")
EMAIL_FILE_PATH = EMAIL_CONFIG.get("EMAIL_FILE_PATH") or str(DATA_DIR / "mail")
EMAIL_HOST = EMAIL_CONFIG.get("EMAIL_HOST") or "localhost"
EMAIL_PORT = EMAIL_CONFIG.get("EMAIL_PORT") or 25
EMAIL_HOST_USER = EMAIL_CONFIG.get("EMAIL_HOST_USER") or ""
EMAIL_HOST_PASSWORD = EMAIL_CONFIG.get("EMAIL_HOST_PASSWORD") or ""
EMAIL_USE_TLS = bool(EMAIL_CONFIG.get("EMAIL_USE_TLS", False))
EMAIL_USE_SSL = bool(EMAIL_CONFIG.get("EMAIL_USE_SSL", False))
EMAIL_TIMEOUT = 10
# SendGrid instead of SMTP, over anymail (which maintains the adapters of other services better: docs/operations.md).
SENDGRID_API_KEY = env.str("SENDGRID_API_KEY", default="")
SENDGRID_WEBHOOK_KEY = env.str("SENDGRID_WEBHOOK_KEY", default="")
SENDGRID_WEBHOOK_SECRET = env.str("SENDGRID_WEBHOOK_SECRET", default="")
ANYMAIL = {
    "SENDGRID_API_KEY": SENDGRID_API_KEY,
    "SENDGRID_API_URL": f"{env.str('SENDGRID_API_BASE', default='https://api.sendgrid.com').rstrip('/')}/v3/",
    "REQUESTS_TIMEOUT": EMAIL_TIMEOUT,
}
if SENDGRID_WEBHOOK_KEY:
    ANYMAIL["SENDGRID_TRACKING_WEBHOOK_VERIFICATION_KEY"] = SENDGRID_WEBHOOK_KEY
if SENDGRID_WEBHOOK_SECRET:
    ANYMAIL["WEBHOOK_SECRET"] = SENDGRID_WEBHOOK_SECRET
if SENDGRID_API_KEY:
    EMAIL_BACKEND = "anymail.backends.sendgrid.EmailBackend"
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Pet Place <no-reply@localhost>")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Text messages and push ---------------------------------------------------------------------

# How long one call to a service of these may take, all in all.
CHANNEL_TIMEOUT_SECONDS = env.float("CHANNEL_TIMEOUT_SECONDS", default=5.0)
SMS_API_BASE = env.str("SMS_API_BASE", default="https://api.twilio.com").rstrip("/")
SMS_CALLBACK_URL = env.str("SMS_CALLBACK_URL", default=f"{SITE_URL.rstrip('/')}/api/v1/webhooks/twilio/")
TWILIO_ACCOUNT_SID = env.str("TWILIO_ACCOUNT_SID", default="")
TWILIO_AUTH_TOKEN = env.str("TWILIO_AUTH_TOKEN", default="")
TWILIO_FROM = env.str("TWILIO_FROM", default="")
TWILIO_MESSAGING_SERVICE_SID = env.str("TWILIO_MESSAGING_SERVICE_SID", default="")
# Web push; outside production a key is made once and kept in the data folder.
VAPID_PRIVATE_KEY = env.str("VAPID_PRIVATE_KEY", default="")
VAPID_SUBJECT = env.str("VAPID_SUBJECT", default="")
# The only push services that browsers may name; empty: any with a public address.
WEB_PUSH_HOSTS = env.list("WEB_PUSH_HOSTS", default=[])
PUSH_ALLOW_PRIVATE = env.bool("PUSH_ALLOW_PRIVATE", default=False)
if PUSH_ALLOW_PRIVATE and IS_PRODUCTION:
    raise ImproperlyConfigured("PUSH_ALLOW_PRIVATE is for tests: in production anybody could reach your own network.")
# Apps, over Firebase: the service account's JSON, or the path of its file. Needs requirements-fcm.txt.
FCM_SERVICE_ACCOUNT = env.str("FCM_SERVICE_ACCOUNT", default="")
PUSH_API_BASE = env.str("PUSH_API_BASE", default="https://fcm.googleapis.com").rstrip("/")

# --- REST API -----------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.api.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["petplace.api.renderers.JSONRenderer"],
    # Views that take files name petplace.api.parsers.UploadParser.
    "DEFAULT_PARSER_CLASSES": ["petplace.api.parsers.StrictJSONParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "petplace.api.negotiation.LenientContentNegotiation",
    "DEFAULT_METADATA_CLASS": None,  # OPTIONS tells nothing that the OpenAPI document does not
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_PAGINATION_CLASS": "petplace.api.pagination.PageNumberPagination",
    "DEFAULT_SCHEMA_CLASS": "petplace.api.schema.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["petplace.api.throttling.AnonThrottle", "petplace.api.throttling.UserThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "anon": env.str("THROTTLE_ANON", default="300/min"),
        "user": env.str("THROTTLE_USER", default="1200/min"),
        "sign_in": env.str("THROTTLE_SIGN_IN", default="20/min"),
        # Wrong passwords of one account, from devices that it does not know.
        "sign_in_account": env.str("THROTTLE_SIGN_IN_ACCOUNT", default="100/h"),
        # Wrong codes of the second factor.
        "otp": env.str("THROTTLE_OTP", default="5/min"),
        "otp_long": env.str("THROTTLE_OTP_LONG", default="30/h"),
        # Promo codes that do not exist, by account and by address.
        "promo": env.str("THROTTLE_PROMO", default="10/min"),
        "promo_address": env.str("THROTTLE_PROMO_ADDRESS", default="60/min"),
    },
    "EXCEPTION_HANDLER": "petplace.api.problems.exception_handler",
    "PAGE_SIZE": 20,
    "DATETIME_FORMAT": "iso-8601",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
API_MAX_BODY_BYTES = 1_000_000
SIMPLE_JWT = {
    "ACCESS_TOKEN_LIFETIME": timedelta(minutes=15),
    "REFRESH_TOKEN_LIFETIME": timedelta(days=14),
    "SIGNING_KEY": JWT_SIGNING_KEY,
    "ALGORITHM": "HS256",
    "USER_ID_FIELD": "uid",
    "AUDIENCE": "petplace-api",
    "ISSUER": "petplace",
    "LEEWAY": 5,  # seconds by which the clocks of our machines may differ
    "USER_ID_CLAIM": "sub",
    "UPDATE_LAST_LOGIN": False,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Pet Place API",
    "DESCRIPTION": "Find and book pet care that is really free at the asked time, at the final price.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": r"/api/v1",
    "ENUM_NAME_OVERRIDES": {},
    "POSTPROCESSING_HOOKS": [
        "petplace.api.schema.add_problem",
    ],
}

# --- Celery -------------------------------------------------------------------------------------

CELERY_BROKER_URL = _redis.celery
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TIMEZONE = "UTC"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
# Due times live in the database; beat only asks for a look. No task is published from a request.
CELERY_BEAT_SCHEDULE = {
    "bookings-due": {"task": "bookings.tasks.process_due", "schedule": 15.0},
    "bookings-sweep": {"task": "bookings.tasks.sweep", "schedule": crontab(minute=7)},
    "deliveries": {"task": "messaging.tasks.deliver_due", "schedule": 5.0, "options": {"expires": 5}},
    "vaccines": {
        "task": "messaging.tasks.tell_of_vaccines",
        "schedule": crontab(minute=1),
        "options": {"expires": 3000},
    },
    "reviews": {"task": "reviews.tasks.publish_due", "schedule": 20.0, "options": {"expires": 20}},
    "open-hours": {"task": "providers.tasks.extend_open_hours", "schedule": crontab(hour=2, minute=30)},
    "gateway-calls": {"task": "payments.tasks.run_calls", "schedule": 3.0, "options": {"expires": 3}},
    "gateway-events": {"task": "payments.tasks.process_events", "schedule": 2.0, "options": {"expires": 2}},
    "stale-payments": {"task": "payments.tasks.sync_stale_payments", "schedule": 60.0, "options": {"expires": 60}},
    "figures": {"task": "bookings.tasks.count_figures", "schedule": crontab(minute="*/5"), "options": {"expires": 240}},
    "all-figures": {"task": "bookings.tasks.count_all_figures", "schedule": crontab(hour=3, minute=40)},
    "documents": {"task": "providers.tasks.check_documents", "schedule": 60.0, "options": {"expires": 60}},
    "payouts": {"task": "payments.tasks.collect_payouts", "schedule": crontab(minute=23)},
    "reconciliation": {"task": "payments.tasks.reconcile", "schedule": crontab(hour=4, minute=40)},
    "exports": {"task": "accounts.tasks.make_exports", "schedule": 20.0, "options": {"expires": 20}},
    "housekeeping": {"task": "petplace.tasks.housekeeping", "schedule": crontab(hour=3, minute=10)},
}

# --- The product's numbers ----------------------------------------------------------------------

HOLD_MINUTES = 15
REVIEW_DAYS = 14  # after the end of the visit
REQUEST_ANSWER_HOURS = 24
OPEN_HOLDS_PER_OWNER = 3
# For the control runs of the race tests: it must be seen that they can fail. Only a test run can switch it on.
DISABLE_BOOKING_LOCKS = env.bool("PETPLACE_TEST_DISABLE_LOCKS", default=False) and "PETPLACE_TEST_RUN" in env.ENVIRON
# The same for the locks of money.
DISABLE_PAYMENT_LOCKS = (
    env.bool("PETPLACE_TEST_DISABLE_PAYMENT_LOCKS", default=False) and "PETPLACE_TEST_RUN" in env.ENVIRON
)
# The exact address and the way in are shown to the two sides of a booking from so many hours before until after it.
PLACE_HOURS_BEFORE = env.int("PLACE_HOURS_BEFORE", default=48)
PLACE_HOURS_AFTER = env.int("PLACE_HOURS_AFTER", default=24)
# The provider's team reads about a pet's health from the confirmation until so many hours after the end.
CARE_HOURS_AFTER = env.int("CARE_HOURS_AFTER", default=24)
# The versions of /terms/ and /privacy/ that people agree to now; raise one with each change of its text.
TERMS_VERSION = env.str("TERMS_VERSION", default="2026-11")
PRIVACY_VERSION = env.str("PRIVACY_VERSION", default="2026-11")
# Copies of one's own data: how long one is kept, how often one can be asked for, how long a link opens it.
EXPORT_DAYS = env.int("EXPORT_DAYS", default=7)
EXPORT_EVERY_HOURS = env.int("EXPORT_EVERY_HOURS", default=24)
EXPORT_LINK_MINUTES = env.int("EXPORT_LINK_MINUTES", default=5)
# What is kept only for a while: papers of providers who were rejected or have left, and what gateways sent us.
RETAIN_DOCUMENT_DAYS = env.int("RETAIN_DOCUMENT_DAYS", default=90)
RETAIN_GATEWAY_PAYLOAD_DAYS = env.int("RETAIN_GATEWAY_PAYLOAD_DAYS", default=400)
PAYOUT_DAYS = 2  # after the end of the visit
# A payout of more than so many units of its currency ("*": of any other) is sent when two administrators approved it;
# {} asks nobody. What 5,000 euros are, roughly.
LARGE_PAYOUTS: dict[str, int] = env.json(
    "LARGE_PAYOUTS", default={"*": 5_000, "JPY": 800_000, "KRW": 8_000_000, "INR": 500_000, "KZT": 2_700_000}
)
TIP_DAYS = 14  # after the end of the visit
PETS_PER_OWNER = 60
OPEN_HOURS_HORIZON_DAYS = 430  # the longest booking window (400 days) and a month to spare
# Which papers a kind of provider must have; without them it is not approved, and suspended when they run out. None in
# the demo.
REQUIRED_DOCUMENTS: dict[str, list[str]] = env.json(
    "REQUIRED_DOCUMENTS",
    default={
        "sitter": ["identity", "background_check"],
        "walker": ["identity", "background_check"],
        "groomer": ["identity", "insurance"],
        "trainer": ["identity", "insurance"],
        "clinic": ["licence", "insurance"],
        "shop": ["identity", "insurance"],
    }
    if IS_PRODUCTION and not DEMO
    else {},
)
# The same by kind of service: without them only those services are off sale.
REQUIRED_FOR_SERVICES: dict[str, list[str]] = env.json("REQUIRED_FOR_SERVICES", default={})
# What each person of such a provider must show: without it only this person cannot be booked.
REQUIRED_OF_STAFF: dict[str, list[str]] = env.json("REQUIRED_OF_STAFF", default={})
DOCUMENT_LINK_SECONDS = 300
MAP_TILE_URL = env.str("MAP_TILE_URL", default="")
MAP_TILE_ATTRIBUTION = env.str("MAP_TILE_ATTRIBUTION", default="")

# --- Payments -----------------------------------------------------------------------------------

# Gateways in the order in which they are offered. Without keys the sandbox takes play money, outside production.
STRIPE_API_BASE = env.str("STRIPE_API_BASE", default="https://api.stripe.com").rstrip("/")
STRIPE_SECRET_KEY = env.str("STRIPE_SECRET_KEY", default="")
STRIPE_PUBLISHABLE_KEY = env.str("STRIPE_PUBLISHABLE_KEY", default="")
STRIPE_WEBHOOK_SECRET = env.str("STRIPE_WEBHOOK_SECRET", default="")
STRIPE_JS_URL = env.str("STRIPE_JS_URL", default="https://js.stripe.com/v3/")
PAYPAL_API_BASE = env.str("PAYPAL_API_BASE", default="https://api-m.paypal.com").rstrip("/")
PAYPAL_CLIENT_ID = env.str("PAYPAL_CLIENT_ID", default="")
PAYPAL_CLIENT_SECRET = env.str("PAYPAL_CLIENT_SECRET", default="")
PAYPAL_WEBHOOK_ID = env.str("PAYPAL_WEBHOOK_ID", default="")
SANDBOX_WEBHOOK_SECRET = env.str("SANDBOX_WEBHOOK_SECRET", default=f"sandbox-{SECRET_KEY}")
SANDBOX_WEBHOOK_URL = env.str("SANDBOX_WEBHOOK_URL", default=f"{SITE_URL.rstrip('/')}/api/v1/webhooks/sandbox/")
SANDBOX_DELAY_SECONDS = env.float("SANDBOX_DELAY_SECONDS", default=0.0)
SANDBOX_REPEAT = env.int("SANDBOX_REPEAT", default=1)
SANDBOX_SHUFFLE = env.bool("SANDBOX_SHUFFLE", default=False)
PAYMENT_TIMEOUT_SECONDS = env.float("PAYMENT_TIMEOUT_SECONDS", default=6.0)
PAYMENT_GATEWAYS = gateway_settings.chosen(
    env.list("PAYMENT_GATEWAYS", default=[]),
    stripe={
        "STRIPE_SECRET_KEY": STRIPE_SECRET_KEY,
        "STRIPE_PUBLISHABLE_KEY": STRIPE_PUBLISHABLE_KEY,
        "STRIPE_WEBHOOK_SECRET": STRIPE_WEBHOOK_SECRET,
    },
    paypal={
        "PAYPAL_CLIENT_ID": PAYPAL_CLIENT_ID,
        "PAYPAL_CLIENT_SECRET": PAYPAL_CLIENT_SECRET,
        "PAYPAL_WEBHOOK_ID": PAYPAL_WEBHOOK_ID,
    },
    is_production=IS_PRODUCTION,
    is_sandbox_meant=env.bool("SANDBOX_IN_PRODUCTION", default=False),
)
# How a service may ask to be paid: all but "at_visit" need a gateway.
PAYMENT_POLICIES = env.list(
    "PAYMENT_POLICIES", default=["at_visit", "deposit", "prepay"] if PAYMENT_GATEWAYS else ["at_visit"]
)
CELERY_BEAT_SCHEDULE["gateway-probes"] = {"task": "payments.tasks.probe_gateways", "schedule": 10.0}
if "sandbox" in PAYMENT_GATEWAYS:
    CELERY_BEAT_SCHEDULE["sandbox-events"] = {
        "task": "payments.tasks.post_sandbox_events",
        "schedule": 2.0,
        "options": {"expires": 2},
    }

# --- Security -----------------------------------------------------------------------------------

_tile_origins = embedded_paths.origins_of(MAP_TILE_URL)
_payment_sources = gateway_settings.csp_sources(
    PAYMENT_GATEWAYS,
    js_origin=embedded_paths.origins_of(STRIPE_JS_URL),
    api_origin=embedded_paths.origins_of(STRIPE_API_BASE),
)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, *_payment_sources.get("script-src", [])],
        "style-src": [SELF],
        "img-src": [SELF, "data:", *_tile_origins],
        "font-src": [SELF],
        "connect-src": [SELF, *_payment_sources.get("connect-src", [])],
        "worker-src": [SELF],
        "manifest-src": [SELF],
        "frame-src": _payment_sources.get("frame-src") or [NONE],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF, *_payment_sources.get("form-action", []), *_social.origins],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
# What pages may ask a browser for. Everything else is off, for us as for whatever would get into a page.
PERMISSIONS_POLICY = {
    **dict.fromkeys(
        ("accelerometer", "autoplay", "bluetooth", "browsing-topics", "camera", "display-capture", "encrypted-media",
         "gyroscope", "hid", "magnetometer", "microphone", "midi", "serial", "usb", "xr-spatial-tracking"),
        "()",
    ),
    "fullscreen": "(self)",
    "geolocation": "(self)",  # "near me", asked by a tap
    "publickey-credentials-create": "(self)",
    "publickey-credentials-get": "(self)",
    "payment": " ".join(["(self", *(f'"{origin}"' for origin in _payment_sources.get("frame-src", []))]) + ")",
}  # fmt: skip
# Where somebody who found a weakness writes to (security.txt): an address of mail, or a page.
SECURITY_CONTACT = env.str("SECURITY_CONTACT", default=f"mailto:security@{urlsplit(SITE_URL).hostname}")
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_PRODUCTION
if IS_PRODUCTION:
    SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked inside the network
    SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=31_536_000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    if TRUSTED_PROXY_COUNT:
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

# "line" for people, "json" for machines: no personal data, no secrets (petplace.logs).
LOG_FORMAT = env.str("LOG_FORMAT", default="json" if IS_PRODUCTION else "line")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"request_id": {"()": "petplace.request_context.RequestIdFilter"}},
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} [{request_id}] {message}", "style": "{"},
        "json": {"()": "petplace.logs.JsonFormatter"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request_id"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "celery.beat": {"level": "WARNING"},  # else a line for each look, every two seconds
        "django.server": {"handlers": ["console"], "level": "WARNING", "propagate": False},
    },
}
