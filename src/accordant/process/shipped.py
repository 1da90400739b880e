"""Every flow that is shipped."""

from accordant.backbone.flow import Flows
from accordant.process.balance_credit import balance_credit
from accordant.process.contract_amendment import contract_amendment
from accordant.process.credit_note import credit_note
from accordant.process.customer_onboarding import customer_onboarding
from accordant.process.customer_opening import customer_opening
from accordant.process.deal_correction import deal_correction
from accordant.process.service_credit import service_credit

FLOWS = Flows(
    customer_opening,
    customer_onboarding,
    contract_amendment,
    deal_correction,
    service_credit,
    credit_note,
    balance_credit,
)
