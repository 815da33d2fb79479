//! PostgreSQL for dr: streaming replication, fencing, promotion, rewind, ledger.
