"""The product's plain-Python half: everything here runs, and is tested, without Airflow.

The way of a date: a spec says what is asked (``sources``); one try (``steps``) asks it (``http``)
when it may (``limits``), keeps the bodies (``storage``), makes rows of them (``parsing``) in the
warehouse (``warehouse``) and counts them against the schedule (``checks``). How it ended is written
down (``ops``) and mailed (``mail``).
"""
