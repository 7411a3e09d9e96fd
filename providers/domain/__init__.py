"""The only code that changes providers, their places, services and hours, and the app's face to other apps."""
