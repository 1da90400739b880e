"""NetSuite keeps the books: one customer per customer, one sales order per deal, one credit memo per credit."""

from accordant.connector.capabilities import Assumption, Connector, SandboxSeed, Stream
from accordant.systems.netsuite.client import CAPABILITIES, NetSuite, connect
from accordant.systems.netsuite.client.manners import manners
from accordant.systems.netsuite.mapping import HOLDS, translate
from accordant.systems.netsuite.sandbox import ACCESS, CURRENCIES
from accordant.systems.netsuite.webhooks import verify

__all__ = ["connector"]

connector = Connector(
    vendor="netsuite",
    role="erp",
    api_version="2026.1",
    manners=manners,
    connect=connect,
    capabilities=CAPABILITIES,
    assumptions=(
        Assumption(
            about="PUT eid: of a record that exists",
            assumed="it answers 204 with the same Location as an insert, changes only the properties sent, and takes "
            "`replace`; contract marks salesOrder as written by analogy",
        ),
        Assumption(
            about="inactive customer, item or subsidiary",
            assumed="refused like an unknown one: 400 INVALID_CONTENT with the path of the reference",
        ),
        Assumption(
            about="orders in a closed period",
            assumed="the sandbox refuses an order dated in it; in NetSuite an order posts nothing, so that this needs "
            "an account's own script or workflow",
        ),
        Assumption(
            about="refusal of a closed period",
            assumed="over REST: 400 USER_ERROR at tranDate, with the sentence that other integrations report; the "
            "code CLOSED_TRAN_PRD of the SOAP list is understood as well. The account disallows transaction dates "
            "outside of the posting period; otherwise NetSuite posts into another period without a word",
        ),
        Assumption(
            about="subsidiary and currency of a transaction",
            assumed="they must be the customer's primary ones (Multi-Subsidiary Customer is off, no other currency)",
        ),
        Assumption(
            about="foreigntotal of a credit memo",
            assumed="negative in SuiteQL, `total` positive over REST; two public integrations say so, no page of "
            "the vendor does",
        ),
        Assumption(
            about="PUT eid: of a credit memo that is applied to an invoice",
            assumed="an equal line sent again keeps what it is applied to",
        ),
        Assumption(
            about="what is left of an invoice",
            assumed="amountRemaining (REST) and foreignAmountUnpaid (SuiteQL) follow at once what is set against it; "
            "its status is A (open) or B (paid in full), a credit memo's A (open) or B (fully applied), a payment's B "
            "(not deposited); `apply` is keyed by `doc`, and an amount beyond what is due is refused",
        ),
        Assumption(
            about="tax of an invoice",
            assumed="a line under a non-taxable item keeps the amount sent, so that no tax is computed a second time",
        ),
        Assumption(
            about="foreigntotal of a payment",
            assumed="positive in SuiteQL",
        ),
        Assumption(
            about="customerRefund",
            assumed="the bank account and the payment method are the account's defaults, `total` is the sum of the "
            "lines applied, more than a credit memo still holds is refused; `type` CustRfnd, and either sign of "
            "foreigntotal, in SuiteQL",
        ),
        Assumption(
            about="external ids of transactions",
            assumed="one order and one memo cannot have the same; the refusal's words are the sandbox's",
        ),
        Assumption(
            about="closing an order",
            assumed="isClosed on every line sent with replace=item sets status H, as `update` does in SOAP",
        ),
        Assumption(
            about="price level -1",
            assumed="a line with it keeps the amount sent",
        ),
        Assumption(
            about="foreigntotal, total",
            assumed="equal to the sum of the line amounts: no tax, no shipping cost on these orders and memos",
        ),
        Assumption(
            about="credit holds",
            assumed="documented are the two columns behind the form's Hold and the property's name; assumed are its "
            "values over REST (AUTO, ON, OFF as `id`), both columns and the custom field in SuiteQL, and that a "
            "customer on hold can still be written to",
        ),
        Assumption(
            about="lastmodifieddate and datecreated in SuiteQL",
            assumed="whole seconds, in UTC: the token's user has the time zone GMT",
        ),
        Assumption(
            about="429",
            assumed="code CONCURRENCY_LIMIT_EXCEEDED and no Retry-After; no page of the vendor shows the answer",
        ),
        Assumption(
            about="error texts",
            assumed="wording and codes other than INVALID_LOGIN and INVALID_CONTENT, and o:errorUrl of a 404",
        ),
        Assumption(about="lengths", assumed="companyName 83, otherRefNum 45 and memo 999 characters"),
        Assumption(about="company names", assumed="auto-generated numbering is on: two customers may share a name"),
        Assumption(about="SuiteQL", assumed="it sees a write at once; row order without ORDER BY is that of the ids"),
        Assumption(
            about="property names",
            assumed="the sandbox keeps properties it does not know, whatever X-NetSuite-PropertyNameValidation says",
        ),
    ),
    translate=translate,
    verify=verify,
    streams=(Stream(name=HOLDS, poll=NetSuite.changed_holds, look_back_s=10.0, every_s=3.0),),
    sandbox_seed=SandboxSeed(
        credentials={
            "consumer_key": ACCESS.consumer_key,
            "consumer_secret": ACCESS.consumer_secret,
            "token_id": ACCESS.token_id,
            "token_secret": ACCESS.token_secret,
        },
        options={
            "account_id": ACCESS.account,
            "currency_ids": {code: number for number, code in CURRENCIES.items()},
        },
    ),
)
