"""Airflow: a task's pipeline as a DAG file, with the compiled pipeline beside it.

`compiling.write` writes both; `section` defines the settings, `settings` checks that Airflow
accepts them, and `dag.py.j2` is the template of the DAG file, which imports Airflow but none of our
modules. Airflow need not be installed here.
"""
