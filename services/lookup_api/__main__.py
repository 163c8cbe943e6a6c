"""The process of a `BackgroundServer`."""

from services.lookup_api.server import run_background_server

if __name__ == "__main__":
    run_background_server()
