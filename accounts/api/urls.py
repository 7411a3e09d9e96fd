"""Paths of the REST API under `/api/v1/`."""

from django.urls import URLPattern, URLResolver, path

from accounts.api import privacy, views

urlpatterns: list[URLPattern | URLResolver] = [
    path("auth/register/", views.RegisterView.as_view(), name="api-register"),
    path("auth/login/", views.LoginView.as_view(), name="api-login"),
    path("auth/refresh/", views.RefreshView.as_view(), name="api-refresh"),
    path("auth/logout/", views.LogoutView.as_view(), name="api-logout"),
    path("auth/logout/all/", views.LogoutAllView.as_view(), name="api-logout-all"),
    path("auth/password/change/", views.PasswordChangeView.as_view(), name="api-password-change"),
    path("auth/password/reset/", views.PasswordResetView.as_view(), name="api-password-reset"),
    path("auth/password/reset/confirm/", views.PasswordResetConfirmView.as_view(), name="api-password-reset-confirm"),
    path("auth/email/verify/", views.EmailVerifyView.as_view(), name="api-email-verify"),
    path("me/", views.MeView.as_view(), name="api-me"),
    path("me/export/", privacy.ExportView.as_view(), name="api-me-export"),
    path("me/consents/", privacy.ConsentsView.as_view(), name="api-me-consents"),
]
