"""Airflow: a task's pipeline as a DAG file, with the compiled pipeline beside it.

`compiling.write` writes both; `section` is what a user may say, `settings` holds it to what Airflow
takes, and `dag.py.j2` is the DAG file, which imports Airflow and nothing of ours. Airflow need not
be installed here.
"""
