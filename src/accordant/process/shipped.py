"""Every flow that is shipped."""

from accordant.backbone.flow import Flows
from accordant.process.balance_credit import balance_credit
from accordant.process.collections import collections
from accordant.process.contract_amendment import contract_amendment
from accordant.process.credit_hold import credit_hold
from accordant.process.credit_note import credit_note
from accordant.process.credit_note_void import credit_note_void
from accordant.process.customer_onboarding import customer_onboarding
from accordant.process.customer_opening import customer_opening
from accordant.process.deal_correction import deal_correction
from accordant.process.invoice_dispute import invoice_dispute
from accordant.process.invoice_posting import invoice_posting
from accordant.process.invoice_settlement import invoice_settlement
from accordant.process.invoice_voiding import invoice_voiding
from accordant.process.payment_status import payment_status
from accordant.process.refund import refund
from accordant.process.refund_outside import refund_outside
from accordant.process.service_credit import service_credit

FLOWS = Flows(
    customer_opening,
    customer_onboarding,
    contract_amendment,
    deal_correction,
    service_credit,
    invoice_posting,
    invoice_voiding,
    invoice_settlement,
    refund,
    refund_outside,
    invoice_dispute,
    credit_note,
    credit_note_void,
    balance_credit,
    payment_status,
    collections,
    credit_hold,
)
