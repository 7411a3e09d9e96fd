"""Pages of the provider dashboard under `/provider/` (the bookings app adds those that show bookings)."""

from django.urls import path

from providers.views import apply, hours, media, places, profile, services, team

urlpatterns = [
    path("", apply.index, name="index"),
    path("apply/", apply.apply, name="apply"),
    path("places/", places.suggestions, name="places"),
    path("documents/<uuid:uid>/", media.document, name="document_file"),
    path("<slug:slug>/apply/you/", apply.profile, name="apply_you"),
    path("<slug:slug>/apply/place/", apply.place, name="apply_place"),
    path("<slug:slug>/apply/service/", apply.service, name="apply_service"),
    path("<slug:slug>/apply/hand-in/", apply.hand_in, name="apply_hand_in"),
    path("<slug:slug>/profile/", profile.profile, name="profile"),
    path("<slug:slug>/profile/avatar/remove/", profile.remove_avatar, name="avatar_remove"),
    path("<slug:slug>/profile/photos/", profile.add_photo, name="photo_add"),
    path("<slug:slug>/profile/photos/<uuid:uid>/remove/", profile.remove_photo, name="photo_remove"),
    path("<slug:slug>/documents/", profile.papers, name="documents"),
    path("<slug:slug>/documents/<uuid:uid>/remove/", profile.remove_paper, name="document_remove"),
    path("<slug:slug>/branches/", places.branches, name="branches"),
    path("<slug:slug>/branches/new/", places.branch_create, name="branch_create"),
    path("<slug:slug>/branches/<uuid:uid>/", places.branch_edit, name="branch_edit"),
    path("<slug:slug>/branches/<uuid:uid>/remove/", places.branch_remove, name="branch_remove"),
    path("<slug:slug>/resources/", places.resources, name="resources"),
    path("<slug:slug>/resources/new/", places.resource_create, name="resource_create"),
    path("<slug:slug>/resources/<uuid:uid>/", places.resource_edit, name="resource_edit"),
    path("<slug:slug>/resources/<uuid:uid>/remove/", places.resource_remove, name="resource_remove"),
    path("<slug:slug>/services/", services.services, name="services"),
    path("<slug:slug>/services/new/", services.service_create, name="service_create"),
    path("<slug:slug>/services/<uuid:uid>/", services.service_edit, name="service_edit"),
    path("<slug:slug>/services/<uuid:uid>/toggle/", services.service_toggle, name="service_toggle"),
    path("<slug:slug>/services/<uuid:uid>/remove/", services.service_remove, name="service_remove"),
    path("<slug:slug>/hours/", hours.overview, name="hours"),
    path("<slug:slug>/hours/<uuid:uid>/", hours.edit, name="hours_of"),
    path("<slug:slug>/hours/<uuid:uid>/dates/", hours.override_add, name="override_add"),
    path("<slug:slug>/hours/<uuid:uid>/dates/remove/", hours.override_remove, name="override_remove"),
    path("<slug:slug>/hours/<uuid:uid>/time-off/", hours.time_off_add, name="time_off_add"),
    path("<slug:slug>/hours/<uuid:uid>/time-off/<uuid:off>/remove/", hours.time_off_remove, name="time_off_remove"),
    path("<slug:slug>/team/", team.team, name="team"),
    path("<slug:slug>/team/<uuid:uid>/role/", team.change_role, name="member_role"),
    path("<slug:slug>/team/<uuid:uid>/remove/", team.remove, name="member_remove"),
]
