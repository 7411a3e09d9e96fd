"""Measurements of search, slots and reservations. ``make bench`` runs them; docs/performance.md explains them."""
