"""The demo town: plainly invented businesses in real cities, built through the domain functions."""
