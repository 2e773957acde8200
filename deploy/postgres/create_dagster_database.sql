-- Run once by the container of Postgres, beside the database of the catalogue.
CREATE DATABASE dagster;
