"""Who names features and judges names: words alone, a local model, or a model at an endpoint."""
