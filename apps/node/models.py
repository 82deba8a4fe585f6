"""The node's tables. States and their changes: `apps.node.states`."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from apps.node.states import State

__all__ = ["Job", "Message", "NodeStatus", "Output", "OutputFile", "Step", "User"]

_ENDED = [State.SUCCESS.value, State.FAILED.value, State.CANCELED.value]


class User(models.Model):
    """Somebody who may log in; no relation to the users of any other deployment.

    `api_hash` is the random part of the one API token that is valid now; a new token replaces it.
    `password` is a hash of `django.contrib.auth.hashers`.
    """

    class Role(models.TextChoices):
        ADMIN = "Admin"
        USER = "User"

    username = models.CharField(max_length=64, unique=True)
    full_name = models.CharField(max_length=255)
    mail = models.CharField(max_length=255, blank=True)
    password = models.CharField(max_length=255)
    role = models.CharField(max_length=16, choices=Role, default=Role.USER)
    active = models.BooleanField(default=True)
    login_attempts = models.PositiveSmallIntegerField(default=0)
    locked_until = models.DateTimeField(null=True)
    last_login_at = models.DateTimeField(null=True)
    api_hash = models.CharField(max_length=64, blank=True)
    api_token_expires_at = models.DateTimeField(null=True)

    # What Django REST framework asks of `request.user`.
    is_authenticated: ClassVar[bool] = True

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(role__in=["Admin", "User"]), name="node_user_role_known"
            ),
            models.CheckConstraint(
                condition=Q(api_hash="", api_token_expires_at__isnull=True)
                | (~Q(api_hash="") & Q(api_token_expires_at__isnull=False)),
                name="node_user_api_token_has_expiry",
            ),
        ]

    def __str__(self) -> str:
        return self.username

    @property
    def is_admin(self) -> bool:
        return self.role == self.Role.ADMIN


class Job(models.Model):
    """One submission. Its files are in the workspace folder named by its id.

    `password` of the result archives is Fernet text under the node's secret key, kept until the
    job has ended; it is in no other column. `server` is the run of the server that works on the
    job; `events_applied` counts the lines of its pipeline that are in the tables, so that a line
    whose commit was in doubt is never applied twice.
    """

    id = models.CharField(primary_key=True, max_length=40)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="jobs")
    name = models.CharField(max_length=255)
    application = models.CharField(max_length=255)
    application_id = models.CharField(max_length=128)
    state = models.SmallIntegerField(default=State.WAITING.value)
    parameters = models.JSONField()
    password = models.TextField(blank=True)
    password_is_generated = models.BooleanField(default=False)
    user_agent = models.CharField(max_length=255, blank=True)
    submitted_at = models.DateTimeField()
    queued_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)
    server = models.UUIDField(null=True)
    events_applied = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=sorted(state.value for state in State)),
                name="node_job_state_known",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=[State.RUNNING.value, State.EXPORTING.value])
                | Q(started_at__isnull=False, server__isnull=False),
                name="node_job_running_has_server",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=_ENDED) | Q(ended_at__isnull=False, password=""),
                name="node_job_ended_keeps_no_password",
            ),
        ]
        indexes = [
            models.Index(
                F("queued_at"),
                F("id"),
                name="node_job_queue",
                condition=Q(state=State.WAITING.value),
            ),
            models.Index(F("user"), F("submitted_at").desc(), F("id").desc(), name="node_job_list"),
        ]

    def __str__(self) -> str:
        return self.id


class Step(models.Model):
    """A step of the pipeline, in order of `position`; all are there from the submission on."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=255)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "position"], name="node_step_position_once")
        ]

    def __str__(self) -> str:
        return f"{self.job_id} step {self.position}"


class Message(models.Model):
    """One line below a step; its text is HTML, as Cloudgene's clients expect."""

    class Type(models.IntegerChoices):
        OK = 0
        ERROR = 1
        WARNING = 2
        RUNNING = 3

    step = models.ForeignKey(Step, on_delete=models.CASCADE, related_name="messages")
    position = models.PositiveIntegerField()
    type = models.SmallIntegerField(choices=Type)
    text = models.TextField()
    time = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["step", "position"], name="node_message_position_once"),
            models.CheckConstraint(
                condition=Q(type__in=[0, 1, 2, 3]), name="node_message_type_known"
            ),
        ]

    def __str__(self) -> str:
        return f"step {self.step_id} message {self.position}"


class Output(models.Model):
    """A folder of results: `output` for the user, `cloudgene_logs` for the curious."""

    class Name(models.TextChoices):
        OUTPUT = "output", "Downloads"
        LOGS = "cloudgene_logs", "Logs"

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="outputs")
    name = models.CharField(max_length=32, choices=Name)
    hash = models.CharField(max_length=64, unique=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "name"], name="node_output_once"),
            models.CheckConstraint(
                condition=Q(name__in=["output", "cloudgene_logs"]), name="node_output_name_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.job_id} {self.name}"


class OutputFile(models.Model):
    """A file that may be downloaded `count` more times (-1: without limit) by who knows `hash`.

    `hash` is random and says nothing about the contents. `path` is below the output's folder.
    """

    output = models.ForeignKey(Output, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=1024)
    hash = models.CharField(max_length=64, unique=True)
    size = models.BigIntegerField()
    count = models.IntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["output", "path"], name="node_file_once"),
            models.CheckConstraint(condition=Q(count__gte=-1), name="node_file_count_floor"),
            models.CheckConstraint(condition=Q(size__gte=0), name="node_file_size_floor"),
        ]

    def __str__(self) -> str:
        return f"{self.output_id} {self.path}"

    @property
    def name(self) -> str:
        return self.path.rsplit("/", 1)[-1]


class NodeStatus(models.Model):
    """The node's one row: who serves, and whether submissions are refused for maintenance."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    server = models.UUIDField(null=True)
    maintenance = models.BooleanField(default=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="node_status_single")]

    def __str__(self) -> str:
        return "node status"
