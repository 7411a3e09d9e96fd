"""Forms of the provider's dashboard. They clean input; rules are the domain's."""
