"""A Release and the settings of a cluster in; the objects that Kubernetes is given for it, as text, out. Pure."""
