"""The thirteen source entities: what a business must bring (users, hero_passes) and what it may.

A source map (YAML) says where each field lives in a business's MongoDB; here stands only what RIS
understands. Field types are those of the landing table `ris_raw.<entity>`. Bounds are generous: what lies beyond
them is no rare person but a mistake, or another unit.
"""

from dataclasses import dataclass
from enum import StrEnum

from ris_assets.contracts.columns import Column, Table

RAW_SCHEMA = "ris_raw"


class Keeping(StrEnum):
    """How the landing table of an entity keeps what it has seen."""

    VERSIONS = "versions"
    """A document may change: every changed document adds a version, none is overwritten."""
    EVENTS = "events"
    """A document is a fact of one studio day: a rerun of that day replaces the day's rows. What they said before, where
    that is something else, stands in `superseded` with the time until which it was what was known."""


@dataclass(frozen=True)
class Entity:
    """One source entity: its fields, its identity, and the field that says when it happened."""

    name: str
    description: str
    keeping: Keeping
    id_field: str
    event_field: str
    fields: tuple[Column, ...]
    mandatory: bool = False
    is_read_by_member: bool = False
    """What becomes known of a member is understood beside all that was: rows are found by member."""

    @property
    def table(self) -> Table:
        """The landing table: the fields and RIS's bookkeeping."""
        key = ("source_id", "known_at") if self.keeping is Keeping.VERSIONS else ("source_id",)
        return Table(RAW_SCHEMA, self.name, self.description, key, BOOKKEEPING + self.fields)

    @property
    def superseded(self) -> Table:
        """What documents of events said before they changed or were gone, in the columns of the landing table."""
        what = f"{self.description}: what was known before the document changed or was gone"
        key, columns = ("source_id", "known_at"), BOOKKEEPING + self.fields
        return Table(RAW_SCHEMA, f"{self.name}_superseded", what, key, (*columns, KNOWN_UNTIL))

    @property
    def tables(self) -> tuple[Table, ...]:
        """All landing tables."""
        is_event = self.keeping is Keeping.EVENTS
        return (self.table, self.superseded) if is_event else (self.table,)

    def field(self, name: str) -> Column:
        """The field of that name; KeyError if the entity has none."""
        return next(column for column in self.fields if column.name == name)


BOOKKEEPING = (
    Column("source_id", "text", "Identity of the source document (and array element)", True),
    Column("event_at", "timestamptz", "When it happened: the entity's event field", True),
    Column("known_at", "timestamptz", "From when on this version could be known", True),
    Column(
        "is_deleted", "bool", "A tombstone: from `known_at` on the source no longer had it", True
    ),
)

KNOWN_UNTIL = Column("known_until", "timestamptz", "Until when this was what was known", True)


def _id(name: str, what: str, required: bool = False) -> Column:
    return Column(name, "text", what, required)


FACTORS = "factors"
"""The one field that a map gives in a list of its own (`factors:`), not among the fields."""

USERS = Entity(
    "users", "A person known to the studio", Keeping.VERSIONS, "user_id", "registered_at",
    (
        _id("user_id", "The person", True),
        Column("registered_at", "timestamptz", "When the person registered", True),
        Column("birth_date", "date", "Date of birth"),
        Column("sex", "text", "Sex", allowed=("male", "female", "other")),
        Column("height_cm", "float8", "Height, cm", least=50, most=260),
        Column("weight_kg", "float8", "Weight as stated in the profile, kg", least=10, most=500),
        Column("fat_share", "float8", "Body fat as stated in the profile, share 0-1", least=0, most=1),
        Column("city", "text", "Home city"),
        _id("club_id", "Home club"),
        Column("work_type", "text", "Kind of work: office, physical, ..."),
        Column("transport", "text", "How the person gets to the club"),
        Column("fitness_experience", "text", "Experience at registration"),
        Column("goal", "text", "What the person came for"),
        Column("onboarding", "text", "How the person came", allowed=("referral", "individual")),
        Column("has_trial", "bool", "Took a trial before the first paid pass"),
        _id("clan_id", "Clan in the app"),
        Column("friend_ids", "text[]", "Friends in the app: their user ids"),
        Column(FACTORS, "jsonb", "Factors of the business's own: name to text"),
    ),
    mandatory=True,
)  # fmt: skip

HERO_PASSES = Entity(
    "hero_passes", "A purchased period", Keeping.VERSIONS, "hp_id", "purchased_at",
    (
        _id("hp_id", "The pass", True),
        _id("user_id", "Who trains on it", True),
        _id("buyer_id", "Who paid for it, where that is somebody else: a family pass"),
        _id("club_id", "Club it was sold by"),
        Column("product", "text", "Product name"),
        Column("price", "float8", "Price paid, in `currency`"),
        Column("currency", "text", "ISO 4217 code"),
        Column("discount_share", "float8", "Discount, share 0-1 of the list price", least=0, most=1),
        Column("purchased_at", "timestamptz", "When it was bought", True),
        Column("starts_at", "timestamptz", "First instant it covers", True),
        Column("ends_at", "timestamptz", "First instant it no longer covers, before freezes", True),
        Column("is_trial", "bool", "Is a trial"),
        Column("freeze_days_allowed", "int4", "Days that it may be frozen", least=0),
        Column("cancelled_at", "timestamptz", "When it was cancelled"),
        Column("cancel_reason", "text", "Why it was cancelled"),
        Column("is_cancellation", "bool",
               "Covers nothing: from `ends_at` on it takes back what the member bought before it, of its `product`"),
        Column("payment_status", "text", "State of the payment",
               allowed=("paid", "failed", "refunded", "pending")),
        Column(FACTORS, "jsonb", "Factors of the business's own: name to text"),
    ),
    mandatory=True,
)  # fmt: skip

FREEZES = Entity(
    "freezes", "A pause of a pass", Keeping.VERSIONS, "freeze_id", "requested_at",
    (
        _id("freeze_id", "The freeze", True),
        _id("hp_id", "The frozen pass", True),
        Column("requested_at", "timestamptz", "When the member asked for it", True),
        Column("starts_at", "timestamptz", "First frozen instant", True),
        Column("ends_at", "timestamptz", "First instant after the freeze; null while open"),
        Column("cancelled_at", "timestamptz", "When the freeze was called off"),
    ),
)  # fmt: skip

BOOKINGS = Entity(
    "bookings", "A booked class", Keeping.VERSIONS, "booking_id", "booked_at",
    (
        _id("booking_id", "The booking", True),
        _id("user_id", "Who booked", True),
        _id("club_id", "Club of the class"),
        Column("class_type", "text", "Kind of class"),
        _id("coach_id", "Coach of the class"),
        Column("booked_at", "timestamptz", "When it was booked", True),
        Column("starts_at", "timestamptz", "When the class starts", True),
        Column("status", "text", "State of the booking", True,
               ("booked", "attended", "cancelled", "late_cancelled", "no_show")),
        Column("cancelled_at", "timestamptz", "When it was cancelled"),
        Column("stations_done", "int4", "Stations done", least=0),
        Column("stations_planned", "int4", "Stations in the circuit", least=0),
    ),
)  # fmt: skip

STATION_RESULTS = Entity(
    "station_results", "A set at a station", Keeping.EVENTS, "result_id", "performed_at",
    (
        _id("result_id", "The set", True),
        _id("booking_id", "Booking it belongs to", True),
        _id("user_id", "Who lifted", True),
        Column("performed_at", "timestamptz", "When it was done", True),
        Column("station", "text", "Station"),
        Column("weight_kg", "float8", "Weight lifted, kg", least=0, most=1_000),
        Column("reps", "int4", "Repetitions", least=0),
        Column("has_heart_rate", "bool", "A heart-rate monitor was worn"),
        Column("heart_rate_mean", "float8", "Mean heart rate, beats/min", least=20, most=260),
        Column("heart_rate_max", "float8", "Highest heart rate, beats/min", least=20, most=260),
    ),
)  # fmt: skip

BODY_MEASUREMENTS = Entity(
    "body_measurements", "An InBody reading", Keeping.EVENTS, "measurement_id", "measured_at",
    (
        _id("measurement_id", "The reading", True),
        _id("user_id", "Who was measured", True),
        Column("measured_at", "timestamptz", "When", True),
        Column("weight_kg", "float8", "Weight, kg", least=10, most=500),
        Column("fat_share", "float8", "Body fat, share 0-1", least=0, most=1),
        Column("muscle_kg", "float8", "Muscle mass, kg", least=0, most=500),
    ),
    is_read_by_member=True,
)  # fmt: skip

ASSESSMENTS = Entity(
    "assessments", "A fitness test", Keeping.EVENTS, "assessment_id", "assessed_at",
    (
        _id("assessment_id", "The test", True),
        _id("user_id", "Who was tested", True),
        Column("assessed_at", "timestamptz", "When", True),
        Column("kind", "text", "Kind of test"),
        Column("score", "float8", "Score, 0-100", least=0, most=100),
    ),
    is_read_by_member=True,
)  # fmt: skip

APP_SESSIONS = Entity(
    "app_sessions", "A visit to the app", Keeping.EVENTS, "session_id", "started_at",
    (
        _id("session_id", "The session", True),
        _id("user_id", "Who opened the app", True),
        Column("started_at", "timestamptz", "When", True),
        Column("duration_minutes", "float8", "How long, minutes", least=0, most=7 * 24 * 60),
        Column("has_opened_feed", "bool", "Opened the feed"),
        Column("has_opened_leaderboard", "bool", "Opened the leaderboard"),
        Column("has_opened_achievements", "bool", "Opened the achievements"),
    ),
)  # fmt: skip

DAILY_STEPS = Entity(
    "daily_steps", "A person's steps of a day", Keeping.EVENTS, "steps_id", "counted_at",
    (
        _id("steps_id", "The record", True),
        _id("user_id", "Who walked", True),
        Column("counted_at", "timestamptz", "An instant of the day that the steps belong to", True),
        Column("steps", "int4", "Steps of the day", True, least=0, most=500_000),
    ),
)  # fmt: skip

SOCIAL_ACTIONS = Entity(
    "social_actions", "A post, like, comment, friend added, clan joined or left", Keeping.EVENTS,
    "action_id", "acted_at",
    (
        _id("action_id", "The act", True),
        _id("user_id", "Who acted", True),
        Column("acted_at", "timestamptz", "When", True),
        Column("kind", "text", "What was done", True,
               ("post", "like", "comment", "friend_added", "clan_joined", "clan_left")),
        _id("target_user_id", "Towards whom"),
    ),
)  # fmt: skip

SUPPORT_TICKETS = Entity(
    "support_tickets", "A contact with support", Keeping.EVENTS, "ticket_id", "opened_at",
    (
        _id("ticket_id", "The ticket", True),
        _id("user_id", "Who wrote", True),
        Column("opened_at", "timestamptz", "When", True),
        Column("topic", "text", "Topic"),
        Column("tone", "float8", "Tone, -1 (angry) to 1 (happy)", least=-1, most=1),
        Column("rating", "float8", "Rating given, 1-5", least=1, most=5),
    ),
)  # fmt: skip

PAYMENTS = Entity(
    "payments", "A charge", Keeping.EVENTS, "payment_id", "paid_at",
    (
        _id("payment_id", "The charge", True),
        _id("user_id", "Who was charged", True),
        _id("hp_id", "Pass it pays for"),
        Column("paid_at", "timestamptz", "When it was tried", True),
        Column("amount", "float8", "Amount, in `currency`"),
        Column("currency", "text", "ISO 4217 code"),
        Column("status", "text", "Outcome", allowed=("succeeded", "failed", "refunded")),
        Column("method", "text", "Means of payment"),
    ),
)  # fmt: skip

APP_EVENTS = Entity(
    "app_events", "A product event", Keeping.EVENTS, "event_id", "occurred_at",
    (
        _id("event_id", "The event", True),
        _id("user_id", "Whose app sent it", True),
        Column("occurred_at", "timestamptz", "When", True),
        Column("type", "text", "Event type", True),
        Column("metadata", "jsonb", "Whatever the app sent along"),
    ),
)  # fmt: skip

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        USERS, HERO_PASSES, FREEZES, BOOKINGS, STATION_RESULTS, BODY_MEASUREMENTS, ASSESSMENTS,
        APP_SESSIONS, DAILY_STEPS, SOCIAL_ACTIONS, SUPPORT_TICKETS, PAYMENTS, APP_EVENTS,
    )
}  # fmt: skip
