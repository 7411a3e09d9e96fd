"""Pages."""

from django.urls import URLPattern, URLResolver, path

from accounts import views

app_name = "accounts"
urlpatterns: list[URLPattern | URLResolver] = [
    path("settings/", views.settings, name="settings"),
    path("apps/", views.apps, name="apps"),
    path("apps/<uuid:uid>/end/", views.end_app, name="end_app"),
    path("sign-out-everywhere/", views.end_all, name="end_all"),
    path("privacy/", views.privacy, name="privacy"),
    path("privacy/export/", views.ask_export, name="export"),
    path("privacy/export/<str:key>.zip", views.export_file, name="export_file"),
    path("privacy/news/", views.news, name="news"),
    path("close/", views.close, name="close"),
]
