"""What sales shows at the beginning of a scene."""

from typing import Any

from tests.experience.company import ACCOUNT, deal

PARENT = {**ACCOUNT, "Id": "001Kx0000000002IAA", "Name": "Lone Star Holding"}
CHILD = {**ACCOUNT, "ParentId": PARENT["Id"], "Parent_Name__c": PARENT["Name"]}
FAMILY: dict[str, Any] = {"Account": [PARENT, CHILD]}
WON: dict[str, Any] = {**FAMILY, "Opportunity": [deal("7")]}
MISSPELT: dict[str, Any] = {**FAMILY, "Opportunity": [deal("7", Product__c="Ledger Strat")]}
LOST: dict[str, Any] = {**FAMILY, "Opportunity": [deal("7", StageName="Closed Lost")]}
