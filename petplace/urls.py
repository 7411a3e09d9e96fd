"""All addresses of the site."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path

import bookings.provider_urls
import messaging.talk_urls
import messaging.urls
import payments.provider_urls
import providers.urls
import reviews.provider_urls
from bookings.views import offline as offline_views
from bookings.views import search as search_views
from messaging.views import live as live_views
from petplace import health, pwa, views
from petplace.api import views as api_views
from providers.views import media as provider_media
from providers.views import public as provider_views
from reviews.views import public as review_views

provider_urlpatterns = [
    *providers.urls.urlpatterns,
    *bookings.provider_urls.urlpatterns,
    *payments.provider_urls.urlpatterns,
    *reviews.provider_urls.urlpatterns,
    *messaging.talk_urls.provider_urlpatterns,
]

urlpatterns = [
    path("", views.home, name="home"),
    path("how-it-works/", views.how_it_works, name="how_it_works"),
    path("terms/", views.terms, name="terms"),
    path("privacy/", views.privacy, name="privacy"),
    path("trust/", provider_views.trust, name="trust"),
    path("search/", search_views.search, name="search"),
    path("search/places/", search_views.place_options, name="search_places"),
    path("p/<slug:slug>/", provider_views.detail, name="provider_detail"),
    path("p/<slug:slug>/reviews/", review_views.provider_reviews, name="provider_reviews"),
    path("p/<slug:slug>/avatar", provider_media.avatar, name="provider_avatar"),
    path("p/photos/<uuid:uid>", provider_media.photo, name="provider_photo"),
    path("accounts/", include("allauth.urls")),
    path("account/", include("accounts.urls")),
    path("pets/", include("pets.urls")),
    path("provider/", include((provider_urlpatterns, "provider"))),
    path("bookings/", include("bookings.urls")),
    path("notifications/", include("messaging.urls")),
    path("events/", live_views.stream, name="live_stream"),
    path("events/poll/", live_views.poll, name="live_poll"),
    path("events/badges/", live_views.badges, name="live_badges"),
    path("messages/", include("messaging.talk_urls")),
    path("", include("payments.urls")),
    path("sandbox/", include("payments.sandbox_urls")),
    path("reviews/", include("reviews.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("petplace.api.urls")),
    re_path(r"^api/", api_views.not_found),
    path("manifest.webmanifest", pwa.manifest, name="manifest"),
    path("sw.js", pwa.service_worker, name="service_worker"),
    path("offline/", pwa.offline, name="offline"),
    path("offline/bookings/", offline_views.next_bookings, name="offline_bookings"),
    path(".well-known/security.txt", views.security_txt, name="security_txt"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]

if settings.DEMO or settings.DEBUG:
    urlpatterns += [
        path("ui/", views.ui_gallery, name="ui-gallery"),
        path("dev/outbox/", include((messaging.urls.outbox_urlpatterns, "dev"))),
    ]

handler400 = "petplace.middleware.bad_request"  # problem+json under /api/
handler500 = "petplace.middleware.server_error"  # 503 when the database is away, problem+json under /api/
