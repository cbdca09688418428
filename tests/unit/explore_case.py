"""Small databases for the tests of exploring: documents in memory behind the face of a source."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import bson
from bson.binary import Binary, UuidRepresentation
from bson.objectid import ObjectId

from ris_assets.extract.profiling.explore import Bounds, SourceProfile, explore_source

Documents = Sequence[dict[str, Any]]
START = datetime(2024, 1, 1, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Facts:
    documents: int | None
    bytes: int | None
    indexes: tuple[str, ...] = ("_id_",)


class Database:
    """A source that holds its documents in memory, and can or cannot be asked for ids."""

    def __init__(self, collections: dict[str, Documents], knows_ids: bool = True) -> None:
        self.raw = {
            name: [bson.encode(document) for document in documents]
            for name, documents in collections.items()
        }
        self.knows_ids = knows_ids
        self.asked: list[str] = []

    def collections(self) -> list[str]:
        return list(self.raw)

    def facts(self, collection: str, *, exact: bool = False) -> Facts:
        return Facts(len(self.raw[collection]), sum(map(len, self.raw[collection])))

    def sample(self, collection: str, documents: int) -> Iterator[bytes]:
        raw = self.raw[collection]
        step = max(1, len(raw) // documents)
        yield b"".join(raw[::step][:documents])

    def batches(self, collection: str, query: dict[str, Any]) -> Iterator[bytes]:
        yield b"".join(self.raw[collection])

    def find_ids(self, collection: str, ids: list[Any]) -> set[Any] | None:
        self.asked.append(collection)
        if not self.knows_ids:
            return None
        return {bson.decode(raw)["_id"] for raw in self.raw[collection]} & set(ids)


def explored(collections: dict[str, Documents], documents: int = 2_000) -> SourceProfile:
    return explore_source(Database(collections), Bounds(documents), lambda *_: None)


def oid(kind: int, number: int) -> ObjectId:
    return ObjectId(f"{kind:08x}{number:016x}")


def uuid(number: int) -> Binary:
    return Binary.from_uuid(UUID(int=(7 << 96) + number), UuidRepresentation.STANDARD)


def crm(people: int = 120) -> dict[str, Documents]:
    """A gym's CRM: snake case, transliterated names, seconds since 1970 and ISO texts."""
    return {
        "clients": [_client(n) for n in range(people)],
        "abonements": [_abonement(n, people) for n in range(2 * people)],
        "zamorozki": [
            {"_id": n, "abonement_id": 1000 + n, "data_nachala": _iso(n), "data_okonchaniya": _iso(n + 7)}
            for n in range(people // 3)
        ],
        "visits": [_visit(n, people) for n in range(5 * people)],
        "oplaty": [
            {"_id": n, "client_id": 500 + n % people, "summa": 15000.0, "valyuta": "KZT", "data": _iso(n),
             "status": ("oplachen", "otkaz")[n % 7 == 0]}
            for n in range(2 * people)
        ],
        "trenery": [{"_id": n, "fio": f"Trener {n}"} for n in range(5)],
        "tarify": [{"_id": n, "nazvanie": f"Tarif {n}", "cena": 1000 * n} for n in range(5)],
    }  # fmt: skip


def _iso(day: int) -> str:
    return (START + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S")


def _epoch(day: float) -> int:
    return int((START + timedelta(days=day)).timestamp())


def _client(n: int) -> dict[str, Any]:
    return {
        "_id": n + 500, "fio": f"Familiya Imya {n}", "telefon": f"+7701{n:07}", "e_mail": f"k{n}@mail.kz",
        "data_registracii": _epoch(n / 3), "data_rozhdeniya": f"19{60 + n % 40}-03-{1 + n % 28:02}",
        "pol": "zh" if n % 3 else "m", "rost": 1.6 + n % 30 / 100, "ves": 55.5 + n % 40,
        "updated_at": _epoch(n / 2),
    }  # fmt: skip


def _abonement(n: int, people: int) -> dict[str, Any]:
    return {
        "_id": n + 1000, "client_id": 500 + n % people, "tarif_id": n % 5, "tarif": f"Tarif {n % 5}",
        "stoimost": 15000 + 100 * (n % 4), "skidka": (0, 10, 15)[n % 3], "data_pokupki": _epoch(n / 4),
        "data_nachala": _iso(n // 4), "data_okonchaniya": _iso(n // 4 + 30), "probny": n % 9 == 0,
    }  # fmt: skip


def _visit(n: int, people: int) -> dict[str, Any]:
    return {"_id": n, "client_id": 500 + n % people, "trener_id": n % 5, "created_at": _epoch(n / 10),
            "visit_date": _epoch(n / 10 + 1), "zanyatie": ("yoga", "box")[n % 2]}  # fmt: skip


def embedded(people: int = 90) -> dict[str, Documents]:
    """Memberships within the members' documents, and pauses within those; UUIDs and ISO dates."""
    return {
        "members": [_member(n) for n in range(people)],
        "reservations": [
            {"_id": uuid(50_000 + n), "member": uuid(n % people), "session": {"name": "Spin", "coach": uuid(9_000)},
             "reservedOn": _iso(n // 5), "startTime": _iso(n // 5 + 1),
             "state": ("CHECKED_IN", "NO_SHOW", "CANCELED")[n % 3]}
            for n in range(4 * people)
        ],
        "auditLog": [{"_id": n, "msg": "x", "lvl": n % 3} for n in range(20)],
    }  # fmt: skip


def _member(n: int) -> dict[str, Any]:
    memberships = [
        {"membershipId": uuid(20_000 + 2 * n + k), "plan": "Gold", "soldOn": _iso(40 * k)[:10],
         "startDate": _iso(40 * k)[:10], "endDate": _iso(40 * k + 30)[:10], "price": {"value": 99.5, "ccy": "EUR"},
         "pauses": [{"from": _iso(5 + k), "until": _iso(9 + k), "requestedAt": _iso(4 + k)}] * (n % 2)}
        for k in range(1 + n % 2)
    ]  # fmt: skip
    return {
        "_id": uuid(n), "firstName": "Ann", "lastName": f"L{n}", "email": f"a{n}@b.com", "gender": "fm"[n % 2],
        "joinedOn": _iso(n)[:10], "dateOfBirth": "1990-05-17", "memberships": memberships,
    }  # fmt: skip


def billing(people: int = 80) -> dict[str, Documents]:
    """A payment provider's objects, and check-ins: text ids, epoch seconds, references without `id`."""
    month = 30 * 86_400
    return {
        "customers": [{"_id": f"cus_{n:05}", "created": _epoch(n), "email": f"a{n}@b.com"} for n in range(people)],
        "subscriptions": [
            {"_id": f"sub_{n}", "customer": f"cus_{n % people:05}", "created": _epoch(n),
             "current_period_start": _epoch(n), "current_period_end": _epoch(n) + month,
             "plan": {"amount": 4900, "currency": "eur"},
             "status": ("active", "past_due", "unpaid_x")[n % 3]}
            for n in range(2 * people)
        ],
        "charges": [
            {"_id": f"ch_{n}", "customer": f"cus_{n % people:05}", "amount": 4900, "currency": "eur",
             "created": _epoch(n), "status": ("succeeded", "failed")[n % 4 == 0]}
            for n in range(3 * people)
        ],
        "checkins": [
            {"_id": oid(3, n), "customer_id": f"cus_{n % people:05}", "checked_in_at": START} for n in range(people)
        ],
        "sessions": [{"_id": f"s{n}", "expires": START, "session": "{}"} for n in range(30)],
    }  # fmt: skip


def club(people: int = 60) -> dict[str, Documents]:
    """A club's web application: snake case, freezes within contracts, attendance as a boolean."""
    whose = [{"person_id": oid(1, n % people), "created_at": START} for n in range(3 * people)]
    freeze = {"start": START, "end": START, "created_at": START}
    return {
        "people": [{"_id": oid(1, n), "mobile": "+4915112345678", "created_at": START} for n in range(people)],
        "contracts": [
            {"_id": oid(2, n), "monthly_fee": 59.9, "signed_at": START, "valid_from": START, "valid_until": START,
             "freeze_periods": [freeze] * (n % 2), **who}
            for n, who in enumerate(whose)
        ],
        "class_bookings": [
            {"_id": oid(3, n), "class_date": START, "attended": n % 2 == 0, **who} for n, who in enumerate(whose)
        ],
        "measurements": [{"_id": oid(4, n), "taken_at": START, "body_fat": 22.1, **who} for n, who in enumerate(whose)],
        "activity_logs": [{"_id": oid(6, n), "event": "login", **who} for n, who in enumerate(whose)],
        "nothing": [],
    }  # fmt: skip


def newspaper(readers: int = 60) -> dict[str, Documents]:
    """Persons who stand only in what they bought, which is an array."""
    return {
        "subscriptions": [
            {"_id": n, "reader": {"no": f"R{n // 2:04}", "mail": f"r{n}@x.jp"}, "createdAt": START + timedelta(days=n),
             "periods": [{"from": START + timedelta(days=n + 30 * k), "to": START + timedelta(days=n + 30 * k + 30),
                          "paidAt": _epoch(n + 30 * k) * 1000} for k in range(1 + n % 3)]}
            for n in range(readers)
        ]
    }  # fmt: skip


def invoices(accounts: int = 60) -> dict[str, Documents]:
    """Periods that are invoices; of who pays for them, and of contracts, there is no more than an id."""
    return {
        "invoices": [
            {"_id": f"in_{n}", "account": n % accounts, "billing_reason": ("cycle", "create")[n % 2],
             "created": _epoch(n), "period": {"start": _iso(n), "end": _iso(n + 30)}, "total": 4900,
             "status": ("paid", "paid", "uncollectible")[n % 3]}
            for n in range(3 * accounts)
        ],
        "subscriptions": [
            {"_id": f"sub_{n}", "account": n, "status": ("active", "canceled")[n % 2], "start_date": _epoch(n)}
            for n in range(accounts)
        ],
    }  # fmt: skip


def telco(customers: int = 90) -> dict[str, Documents]:
    """One row a customer: for how many months, and whether they have left."""
    return {
        "customers": [
            {"_id": n, "gender": ("Male", "Female")[n % 2], "tenure": n % 73, "PhoneService": ("No", "Yes")[n % 2],
             "Contract": ("One year", "Month-to-month")[n % 2], "PaymentMethod": ("Mailed check", "Bank")[n % 2],
             "MonthlyCharges": 20.5 + n, "TotalCharges": str(99.5 * n) if n else " ",
             "Churn": ("No", "Yes")[n % 3 == 0]}
            for n in range(customers)
        ]
    }  # fmt: skip


def academia(people: int = 60) -> dict[str, Documents]:
    """A gym with names in Portuguese, days as texts, and texts for what there is not."""

    def day(number: int) -> str:
        return (START + timedelta(days=number)).strftime("%d/%m/%Y")

    return {
        "alunos": [
            {"_id": n, "nomeCompleto": f"Nome {n}", "cpf": f"{n:011}", "sexo": ("F", "M", "N/A")[n % 3],
             "dataNascimento": day(-9000 - n), "dataCadastro": f"{day(n)} 10:00:00", "unidade": f"U{n % 4}"}
            for n in range(people)
        ],
        "matriculas": [
            {"_id": n, "alunoId": str(n % people), "plano": "Mensal", "valor": "1.119,90", "moeda": "BRL",
             "dataVenda": day(n), "dataInicio": day(n), "dataFim": day(n + 30),
             "dataCancelamento": ("", "N/A", day(n + 9))[n % 3],
             "statusPagamento": ("PAGO", "INADIMPLENTE")[n % 9 == 0]}
            for n in range(3 * people)
        ],
        "acessos": [
            {"_id": n, "aluno": n % people, "dataHora": f"{day(n // 9)} 18:{n % 60:02}:00"} for n in range(9 * people)
        ],
    }  # fmt: skip


def boxes(customers: int = 60) -> dict[str, Documents]:
    """Boxes with weeks that are skipped, each in an array of its subscription."""
    return {
        "customers": [{"_id": n, "email": f"e{n}@x.uk", "signupDate": START} for n in range(customers)],
        "subscriptions": [
            {"_id": oid(3, n), "customer": {"id": str(n)}, "createdAt": START + timedelta(days=n), "endedAt": None,
             "startedAt": START + timedelta(days=n), "price": 39.9,
             "skips": [{"skippedOn": START + timedelta(days=n + 40), "from": START + timedelta(days=n + 43),
                        "until": START + timedelta(days=n + 50)}]}
            for n in range(customers)
        ],
    }  # fmt: skip


def sql_copy(people: int = 60) -> dict[str, Documents]:
    """Tables of a relational database: rows with numbers of their own, beside the `_id` that the copying gave them."""
    return {
        "users": [
            {"_id": oid(9, n), "id": str(n), "name": f"N{n}", "created_at": f"2024-01-{1 + n % 28:02} 10:00:00"}
            for n in range(people)
        ],
        "subscriptions": [
            {"_id": oid(8, n), "id": str(n), "user_id": str(n % people), "starts_on": f"2024-02-{1 + n % 28:02}",
             "ends_on": f"2024-03-{1 + n % 28:02}"}
            for n in range(2 * people)
        ],
        "pauses": [
            {"_id": oid(7, n), "subscription_id": str(n), "pause_start": "2024-02-05", "pause_end": "2024-02-09"}
            for n in range(people)
        ],
    }  # fmt: skip


def wrapped(people: int = 60) -> dict[str, Documents]:
    """Extended JSON that was stored as it stood."""

    def date(day: int) -> dict[str, str]:
        return {"$date": _iso(day)}

    return {
        "users": [{"_id": oid(1, n), "email": f"a{n}@x.com", "createdAt": date(n)} for n in range(people)],
        "memberships": [
            {"_id": n, "user": {"$oid": str(oid(1, n % people))}, "boughtAt": date(n), "startsAt": date(n),
             "endsAt": date(n + 30), "price": {"$numberDecimal": "39.90"}}
            for n in range(2 * people)
        ],
    }  # fmt: skip


def vertraege(people: int = 60) -> dict[str, Documents]:
    """A gym with names in German."""
    return {
        "kunden": [
            {"_id": n, "vorname": "A", "nachname": "B", "anmeldedatum": _iso(n), "geschlecht": "w"}
            for n in range(people)
        ],
        "vertraege": [
            {"_id": n, "kundennummer": n % people, "tarif": "Monat", "preis": "39,90 €", "abgeschlossenAm": _iso(n),
             "beginn": _iso(n), "ende": _iso(n + 30), "gekuendigtAm": _iso(n + 9), "kuendigungsgrund": "Umzug"}
            for n in range(2 * people)
        ],
    }  # fmt: skip
