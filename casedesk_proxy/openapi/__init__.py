"""The HTTP APIs as OpenAPI documents and as a reference, made of the tables that the code reads."""
