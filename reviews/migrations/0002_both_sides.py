import datetime
import uuid

import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('bookings', '0009_incidents'),
        ('providers', '0005_fill_checks'),
        ('reviews', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='review',
            name='review_of_provider',
        ),
        migrations.AddField(
            model_name='review',
            name='care',
            field=models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(5)]),
        ),
        migrations.AddField(
            model_name='review',
            name='communication',
            field=models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(5)]),
        ),
        migrations.AddField(
            model_name='review',
            name='due_at',
            field=models.DateTimeField(default=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='review',
            name='hidden_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='review',
            name='pet_as_described',
            field=models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(5)]),
        ),
        migrations.AddField(
            model_name='review',
            name='published_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='review',
            name='punctuality',
            field=models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(5)]),
        ),
        migrations.AddField(
            model_name='review',
            name='side',
            field=models.CharField(choices=[('owner', 'The owner'), ('provider', 'The provider')], default='owner', max_length=10),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name='review',
            name='value',
            field=models.PositiveSmallIntegerField(blank=True, null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(5)]),
        ),
        migrations.CreateModel(
            name='Flag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('target', models.CharField(choices=[('review', 'The review'), ('reply', 'The reply')], default='review', max_length=10)),
                ('reason', models.CharField(choices=[('spam', 'It is advertising or spam'), ('insult', 'It insults or threatens somebody'), ('private_data', 'It tells private things: names, addresses, numbers'), ('not_a_visit', 'It is not about a real visit'), ('other', 'Something else')], max_length=15)),
                ('note', models.TextField(blank=True, max_length=1000)),
                ('made_at', models.DateTimeField()),
                ('decision', models.CharField(blank=True, choices=[('hide', 'Hide it'), ('keep', 'Keep it')], max_length=5)),
                ('answer', models.TextField(blank=True, max_length=1000)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ('-pk',),
            },
        ),
        migrations.CreateModel(
            name='LateCancellation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('cancelled_at', models.DateTimeField()),
                ('days_before', models.SmallIntegerField()),
                ('hidden_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ('-cancelled_at', '-pk'),
            },
        ),
        migrations.CreateModel(
            name='Reply',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('text', models.TextField(max_length=2000)),
                ('made_at', models.DateTimeField()),
                ('hidden_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'verbose_name_plural': 'replies',
                'ordering': ('-pk',),
            },
        ),
        migrations.AlterField(
            model_name='review',
            name='booking',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='bookings.booking'),
        ),
        migrations.AlterField(
            model_name='review',
            name='provider',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reviews', to='providers.provider'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(models.F('provider'), models.OrderBy(models.F('published_at'), descending=True), condition=models.Q(('hidden_at__isnull', True), ('published_at__isnull', False), ('side', 'owner')), name='review_shown'),
        ),
        migrations.AddIndex(
            model_name='review',
            index=models.Index(condition=models.Q(('published_at__isnull', True)), fields=['due_at'], name='review_due'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.UniqueConstraint(fields=('booking', 'side'), name='review_once_a_side'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('side__in', ['owner', 'provider'])), name='review_side_known'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('care__isnull', True), ('care__range', (1, 5)), _connector='OR'), models.Q(('communication__isnull', True), ('communication__range', (1, 5)), _connector='OR'), models.Q(('punctuality__isnull', True), ('punctuality__range', (1, 5)), _connector='OR'), models.Q(('value__isnull', True), ('value__range', (1, 5)), _connector='OR'), models.Q(('pet_as_described__isnull', True), ('pet_as_described__range', (1, 5)), _connector='OR')), name='review_aspects_one_to_five'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('pet_as_described__isnull', True), ('side', 'owner')), models.Q(('care__isnull', True), ('side', 'provider'), ('value__isnull', True)), _connector='OR'), name='review_aspects_of_its_side'),
        ),
        migrations.AddConstraint(
            model_name='review',
            constraint=models.CheckConstraint(condition=models.Q(('hidden_at__isnull', True), ('published_at__isnull', False), _connector='OR'), name='review_hidden_once_published'),
        ),
        migrations.AddField(
            model_name='flag',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='flag',
            name='closed_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='flag',
            name='review',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='flags', to='reviews.review'),
        ),
        migrations.AddField(
            model_name='latecancellation',
            name='booking',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='late_cancellation', to='bookings.booking'),
        ),
        migrations.AddField(
            model_name='latecancellation',
            name='provider',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='late_cancellations', to='providers.provider'),
        ),
        migrations.AddField(
            model_name='reply',
            name='by',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='reply',
            name='review',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='reply', to='reviews.review'),
        ),
        migrations.AddIndex(
            model_name='flag',
            index=models.Index(condition=models.Q(('closed_at__isnull', True)), fields=['made_at'], name='flag_open'),
        ),
        migrations.AddConstraint(
            model_name='flag',
            constraint=models.UniqueConstraint(fields=('review', 'target', 'by'), name='flag_once_a_person'),
        ),
        migrations.AddConstraint(
            model_name='flag',
            constraint=models.CheckConstraint(condition=models.Q(('target__in', ['review', 'reply'])), name='flag_target_known'),
        ),
        migrations.AddConstraint(
            model_name='flag',
            constraint=models.CheckConstraint(condition=models.Q(('reason__in', ['spam', 'insult', 'private_data', 'not_a_visit', 'other'])), name='flag_reason_known'),
        ),
        migrations.AddConstraint(
            model_name='flag',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closed_at__isnull', True), ('closed_by__isnull', True), ('decision', '')), models.Q(('closed_at__isnull', False), ('closed_by__isnull', False), ('decision__in', ['hide', 'keep'])), _connector='OR'), name='flag_closed_with_decision'),
        ),
        migrations.AddIndex(
            model_name='latecancellation',
            index=models.Index(fields=['provider', '-cancelled_at'], name='late_cancellation_of_provider'),
        ),
        migrations.AddConstraint(
            model_name='latecancellation',
            constraint=models.CheckConstraint(condition=models.Q(('days_before__lte', 5)), name='late_cancellation_is_late'),
        ),
        migrations.AddConstraint(
            model_name='reply',
            constraint=models.CheckConstraint(condition=models.Q(('text', ''), _negated=True), name='reply_has_text'),
        ),
        # What was written before this was published at once.
        migrations.RunSQL(
            "UPDATE reviews_review SET due_at = created_at, published_at = created_at", migrations.RunSQL.noop
        ),
    ]
