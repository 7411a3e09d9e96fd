"""Pages."""

from django.urls import URLPattern, URLResolver, path

from pets.views import files, owner

app_name = "pets"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", owner.pets, name="list"),
    path("new/", owner.create, name="create"),
    path("<uuid:uid>/", owner.detail, name="detail"),
    path("<uuid:uid>/edit/", owner.edit, name="edit"),
    path("<uuid:uid>/archive/", owner.archive, name="archive"),
    path("<uuid:uid>/restore/", owner.restore, name="restore"),
    path("<uuid:uid>/remove/", owner.remove, name="remove"),
    path("<uuid:uid>/photo/", files.photo, name="photo"),
    path("<uuid:uid>/vaccinations/new/", owner.vaccination_add, name="vaccination_add"),
    path("<uuid:uid>/vaccinations/<uuid:row>/remove/", owner.vaccination_remove, name="vaccination_remove"),
    path("<uuid:uid>/vaccinations/<uuid:row>/document/", files.document, name="document"),
    path("<uuid:uid>/care-records/new/", owner.record_add, name="record_add"),
    path("<uuid:uid>/care-records/<uuid:row>/remove/", owner.record_remove, name="record_remove"),
    path("<uuid:uid>/care-records/<uuid:row>/attachment/", files.attachment, name="attachment"),
]
