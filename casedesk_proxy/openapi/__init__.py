"""The HTTP APIs as OpenAPI documents and as a reference, made from the tables that the code
uses."""
