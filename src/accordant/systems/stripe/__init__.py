"""Stripe Billing: customers, yearly subscriptions billed by invoice, and credit on what is billed next."""

from typing import Any

from accordant.canonical.operation import EffectClass
from accordant.connector.auth import BearerToken
from accordant.connector.capabilities import Assumption, Capability, ConnectionSettings, Connector, SandboxSeed
from accordant.connector.manners import Manners
from accordant.kernel.errors import Misconfigured
from accordant.systems.stripe.client import KEY_LIFE_S, StripeBilling, alive, explain
from accordant.systems.stripe.mapping import translate
from accordant.systems.stripe.sandbox import SECRET_KEY, WEBHOOK_SECRET
from accordant.systems.stripe.webhooks import verify

API_VERSION = "2026-10-28.endive"

__all__ = ["connector"]


def _manners(settings: ConnectionSettings) -> Manners:
    key = settings.credentials.get("secret_key", "")
    if not key.strip():
        raise Misconfigured(f"connection {settings.name}: the credential `secret_key` is missing")
    version = str(settings.options.get("api_version", API_VERSION))
    return Manners(auth=BearerToken(key), explain=explain, alive=alive, headers={"Stripe-Version": version})


def _connect(settings: ConnectionSettings, http: Any) -> StripeBilling:
    return StripeBilling(settings, http)


_CAPABILITIES = (
    Capability(
        verb="open_customer",
        kind="customer",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/customers",
        source="https://docs.stripe.com/api/idempotent_requests",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="start_subscription",
        kind="subscription",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/subscriptions",
        source="https://docs.stripe.com/api/subscriptions/create",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="amend_subscription",
        kind="subscription",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/subscriptions/{id}",
        source="https://docs.stripe.com/api/subscriptions/update",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="revert_amendment",
        kind="subscription",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/subscriptions/{id}",
        source="https://docs.stripe.com/api/subscriptions/update",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="end_subscription",
        kind="subscription",
        effect_class=EffectClass.UPSERT,
        request="DELETE /v1/subscriptions/{id}",
        source="https://docs.stripe.com/api/subscriptions/cancel",
    ),
    Capability(
        verb="grant_credit",
        kind="credit",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/customers/{id}/balance_transactions",
        source="https://docs.stripe.com/api/customer_balance_transactions/create",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="refund_payment",
        kind="refund",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/refunds",
        source="https://docs.stripe.com/api/refunds/create",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="stop_collecting",
        kind="invoice_dispute",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/invoices/{id}",
        source="https://docs.stripe.com/api/invoices/update",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="collect_again",
        kind="invoice_dispute",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/invoices/{id}",
        source="https://docs.stripe.com/api/invoices/update",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="credit_invoice",
        kind="credit_note",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/credit_notes",
        source="https://docs.stripe.com/api/credit_notes/create",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="counter_credit",
        kind="credit_counter",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/customers/{id}/balance_transactions",
        source="https://docs.stripe.com/api/customer_balance_transactions/create",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="send_reminder",
        kind="reminder",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/invoices/{id}/send",
        source="https://docs.stripe.com/api/invoices/send",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="pause_collection",
        kind="collection",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/subscriptions/{id}",
        source="https://docs.stripe.com/billing/subscriptions/pause-payment",
        key_life_s=KEY_LIFE_S,
    ),
    Capability(
        verb="resume_collection",
        kind="collection",
        effect_class=EffectClass.NATIVE_KEY,
        request="POST /v1/subscriptions/{id}",
        source="https://docs.stripe.com/billing/subscriptions/pause-payment",
        key_life_s=KEY_LIFE_S,
    ),
)

_ASSUMPTIONS = (
    Assumption(
        about="which refusals an idempotency key keeps",
        assumed="a parameter that fails validation is not saved under the key (documented); an id that does not exist "
        "is found out while executing, so its refusal is saved",
    ),
    Assumption(
        about="replayed answers",
        assumed="they carry `Idempotent-Replayed: true` and `Original-Request`; concurrent use of a key answers 409 "
        "`idempotency_key_in_use`",
    ),
    Assumption(
        about="webhook retry times",
        assumed="documented is exponential backoff for up to three days; the nine delays of the sandbox are ours",
    ),
    Assumption(
        about="429 answers",
        assumed="the limits and the reason header are documented, the wording and the absence of Retry-After are not",
    ),
    Assumption(
        about="quantity updates per subscription and hour",
        assumed="the sandbox counts every update of a subscription, the real limit only those of quantities",
    ),
    Assumption(
        about="prorations and later invoices",
        assumed="the sandbox makes the first invoice only: it computes no prorations, and finalizes a draft when "
        "asked to, never by itself after an hour",
    ),
    Assumption(about="inline prices", assumed="the sandbox sends no price.created for a price given as price_data"),
    Assumption(
        about="the customer's currency",
        assumed="documented is that an entry sets it where it is not set; the sandbox shows it from the first entry "
        "on, real Stripe from the first subscription or invoice on",
    ),
    Assumption(
        about="entries in another than the customer's currency",
        assumed="`ending_balance` is that of the entry's currency, and `balance` stays; no event is sent then",
    ),
    Assumption(
        about="events about a customer's balance",
        assumed="customer.updated (any property changed) with the previous `balance` and no other: the published list "
        "of event types has none for these entries",
    ),
    Assumption(
        about="listing of a customer's balance",
        assumed="shows an entry at once, as the other lists do, and a restricted key may write entries with *write* on "
        "Customers",
    ),
    Assumption(
        about="credit notes",
        assumed="wording of refusals; a note is void only while its invoice is open (documented), and a second note "
        "for more than is left is refused with no code",
    ),
    Assumption(
        about="paying an invoice",
        assumed="the sandbox takes `paid_out_of_band`, told as invoice.paid alone, or the card pm_card_visa, told as "
        "invoice.payment_succeeded too; `amount_paid` becomes the amount due",
    ),
    Assumption(
        about="a voided invoice",
        assumed="it keeps its amounts; nothing here reads what is left of one",
    ),
    Assumption(
        about="lines of an invoice in an event",
        assumed="the first ten, with `has_more`, as embedded lists have; the others are listed",
    ),
    Assumption(
        about="sending an invoice again",
        assumed="the event invoice.sent names the idempotency key of the request, also for an invoice that was sent "
        "before; a sandbox invoice that is charged automatically cannot be sent",
    ),
    Assumption(
        about="failed charges and overdue invoices",
        assumed="the sandbox charges nobody and no clock runs in it: both happen when they are loaded",
    ),
    Assumption(
        about="invoices paid out of band",
        assumed="none of their payments names a payment intent, so that there is nothing here to refund",
    ),
    Assumption(
        about="refunds",
        assumed="they succeed at once and tell refund.created before charge.refunded; the refusal of more than is left "
        "is 400 at `amount` without a code, as integrations report it in both ways",
    ),
    Assumption(
        about="lengths of refusal texts",
        assumed="wording of validation errors other than resource_missing, Missing email and the key conflict is ours",
    ),
)

connector = Connector(
    vendor="stripe",
    role="billing",
    api_version=API_VERSION,
    manners=_manners,
    connect=_connect,
    capabilities=_CAPABILITIES,
    assumptions=_ASSUMPTIONS,
    translate=translate,
    verify=verify,
    sandbox_seed=SandboxSeed(
        credentials={"secret_key": SECRET_KEY},
        webhook_secrets=(WEBHOOK_SECRET,),
        options={"invoice_email": "ar+{customer_id}@billing.example"},
    ),
)
