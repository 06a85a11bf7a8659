"""What an order would do now: its figures, the checks, the card. Tools declare what agents may ask for."""
