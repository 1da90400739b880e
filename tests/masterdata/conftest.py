from tests.governance.conftest import folder
from tests.governance.databases import database_url, postgres_url, storage

__all__ = ["database_url", "folder", "postgres_url", "storage"]
