"""The product's plain-Python half: everything here runs, and is tested, without Airflow."""
