"""The organization's business state without ids and times of the vendor's, equal for equal outcomes."""

from accordant.systems.salesforce.mapping.account_standing import facts
from accordant.systems.salesforce.sandbox.schema import Record
from accordant.systems.salesforce.sandbox.tables import Database


def dump(database: Database) -> dict[str, list[Record]]:
    """Customers, opportunities and products by the ids people use; references likewise."""
    accounts = database.tables["Account"].records
    names = {account_id: account.get("Name") for account_id, account in accounts.items()}
    return {
        "customer": _by_business_id([_customer(account, names) for account in accounts.values()]),
        "opportunity": _by_business_id(
            [_opportunity(deal, names) for deal in database.tables["Opportunity"].records.values()]
        ),
        "account_standing": _by_business_id([_standing(one) for one in accounts.values() if facts(one)["status"]]),
        "product": _by_business_id(
            [
                {"business_id": product.get("Name"), "list_price": product.get("List_Price__c")}
                for product in database.tables["Product2"].records.values()
            ]
        ),
    }


def _customer(account: Record, names: dict[str, str | None]) -> Record:
    return {
        "business_id": account.get("Name"),
        "country": account.get("BillingCountry"),
        "industry": account.get("Industry"),
        "parent": names.get(account.get("ParentId", "")),
    }


def _standing(account: Record) -> Record:
    return {"business_id": account.get("Name"), **facts(account)}


def _opportunity(deal: Record, names: dict[str, str | None]) -> Record:
    return {
        "business_id": deal.get("Opportunity_Number__c"),
        "account": names.get(deal.get("AccountId", "")),
        "amends": deal.get("Amends_Opportunity__c"),
        "amount": deal.get("Amount"),
        "closed_on": deal.get("CloseDate"),
        "currency": deal.get("CurrencyIsoCode"),
        "product": deal.get("Product__c"),
        "reason": deal.get("Accordant_Reason__c"),
        "stage": deal.get("StageName"),
        "status": deal.get("Accordant_Status__c"),
        "transaction": deal.get("Accordant_Transaction__c"),
    }


def _by_business_id(records: list[Record]) -> list[Record]:
    return sorted(records, key=lambda record: (str(record["business_id"]), repr(sorted(record.items(), key=str))))
