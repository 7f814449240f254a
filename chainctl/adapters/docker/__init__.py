"""BuildPlans and DeployPlans in; images, services and routes on one Docker Engine out."""
