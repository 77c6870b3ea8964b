"""The OpenAPI documents over HTTP, and Swagger UI to try them."""
