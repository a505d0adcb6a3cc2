"""Run by Superset's own Python: reads a mart through Superset's database layer.

Usage: read_by_superset.py URI; prints one line of JSON: tables of `marts`, the district's rows, the
label of a column.
"""

import json
import logging
import os
import sys
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    config = Path(folder) / "superset_config.py"
    config.write_text(
        "SECRET_KEY = 'only for this test'\n"
        "SQLALCHEMY_DATABASE_URI = 'sqlite://'\n"
        "PREVENT_UNSAFE_DB_CONNECTIONS = False  # it counts a file as unsafe\n"
    )
    os.environ["SUPERSET_CONFIG_PATH"] = str(config)
    from superset.app import create_app

    logging.disable()
    with create_app().app_context():
        from superset.models.core import Database
        from superset.sql.parse import Table

        database = Database(database_name="hotline")
        database.set_sqlalchemy_uri(sys.argv[1])
        mart = Table("hotline_district_quarter", "marts")
        frame = database.get_df(database.select_star(mart, limit=10), schema="marts")
        names = database.get_all_table_names_in_schema(None, "marts")
        labels = {column["name"]: column["comment"] for column in database.get_columns(mart)}
        print(
            json.dumps(
                {
                    "tables": sorted({name[0] for name in names}),
                    "rows": frame.astype(str).to_dict("records"),
                    "label": labels["due_count"],
                }
            )
        )
