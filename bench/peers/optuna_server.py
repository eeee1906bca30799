"""Optuna's gRPC storage proxy on loopback, with its default thread pool, until it is killed.

    optuna_server.py PORT sqlite:///FILE | memory
"""

import sys

import optuna

port, storage = int(sys.argv[1]), sys.argv[2]
# As its documentation asks: get_storage puts the cache in front of the database.
backend = optuna.storages.InMemoryStorage() if storage == "memory" else optuna.storages.get_storage(storage)
optuna.storages.run_grpc_proxy_server(backend, host="127.0.0.1", port=port)
