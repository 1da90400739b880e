"""The sandbox as seen by Stripe's own Python client, which none of us wrote."""

import asyncio
from typing import Any

import pytest
import stripe

from tests.systems.stripe.account import CUSTOMER, Running, Start, terms


def _populate(client: Any) -> tuple[Any, Any]:
    customer = client.v1.customers.create(CUSTOMER)
    return customer, client.v1.subscriptions.create(terms(customer.id, quantity=3))


async def test_the_version_is_the_one_that_the_official_client_pins(running: Running) -> None:
    from accordant.systems.stripe import connector
    from accordant.systems.stripe.sandbox.shapes import API_VERSION

    assert connector.api_version == API_VERSION == stripe.api_version


async def test_a_customer_is_made_read_changed_and_listed(running: Running) -> None:
    def story(client: Any) -> None:
        made = client.v1.customers.create({**CUSTOMER, "address": {"country": "PH"}})
        assert made.id.startswith("cus_")
        changed = client.v1.customers.update(made.id, {"name": "Acme Inc", "metadata": {"parent_id": "p", "x": "1"}})
        assert (changed.name, changed.metadata["customer_id"]) == ("Acme Inc", "customer-1")
        assert "x" not in client.v1.customers.update(made.id, {"metadata": {"x": ""}}).metadata
        assert client.v1.customers.retrieve(made.id).address.country == "PH"
        assert [one.id for one in client.v1.customers.list({"email": "ar@acme.example"}).data] == [made.id]

    await running.ask(story)
    assert [(line["change"], line["business_id"]) for line in running.ledger("customer")] == [
        ("create", "customer-1"),
        ("update", "customer-1"),
        ("update", "customer-1"),
    ]


async def test_products_and_prices_carry_the_ids_they_are_given(running: Running) -> None:
    def story(client: Any) -> None:
        assert client.v1.products.create({"id": "MG", "name": "MG Special"}).id == "MG"
        with pytest.raises(stripe.InvalidRequestError) as twice:
            client.v1.products.create({"id": "MG", "name": "again"})
        assert twice.value.code == "resource_already_exists"
        recurring: Any = {"interval": "year"}
        price = client.v1.prices.create(
            {"currency": "usd", "product": "MG", "unit_amount": 5500, "recurring": recurring}
        )
        customer = client.v1.customers.create(CUSTOMER)
        started = client.v1.subscriptions.create({**terms(customer.id), "items": [{"price": price.id}]})
        assert started["items"].data[0].price.id == price.id
        assert client.v1.prices.retrieve(price.id).unit_amount == 5500

    await running.ask(story)


async def test_a_subscription_starts_with_a_draft_invoice_for_its_total(running: Running) -> None:
    def story(client: Any) -> None:
        customer, started = _populate(client)
        assert started.id.startswith("sub_1")
        assert started.status == "active"
        assert started["items"].data[0].quantity == 3
        invoice = client.v1.invoices.retrieve(started.latest_invoice)
        assert (invoice.status, invoice.total, invoice.customer) == ("draft", 165_000, customer.id)
        assert invoice.parent.subscription_details.subscription == started.id
        listed = client.v1.invoices.list({"subscription": started.id})
        assert [one.id for one in listed.data] == [invoice.id]
        with_customer = client.v1.subscriptions.retrieve(started.id, {"expand": ["customer", "latest_invoice"]})
        assert with_customer.customer.metadata["customer_id"] == "customer-1"
        assert with_customer.latest_invoice.total == 165_000

    await running.ask(story)
    line = running.ledger("subscription")[0]
    assert (line["business_id"], line["amount_minor"], line["currency"]) == ("subscription-1", 165_000, "USD")
    assert [line["amount_minor"] for line in running.ledger("invoice")] == [165_000]


async def test_items_are_repriced_and_a_cancelled_subscription_is_gone(running: Running) -> None:
    def story(client: Any) -> None:
        _, started = _populate(client)
        item = started["items"].data[0]
        price: Any = {"currency": "usd", "product": "GTXB", "unit_amount": 60_000, "recurring": {"interval": "year"}}
        change: Any = {"items": [{"id": item.id, "price_data": price, "quantity": 2}], "proration_behavior": "none"}
        changed = client.v1.subscriptions.update(started.id, change)
        assert [(one.id, one.price.unit_amount, one.quantity) for one in changed["items"].data] == [
            (item.id, 60_000, 2)
        ]
        assert client.v1.subscription_items.update(item.id, {"quantity": 5}).quantity == 5
        assert client.v1.subscription_items.list({"subscription": started.id}).data[0].quantity == 5
        assert client.v1.subscriptions.cancel(started.id).status == "canceled"
        assert client.v1.subscriptions.retrieve(started.id).status == "canceled"
        with pytest.raises(stripe.InvalidRequestError) as again:
            client.v1.subscriptions.cancel(started.id)
        assert (again.value.http_status, again.value.code) == (404, "resource_missing")
        assert client.v1.subscriptions.list().data == []
        assert len(client.v1.subscriptions.list({"status": "all"}).data) == 1

    await running.ask(story)
    amounts = [line["amount_minor"] for line in running.ledger("subscription")]
    assert amounts == [165_000, 120_000, 300_000, 300_000]


async def test_pages_are_walked_forwards_and_backwards(running: Running) -> None:
    def story(client: Any) -> None:
        made = [client.v1.customers.create({"name": f"customer {n}"}).id for n in range(25)]
        newest_first = made[::-1]
        walked = [one.id for one in client.v1.customers.list({"limit": 4}).auto_paging_iter()]
        assert walked == newest_first
        page = client.v1.customers.list({"limit": 3, "ending_before": newest_first[10]})
        assert [one.id for one in page.data] == newest_first[7:10]
        assert page.has_more
        assert len(client.v1.customers.list().data) == 10
        created = client.v1.customers.retrieve(made[0]).created
        assert len(client.v1.customers.list({"limit": 100, "created": {"gte": created}}).data) == 25
        assert client.v1.customers.list({"created": {"lt": created}}).data == []

    await running.ask(story)


async def test_subscriptions_are_listed_by_customer_and_status(running: Running) -> None:
    def story(client: Any) -> None:
        customer, first = _populate(client)
        other = client.v1.customers.create(CUSTOMER)
        second = client.v1.subscriptions.create(terms(customer.id))
        client.v1.subscriptions.create(terms(other.id))
        client.v1.subscriptions.cancel(first.id)

        def ids(**query: Any) -> list[str]:
            return [one.id for one in client.v1.subscriptions.list({"customer": customer.id, **query}).data]

        assert ids() == [second.id]
        assert ids(status="all") == [second.id, first.id]
        assert ids(status="canceled") == [first.id]
        assert ids(status="all", limit=1, starting_after=second.id) == [first.id]

    await running.ask(story)


async def test_search_lags_behind_and_lists_do_not(running: Running) -> None:
    def found(client: Any) -> tuple[int, int]:
        query = "metadata['customer_id']:'customer-1'"
        searched = client.v1.customers.search({"query": query})
        assert searched.object == "search_result"
        return len(searched.data), len(client.v1.customers.list().data)

    await running.ask(_populate)
    assert await running.ask(found) == (0, 1)
    await running.admin("POST", "clock", {"advance_s": 2})
    assert await running.ask(found) == (1, 1)
    await running.fault("index_lag", "customer.search", delay_s=3600)
    await running.ask(_populate)
    await running.admin("POST", "clock", {"advance_s": 60})
    assert await running.ask(found) == (1, 2)


async def test_events_tell_what_happened(running: Running) -> None:
    def story(client: Any) -> None:
        customer, started = _populate(client)
        client.v1.customers.update(customer.id, {"name": "Acme Inc"})
        client.v1.subscriptions.cancel(started.id)
        kinds = [event.type for event in client.v1.events.list().data]
        assert kinds[::-1] == [
            "customer.created",
            "customer.subscription.created",
            "invoice.created",
            "customer.updated",
            "customer.subscription.deleted",
        ]
        changed = client.v1.events.list({"type": "customer.updated"}).data[0]
        assert changed.data.previous_attributes.to_dict() == {"name": "Acme"}
        assert client.v1.events.retrieve(changed.id).request.id.startswith("req_")

    await running.ask(story)


async def test_a_key_repeats_its_first_answer(running: Running) -> None:
    def story(client: Any) -> None:
        first = client.v1.customers.create(CUSTOMER, {"idempotency_key": "k"})
        again = client.v1.customers.create(CUSTOMER, {"idempotency_key": "k"})
        assert again.id == first.id
        assert first.last_response.headers.get("idempotent-replayed") is None
        assert again.last_response.headers["idempotent-replayed"] == "true"
        with pytest.raises(stripe.IdempotencyError) as other:
            client.v1.customers.create({"name": "Other"}, {"idempotency_key": "k"})
        body: Any = other.value.json_body
        assert (other.value.http_status, body["error"]["type"]) == (400, "idempotency_error")

    await running.ask(story)
    assert [line["key"] for line in running.ledger("customer")] == ["k"]


async def test_a_key_is_forgotten_after_a_day(running: Running) -> None:
    def create(client: Any) -> str:
        return client.v1.customers.create(CUSTOMER, {"idempotency_key": "k"}).id

    first = await running.ask(create)
    await running.admin("POST", "clock", {"advance_s": 86_399})
    assert await running.ask(create) == first
    await running.admin("POST", "clock", {"advance_s": 2})
    assert await running.ask(create) != first
    assert len(running.ledger("customer")) == 2


async def test_a_key_in_use_is_refused(start: Start) -> None:
    async with start(settings={"processing_s": "0.3"}) as running:

        def create(client: Any) -> Any:
            try:
                return client.v1.customers.create(CUSTOMER, {"idempotency_key": "k"}).id
            except stripe.StripeError as error:
                body: Any = error.json_body
                return error.http_status, body["error"]["code"]

        answers = await asyncio.gather(*(running.ask(create) for _ in range(3)))
        assert sorted(map(str, answers))[:2] == ["(409, 'idempotency_key_in_use')"] * 2
        assert len(running.ledger("customer")) == 1


async def test_an_error_after_applying_is_saved_under_the_key(running: Running) -> None:
    def create(client: Any) -> tuple[int | None, str | None]:
        with pytest.raises(stripe.APIError) as failed:
            client.v1.customers.create(CUSTOMER, {"idempotency_key": "k"})
        assert failed.value.headers is not None
        return failed.value.http_status, failed.value.headers.get("idempotent-replayed")

    await running.fault("error_after_apply", "customer.create", count=1)
    assert await running.ask(create) == (500, None)
    assert await running.ask(create) == (500, "true")
    assert len(running.ledger("customer")) == 1


async def test_an_error_before_executing_saves_nothing(running: Running) -> None:
    def create(client: Any) -> str | None:
        try:
            return client.v1.customers.create(CUSTOMER, {"idempotency_key": "k"}).id
        except stripe.APIError:
            return None

    await running.fault("error_before_apply", "customer.create", count=1)
    assert await running.ask(create) is None
    assert str(await running.ask(create)).startswith("cus_")


async def test_what_was_not_applied_leaves_no_answer_behind(running: Running) -> None:
    def create(client: Any) -> Any:
        return client.v1.customers.create(CUSTOMER, {"idempotency_key": "k"})

    await running.fault("ok_without_apply", "customer.create", count=1)
    lied = await running.ask(create)
    assert running.ledger() == []
    honest = await running.ask(create)
    assert honest.id != lied.id
    assert honest.last_response.headers.get("idempotent-replayed") is None


async def test_invalid_parameters_are_not_saved_and_missing_objects_are(running: Running) -> None:
    def story(client: Any) -> None:
        option: Any = {"idempotency_key": "v"}
        with pytest.raises(stripe.InvalidRequestError) as unknown:
            client.v1.customers.create({"nmae": "Acme"}, option)
        assert (unknown.value.code, unknown.value.param) == ("parameter_unknown", "nmae")
        assert client.v1.customers.create(CUSTOMER, option).id
        wrong = terms("cus_nobody")
        for replayed in (None, "true"):
            with pytest.raises(stripe.InvalidRequestError) as missing:
                client.v1.subscriptions.create(wrong, {"idempotency_key": "m"})
            assert (missing.value.http_status, missing.value.code) == (400, "resource_missing")
            headers: Any = missing.value.headers
            assert headers.get("idempotent-replayed") == replayed

    await running.ask(story)


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"items": [{"price_data": {"currency": "usd", "product": "NO", "unit_amount": 1,
                                    "recurring": {"interval": "year"}}}]},
         "resource_missing", "items[0][price_data][product]"),
        ({"items": [{"price": "price_no"}]}, "resource_missing", "items[0][price]"),
        ({"items": []}, "parameter_missing", "items"),
        ({"days_until_due": "soon"}, "parameter_invalid_integer", "days_until_due"),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
        ({"collection_method": "beg"}, None, "collection_method"),
    ],
)  # fmt: skip
async def test_refusals_name_the_parameter(
    running: Running, change: dict[str, Any], code: str | None, param: str
) -> None:
    def story(client: Any) -> None:
        customer = client.v1.customers.create(CUSTOMER)
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.subscriptions.create(terms(customer.id, **change))
        assert (refused.value.code, refused.value.param) == (code, param)
        assert refused.value.request_id

    await running.ask(story)


async def test_twenty_items_are_accepted_and_twenty_one_are_not(running: Running) -> None:
    def story(client: Any) -> None:
        customer = client.v1.customers.create(CUSTOMER)
        item = terms(customer.id)["items"][0]
        assert len(client.v1.subscriptions.create(terms(customer.id, items=[item] * 20))["items"].data) == 20
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.subscriptions.create(terms(customer.id, items=[item] * 21))

    await running.ask(story)


async def test_invoices_are_sent_only_to_an_address_and_charged_only_to_a_card(running: Running) -> None:
    def story(client: Any) -> None:
        customer = client.v1.customers.create({"name": "No address"})
        with pytest.raises(stripe.InvalidRequestError, match="Missing email"):
            client.v1.subscriptions.create(terms(customer.id))
        with pytest.raises(stripe.InvalidRequestError, match="no attached payment source"):
            client.v1.subscriptions.create(terms(customer.id, collection_method="charge_automatically"))

    await running.ask(story)
    assert running.ledger("subscription") == []


@pytest.mark.parametrize("key", ["sk_test_wrong_key_of_somebody_else", "sk_test_é", "x"])
async def test_a_wrong_key_is_refused(running: Running, key: str) -> None:
    def story(client: Any) -> None:
        with pytest.raises((stripe.AuthenticationError, UnicodeEncodeError)):
            client.v1.customers.create(CUSTOMER)

    await running.ask(story, key=key)
    assert running.ledger() == []


async def test_no_key_is_refused_and_a_basic_user_is_accepted(running: Running) -> None:
    import base64

    from accordant.systems.stripe.sandbox import SECRET_KEY

    status, _, body = await running.raw("GET", "/v1/customers", headers={"Authorization": ""})
    assert (status, body["error"]["type"]) == (401, "invalid_request_error")
    basic = "Basic " + base64.b64encode(f"{SECRET_KEY}:".encode()).decode()
    status, headers, _ = await running.raw("GET", "/v1/customers", headers={"Authorization": basic})
    assert status == 200
    assert headers["request-id"].startswith("req_")


async def test_limits_are_the_published_ones_and_name_their_reason(start: Start) -> None:
    async with start(limits="real") as running:

        def hurry(client: Any) -> None:
            for _ in range(60):
                client.v1.customers.list()

        def story(client: Any) -> Any:
            with pytest.raises(stripe.RateLimitError) as refused:
                hurry(client)
            return refused.value

        refused = await running.ask(story)
        assert refused.http_status == 429
        assert refused.headers.get("retry-after") is None
        assert refused.headers["stripe-rate-limited-reason"] == "endpoint-rate"


async def test_an_older_version_shows_the_billing_period_where_it_used_to_be(running: Running) -> None:
    _, started = await running.ask(_populate)

    def old(client: Any) -> Any:
        return client.v1.subscriptions.retrieve(started.id, {"expand": ["latest_invoice"]})

    now = await running.ask(old)
    then = await running.ask(old, stripe_version="2023-08-16")
    assert "current_period_end" not in now
    assert then.current_period_end == now["items"].data[0].current_period_end
    assert then.latest_invoice.subscription == started.id
    status, _, _ = await running.raw("GET", "/v1/customers", headers={"Stripe-Version": "yesterday"})
    assert status == 400


async def test_unknown_addresses_and_unreadable_bodies_answer_in_the_vendors_words(running: Running) -> None:
    status, _, body = await running.raw("GET", "/v1/unicorns")
    assert (status, body["error"]["type"]) == (404, "invalid_request_error")
    json_body = {"Content-Type": "application/json"}
    status, _, body = await running.raw("POST", "/v1/customers", body=b'{"name":"x"}', headers=json_body)
    assert (status, body["error"]["type"]) == (400, "invalid_request_error")
    status, _, _ = await running.raw("POST", "/v1/customers", body=b"a[b][c][d][e][f][g][h][i][j][k]=1")
    assert status == 400
    status, _, _ = await running.raw("POST", "/v1/customers", body=b"name=1&name[x]=2")
    assert status == 400
