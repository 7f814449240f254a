"""Release in; DesiredState, DeployPlan and (through a DeployTarget) a Deployment out."""
