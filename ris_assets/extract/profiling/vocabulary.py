"""What businesses call RIS's entities, their fields and their values; the words are those of `words.py`.

Phrases are separated by bars, the likeliest first.
"""

from dataclasses import dataclass
from typing import Any

from ris_assets.extract.profiling.words import words_of


@dataclass(frozen=True)
class Phrase:
    """Something that may be said of an entity or a field, and its concepts."""

    text: str
    words: frozenset[str]


def _phrases(text: str) -> tuple[Phrase, ...]:
    return tuple(Phrase(part, frozenset(words_of(part))) for part in text.split("|"))


ENTITY_NAMES = {
    name: _phrases(text)
    for name, text in {
        "users": "users|user profile|profile|user account",
        "hero_passes": "user pass|pass|pass purchase",
        "freezes": "freeze|pass freeze|user freeze|freeze pass history",
        "bookings": "booking|class booking|visit|class visit|user visit|user booking|schedule booking",
        "station_results": "station result|station|set|class set|class result|result",
        "body_measurements": "body measurement|measurement|body|body composition|user measurement",
        "assessments": "fitness test|assessment|assessment result|fitness",
        "app_sessions": "app session|session|user session|app visit|login",
        "daily_steps": "daily steps|steps|step count|user steps",
        "social_actions": "social action|social|action|like|comment|post",
        "support_tickets": "support ticket|support|user support",
        "payments": "payment|user payment|pass payment",
        "app_events": "app event|event|user event|log",
    }.items()
}

FIELD_NAMES = {
    name: _phrases(text)
    for name, text in {
        "users.registered_at": "registered at|created at|register|create|start at|start",
        "birth_date": "birth date|birth",
        "sex": "sex",
        "height_cm": "height",
        "weight_kg": "weight|body weight",
        "fat_share": "body fat percent|fat percent|fat|body fat",
        "city": "city|home city|address city",
        "club_id": "club id|club|home club id|home club",
        "work_type": "work type|work",
        "transport": "transport",
        "fitness_experience": "fitness experience|experience|fitness level",
        "goal": "goal|fitness goal",
        "onboarding": "onboarding|channel",
        "has_trial": "has trial|trial taken|trial used|trial|trial done",
        "clan_id": "clan id|clan",
        "friend_ids": "friend ids|friends",
        "user_id": "user id|user|id user|profile id|profile",
        "hp_id": "pass id|pass",
        "booking_id": "booking id|booking|visit id|visit",
        "coach_id": "coach id|coach",
        "target_user_id": "target user id|to user id|friend id|target id|target",
        "hero_passes.product": "product code|product name|product|pass type|pass kind|kind|name",
        "hero_passes.price": "price amount|price|amount|pass price|payment amount|price total",
        "currency": "currency|price currency",
        "discount_share": "discount percent|discount",
        "hero_passes.purchased_at": "purchased at|sold at|purchase|signed at|created at|paid at|create|at",
        "starts_at": "starts at|start|valid from|valid start at",
        "ends_at": "ends at|end|valid to|valid end at",
        "hero_passes.ends_at": "ends at|end|valid to|valid end at|pass end at",
        "is_trial": "is trial|trial",
        "cancelled_at": "cancelled at|cancel|cancellation at|called off at",
        "is_cancellation": "is cancel",
        "cancel_reason": "cancel reason|cancellation reason|reason cancel",
        "hero_passes.payment_status": "payment status|payment state|is paid|paid",
        "freezes.requested_at": "requested at|asked at|created at|request|create|freeze at",
        "freezes.starts_at": "starts at|start|freeze at|freeze start|freeze from|at",
        "bookings.class_type": "class type|class kind|class name|class|kind",
        "bookings.booked_at": "booked at|reserved at|created at|create|book",
        "bookings.starts_at": "starts at|class at|class start|visit at|checked in at|attended at|arrived at|start"
        "|schedule at|at",
        "bookings.status": "status|state|attended|is attended",
        "status": "status|state",
        "bookings.cancelled_at": "cancelled at|cancel",
        "stations_done": "stations done|station done count",
        "stations_planned": "stations planned|station plan count|station count",
        "performed_at": "performed at|done at|starts at|created at|at",
        "station": "station code|station name|station|exercise name|name|code|kind",
        "station_results.weight_kg": "weight",
        "reps": "reps|rep count|count",
        "has_heart_rate": "heart rate used|heart used|has heart rate",
        "heart_rate_mean": "heart rate mean|heart mean|mean heart rate|mean",
        "heart_rate_max": "heart rate max|heart max|max heart rate|max",
        "measured_at": "measured at|taken at|created at|at|create",
        "muscle_kg": "muscle mass|muscle kg|muscle",
        "assessed_at": "tested at|assessed at|taken at|done at|created at|at|create",
        "kind": "kind|action kind|name|action",
        "score": "score|result score|result",
        "started_at": "started at|start|opened at|created at|at|create",
        "duration_minutes": "duration",
        "has_opened_feed": "opened feed|feed",
        "has_opened_leaderboard": "opened leaderboard|leaderboard",
        "has_opened_achievements": "opened achievements|achievements",
        "counted_at": "counted at|at|day|created at|create|measured at",
        "steps": "steps|step count|count",
        "acted_at": "acted at|action at|created at|at|create",
        "opened_at": "opened at|created at|at|asked at|create",
        "topic": "topic|kind",
        "tone": "tone",
        "rating": "rating|score",
        "payments.paid_at": "paid at|payment at|created at|at|create",
        "payments.amount": "amount|price|payment amount",
        "method": "payment method|method|payment kind",
        "occurred_at": "occurred at|event at|created at|at|create",
        "type": "event type|event name|type|name|event",
        "metadata": "metadata|payload|params",
        "changed_at": "updated at|update|modified at",
    }.items()
}
SAME_INSTANT = {
    "hero_passes.purchased_at": "starts_at",
    "hero_passes.starts_at": "purchased_at",
    "freezes.requested_at": "starts_at",
    "bookings.booked_at": "starts_at",
    "bookings.starts_at": "booked_at",
}
"""What stands in for an instant that a business does not record, as a last resort."""

VALUES: dict[str, dict[str, str]] = {
    "sex": {
        "male": "male m man men boy masculino homem hombre maennlich muzh"
                " muzhskoy muzhskoi muzhchina mujskoy м муж мужской мужчина 1",
        "female": "female f w woman women girl feminino femenino mulher mujer weiblich"
                  " zh zhen zhenskiy zhenskii zhenshchina jenskiy ж жен женский женщина"
                  " 0 2",
        "other": "other x diverse nonbinary unknown drugoe",
    },
    "onboarding": {
        "referral": "referral friend friends invite invited recommendation drug druzya referal друг",
        "individual": "individual self organic direct ads ad instagram web website google walk_in sam сам reklama",
    },
    "payment_status": {
        "paid": "paid success succeeded successful ok complete completed captured done oplachen oplacheno true"
                " оплачен оплачено settled active pago pagado bezahlt",
        "failed": "failed declined error rejected unpaid uncollectible fail false otkaz отказ rechazado"
                  " inadimplente vencido",
        "refunded": "refunded refund chargeback reversed vozvrat возврат estornado reembolsado",
        "pending": "pending processing waiting new created ozhidaet ожидает authorized pendente pendiente",
    },
    "bookings.status": {
        "attended": "attended done visited completed complete present checked_in checkedin came finished"
                    " poseshcheno posetil посещено пришел true",
        "no_show": "no_show noshow missed absent not_attended propusk neyavka пропуск неявка false",
        "late_cancelled": "late_cancelled late_cancel late_cancellation latecancel cancelled_late",
        "cancelled": "cancelled canceled cancel otmena otmeneno отмена отменено deleted",
        "booked": "booked active reserved confirmed new pending planned scheduled zapisan записан created open",
    },
    "social_actions.kind": {
        "post": "post posted create_post",
        "like": "like liked reaction layk лайк",
        "comment": "comment commented reply komment комментарий",
        "friend_added": "friend_added friend_add add_friend follow followed friendship friend",
        "clan_joined": "clan_joined clan_join join_clan team_joined join",
        "clan_left": "clan_left clan_leave leave_clan team_left leave",
    },
    "payments.status": {
        "succeeded": "succeeded success successful paid ok complete completed captured settled oplachen true"
                     " оплачен оплачено done pago pagado bezahlt",
        "failed": "failed declined error rejected fail canceled cancelled uncollectible otkaz отказ false rechazado"
                  " inadimplente",
        "refunded": "refunded refund chargeback reversed vozvrat возврат estornado reembolsado",
    },
}  # fmt: skip
"""Per field with a fixed list of values: the words that sources write for each."""

PERIODS: dict[int, str] = {
    1: "month monthly monat monatlich mensal mensual mes месяц ежемесячно",
    3: "quarter quarterly vierteljaehrlich trimestral квартал",
    6: "halfyear half_year semiannual semestral halbjaehrlich полугодие",
    12: "year yearly annual annually jahr jaehrlich jährlich anual год ежегодно",
}
"""Words that sources write for so many months."""

FLAGS: dict[str, str] = {
    "true": "yes y true t 1 ja j si sí sim s oui o on да tak",
    "false": "no n false f 0 nein não nao non off нет nie",
}
"""Words that sources write for yes and no."""


def months_of(value: Any) -> int | None:
    """How many months a word stands for; None where it says nothing of that."""
    word = str(value).strip().lower()
    return next((months for months, words in PERIODS.items() if word in words.split()), None)


def flags_of(value: Any) -> list[bool]:
    """What a word says of yes and no; nothing where it says neither."""
    word = str(value).strip().lower()
    return [flag == "true" for flag, words in FLAGS.items() if word in words.split()]


_DAYS = (
    "%Y%m%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%m-%Y",
    "%Y/%m/%d",
    "%d.%m.%y",
    "%d %b %Y",
    "%b %d, %Y",
)
DATE_PATTERNS = tuple(f"{day}{clock}" for day in _DAYS for clock in ("", " %H:%M", " %H:%M:%S"))
"""How sources write instants otherwise, patterns of strptime."""

ATTENDED = frozenset({"visit"})
"""Collections of these are of visits that took place: a missing status says so."""
NEUTRAL = frozenset(
    {
        "profile", "info", "data", "details", "detail", "user", "personal", "questionnaire", "survey",
        "settings", "general", "main", "body", "stats", "status", "result", "results", "attributes",
        "fields", "params", "fitness", "home", "at", "is", "has", "id", "dates", "period", "times",
    }
)  # fmt: skip
"""Words around a field's own that do not change what it is."""


def field_phrases(entity: str, field: str) -> tuple[Phrase, ...]:
    """What a field may be called, the likeliest first."""
    return FIELD_NAMES.get(f"{entity}.{field}") or FIELD_NAMES.get(field) or ()


def value_words(entity: str, field: str) -> dict[str, frozenset[str]]:
    """Per allowed value of a field, the words that sources write for it."""
    found = VALUES.get(f"{entity}.{field}") or VALUES.get(field) or {}
    return {target: frozenset(words.split()) for target, words in found.items()}
