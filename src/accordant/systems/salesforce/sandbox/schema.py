"""The objects and fields of the sandbox's organization, the custom ones an administrator creates for us included.

Source: https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/sforce_api_objects_opportunity.htm
(and `..._account.htm`, `..._contact.htm`, `..._product2.htm`), API version 67.0.
"""

from typing import Any

import msgspec

Record = dict[str, Any]


class Field(msgspec.Struct, frozen=True):
    """One field. `lookup` means that an upsert may name records by it; `to` is the object a reference points to."""

    name: str
    type: str = "string"
    length: int = 255
    lookup: bool = False
    required: bool = False
    read_only: bool = False
    create_only: bool = False
    to: str | None = None

    @property
    def is_custom(self) -> bool:
        return self.name.endswith("__c")


class SObject(msgspec.Struct, frozen=True):
    """One object: its fields by name, and by lower-case name because SOQL minds no case."""

    name: str
    prefix: str
    fields: dict[str, Field]
    by_lower: dict[str, str]
    relations: dict[str, tuple[str, str]]
    """Lower-case relationship name → (its proper name, the reference field behind it)."""

    def field(self, word: str) -> Field | None:
        """A field by name in any case."""
        name = self.by_lower.get(word.lower())
        return None if name is None else self.fields[name]

    def lookup_field(self, word: str) -> Field | None:
        field = self.field(word)
        return field if field is not None and (field.lookup or field.name == "Id") else None


_STAMPS = (
    Field("Id", "id", 18, read_only=True),
    Field("CreatedDate", "datetime", 0, read_only=True),
    Field("LastModifiedDate", "datetime", 0, read_only=True),
    Field("SystemModstamp", "datetime", 0, read_only=True),
)


def _sobject(name: str, prefix: str, *fields: Field) -> SObject:
    every = {field.name: field for field in (*_STAMPS, *fields)}
    relations = {
        f.name.removesuffix("Id").lower(): (f.name.removesuffix("Id"), f.name)
        for f in fields
        if f.to and not f.create_only
    }
    return SObject(name, prefix, every, {known.lower(): known for known in every}, relations)


SCHEMA: dict[str, SObject] = {
    sobject.name: sobject
    for sobject in (
        _sobject(
            "Account",
            "001",
            Field("Name", required=True),
            Field("AccountNumber", length=40),
            Field("ParentId", "reference", 18, to="Account"),
            Field("Industry", "picklist", 40),
            Field("Type", "picklist", 40),
            Field("BillingStreet", "textarea"),
            Field("BillingCity", length=40),
            Field("BillingCountry", length=80),
            Field("Description", "textarea", 32000),
            Field("Website", "url"),
            Field("AnnualRevenue", "currency", 0),
            Field("NumberOfEmployees", "int", 0),
            Field("YearStarted", length=4),
            Field("CurrencyIsoCode", "picklist", 3),
            Field("Tax_Id__c"),
            Field("Parent_Name__c"),
            Field("Accordant_Account_Status__c"),
            Field("Accordant_Balance__c", length=40),
            Field("Accordant_Overdue__c", length=40),
            Field("Accordant_Currency__c", length=3),
            Field("Accordant_As_Of__c", "date", 0),
            Field("Accordant_Account_Reason__c"),
            Field("Accordant_Account_Transaction__c"),
            Field("Source_Row__c", "textarea", 131072),
        ),
        _sobject(
            "Contact",
            "003",
            Field("FirstName", length=40),
            Field("LastName", length=80, required=True),
            Field("Email", "email", 80, lookup=True),
            Field("AccountId", "reference", 18, to="Account"),
        ),
        _sobject(
            "Opportunity",
            "006",
            Field("Name", length=120, required=True),
            Field("StageName", "picklist", required=True),
            Field("Amount", "currency", 0),
            Field("CloseDate", "date", 0, required=True),
            Field("Type", "picklist"),
            Field("TotalOpportunityQuantity", "double", 0),
            Field("CurrencyIsoCode", "picklist", 3),
            Field("AccountId", "reference", 18, to="Account"),
            Field("ContactId", "reference", 18, to="Contact", create_only=True),
            Field("Opportunity_Number__c", lookup=True),
            Field("Product__c"),
            Field("Account_Name__c"),
            Field("Amends_Opportunity__c"),
            Field("Source_Row__c", "textarea", 131072),
            Field("Accordant_Status__c"),
            Field("Accordant_Reason__c"),
            Field("Accordant_Transaction__c"),
        ),
        _sobject(
            "Product2",
            "01t",
            Field("Name", required=True),
            Field("ProductCode"),
            Field("Family", "picklist"),
            Field("List_Price__c"),
        ),
    )
}

_SOAP_TYPES = {"id": "tns:ID", "reference": "tns:ID", "datetime": "xsd:dateTime", "date": "xsd:date"} | {
    "currency": "xsd:double",
    "double": "xsd:double",
    "int": "xsd:int",
}


def describe(sobject: SObject) -> Record:
    """A short form of the vendor's describe: the attributes that clients read."""
    return {
        "name": sobject.name,
        "label": sobject.name,
        "keyPrefix": sobject.prefix,
        "custom": False,
        "createable": True,
        "updateable": True,
        "deletable": True,
        "queryable": True,
        "fields": [_describe_field(field) for field in sobject.fields.values()],
    }


def _describe_field(field: Field) -> Record:
    return {
        "name": field.name,
        "label": field.name.removesuffix("__c").replace("_", " "),
        "type": field.type,
        "soapType": _SOAP_TYPES.get(field.type, "xsd:string"),
        "length": field.length,
        "custom": field.is_custom,
        "externalId": field.lookup and field.is_custom,
        "idLookup": field.lookup or field.name == "Id",
        "unique": False,
        "nillable": not field.required and not field.read_only,
        "createable": not field.read_only,
        "updateable": not (field.read_only or field.create_only),
        "referenceTo": [field.to] if field.to else [],
        "relationshipName": field.name.removesuffix("Id") if field.to and not field.create_only else None,
    }
