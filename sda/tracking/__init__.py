"""From events to MLflow: the journal, what is still to be delivered, and its delivery."""
