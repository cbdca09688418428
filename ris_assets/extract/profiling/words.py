"""The words that names are made of: English, transliterated Russian, and the commonest of German, Spanish and
Portuguese, brought to one concept each.

Which concepts make an entity or a field stands in `vocabulary.py`.
"""

import re
from functools import lru_cache

_CONCEPTS = {
    "user": "user client member customer subscriber student pupil learner mitglied kund cliente"
    " alumno aluno athlete person persons people hero polzovatel klient chlen uchenik visitor reader leser"
    " lector leitor assinante abonnent usuario socio miembro membro",
    "pass": "pass heropass membership subscription vertrag vertraeg verträg abo"
    " suscripcion assinatura abonement abonem contract kontrakt dogovor matricul membresia",
    "freeze": "skip pausa freez frozen pause hold zamoroz zamorozk priostanov suspen trancament congelament",
    "book": "book reserv appointment zapis bron enrol enrollment",
    "visit": "besuch visita visit attend attendance checkin poseschen posesheni poseshcheni vizit arrival"
    " acesso acceso presenca asistencia",
    "payment": "payment pay paid zahlung pago pagamento transaction"
    " charge oplat platezh platej invoice billing receipt cobranc fatura factura rechnung",
    "class": "class classes course workout training lesson trenirovk zanyati urok aula clase kurs",
    "session": "session sessions sessii",
    "app": "app mobile application prilozhen",
    "event": "event events sobyti analytics telemetry",
    "step": "step steps shag shagi pedometer",
    "social": "social feed lenta friend drug druzya friends",
    "action": "action activity activities deystvi",
    "like": "like likes layk",
    "comment": "comment komment",
    "post": "post posts publication",
    "support": "support ticket complaint complain obrashchen obraschen zhalob helpdesk feedback otzyv",
    "body": "body telo tela",
    "measure": "measure measured measurement scan inbody zamer izmeren composition",
    "assess": "assess assessment test tests fitnesstest benchmark",
    "fitness": "fitness fitnes sport",
    "station": "station stations stanci exercise uprazhnen",
    "set": "set sets podhod",
    "result": "result results rezultat",
    "id": "id ids uid guid uuid oid key code? ref no nr numero nummer",
    "at": "at on date time datetime data vremya datum zeit fecha timestamp day dt ts when kogda moment instant"
    " hora dia zeitpunkt",
    "create": "create created sozdan creation inserted added dobavlen",
    "update": "update updated modif modified changed change obnovlen izmenen lastmodified",
    "register": "beitritt inscripcion signup register registr registration registered join joined signup"
    " cadastr inscri anmeld alta subscribed",
    "birth": "birth geburt geburtsdatum nacimiento nascimento birthday birthdate born dob bday rozhden dr",
    "sex": "sex gender pol geschlecht genero sexo",
    "height": "height rost altura groesse",
    "weight": "weight ves mass massa peso gewicht",
    "fat": "fat zhir adipose",
    "muscle": "muscle myshc lean",
    "percent": "percent pct procent share ratio",
    "city": "city town gorod cidade ciudad stadt",
    "club": "club branch location studio gym filial klub zal venue unidade sucursal sede",
    "home": "home main base primary domashni",
    "work": "work job occupation rabot profession",
    "transport": "transport commute transit",
    "experience": "experience opyt stazh",
    "goal": "goal target? purpose cel tsel",
    "onboarding": "onboarding acquisition channel source origin istochnik referral utm kanal",
    "trial": "trial probn probny",
    "clan": "clan team squad komanda guild",
    "product": "product tariff tarif plan package paket offer service usluga plano tarifa",
    "kind": "kind type tip vid category kategori",
    "price": "price preis precio preco fee cost cena stoimost tsena",
    "amount": "amount sum summa total value valor betrag monto importe",
    "currency": "currency valyut valut moeda moneda waehrung währung",
    "discount": "discount skidk desconto descuento rabatt",
    "purchase": "abgeschlossen purchas bought buy sold sale pokupk kuplen prodazh prodan ordered venda vendid"
    " compra comprad",
    "start": "start begin from von inicio nachal activ activated since",
    "end": "end ende bis until till to finish expir expires expiry konec konca okonchan due fim fin termino"
    " venciment ablauf deactiv unsubscrib churned",
    "valid": "valid deistvu deystvu",
    "cancel": "kuendig kundig storn cancel cancell otmen otmena terminat calledoff revok annul"
    " cancelament gekuendig gekundig",
    "reason": "reason prichin cause motivo grund",
    "status": "status state sostoyan outcome situac estado",
    "ask": "request requested asked zapros zayavk submitted",
    "coach": "coach trainer trener instructor teacher instrutor entrenador",
    "plan": "planned scheduled expected",
    "schedule": "schedule raspisan slot",
    "done": "done completed vypolnen finished passed",
    "rep": "rep reps repetition povtor",
    "heart": "heart hr pulse bpm puls",
    "mean": "mean avg average srednee sredni",
    "max": "max maximum peak highest",
    "used": "used worn connected",
    "score": "score points ball ballov grade",
    "duration": "duration length dlitelnost prodolzhitelnost minutes mins sec secs seconds ms millis",
    "open": "open opened viewed seen",
    "leaderboard": "leaderboard rating_table ranking",
    "achievement": "achievement badge dostizhen award",
    "count": "count counted number qty kolichestv",
    "topic": "topic subject theme tema",
    "tone": "tone sentiment mood ton",
    "rating": "rating stars rate ocenka otsenka nps csat",
    "method": "method means sposob provider gateway metodo",
    "meta": "meta metadata payload properties props params attributes extra",
    "target": "target recipient towards",
    "email": "email e-mail emails pochta mail correo",
    "phone": "phone tel telephone telefon mobil mobilnyi msisdn cell nomer_telefona whatsapp viber celular handy",
    "firstname": "firstname fname imya givenname forename vorname",
    "surname": "surname lastname familiya familia lname familyname nachname sobrenome apellid",
    "patronymic": "patronymic otchestv middlename",
    "fio": "fio fullname displayname",
    "name": "name nazvan naimenovan title nome nombre",
    "nick": "nick nickname username",
    "login": "login",
    "iin": "iin inn ssn snils taxid cpf cnpj dni rut curp",
    "passport": "passport pasport udostoveren",
    "address": "address adres addr endereco direccion anschrift",
    "street": "street ulica rua calle strasse",
    "geo": "geo latitude longitude lat lon lng coordinates",
    "ip": "ip ipaddress",
    "telegram": "telegram tg",
    "chat": "chat chatid",
    "instagram": "instagram insta",
    "vk": "vk vkontakte facebook",
    "push": "push fcm apns",
    "password": "password passwd parol pwd passhash",
    "token": "token jwt apikey accesstoken",
    "secret": "secret salt hash signature",
    "otp": "otp pin",
    "cookie": "cookie",
    "card": "cardnumber pan iban iik",
    "country": "country strana",
    "minor": "minor cents kopeck kop tiyn tiin",
    "profile": "profile profil profiles account accounts",
    "log": "log logs audit",
    "tenure": "tenure",
    "churn": "churn attrition",
}
_WORD = re.compile(r"[A-ZА-ЯЁ]+(?![a-zа-яё])|[A-ZА-ЯЁ]?[a-zа-яё]+|\d+")
_LATIN = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i",
    "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t",
    "у": "u", "ф": "f", "х": "h", "ц": "c", "ч": "ch", "ш": "sh", "щ": "sch", "ъ": "", "ы": "y", "ь": "",
    "э": "e", "ю": "yu", "я": "ya",
}  # fmt: skip
_STEMS = {
    stem: concept
    for concept, stems in _CONCEPTS.items()
    for stem in stems.split()
    if not stem.endswith("?")
}
_ENDINGS = {2: 0, 3: 0, 4: 3, 5: 3}
"""Longest ending by the length of the stem; `_LONG_ENDING` for longer stems."""
_LONG_ENDING = 5
_SHORT = 3


@lru_cache(maxsize=100_000)
def words_of(name: str) -> tuple[str, ...]:
    """The concepts in a name, its unknown words as they stand, lower case.

    `clientIds` and `klient_id` both are `user`, `id`.
    """
    found: list[str] = []
    for word in _WORD.findall(name[:200]):
        found += _concepts(_latin(word.lower()))
    return tuple(found)


def _latin(word: str) -> str:
    return "".join(_LATIN.get(c, c) for c in word)


def _concepts(word: str) -> list[str]:
    """The concept of a word, or of the two words that it is made of."""
    if word in _STEMS:
        return [_STEMS[word]]
    for cut in range(len(word) - 2, 1, -1):
        first, second = _known(word[:cut]), _STEMS.get(word[cut:])
        if first and second and (cut > _SHORT or second == "id"):
            return [first, second]
    return [_known(word) or word]


def _known(word: str) -> str | None:
    """The concept of the longest stem that the word begins with; short stems take only a plural s."""
    for size in range(len(word), 1, -1):
        concept, ending = _STEMS.get(word[:size]), word[size:]
        most = _ENDINGS.get(size, _LONG_ENDING)
        if concept and (ending == "s" or len(ending.removesuffix("s")) <= most):
            return concept
    return None
